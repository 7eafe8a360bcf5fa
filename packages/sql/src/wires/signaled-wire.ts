import type { Wire } from '@medzen/core';

/** The same wire, whose calls end when the signal is aborted. */
export function signaledWire(wire: Wire, signal: AbortSignal | undefined): Wire {
  if (signal === undefined) return wire;
  return {
    call: (name, args, options) => {
      const both = options?.signal === undefined ? signal : AbortSignal.any([signal, options.signal]);
      return wire.call(name, args, { ...options, signal: both });
    },
    get root() {
      return wire.root === wire ? this : signaledWire(wire.root, signal);
    },
    get inTransaction() {
      return wire.inTransaction;
    },
  };
}
