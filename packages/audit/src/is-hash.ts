import { hashBytes } from './tree-hasher.ts';

// The intrinsic name of a typed array, which neither another realm nor a `Symbol.toStringTag` of its own can change.
const nameOf: ((this: unknown) => unknown) | undefined = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get;

/** Whether a value, of whatever origin, is a `Uint8Array` of exactly 32 bytes. */
export function isHash(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && value.byteLength === hashBytes && nameOf?.call(value) === 'Uint8Array';
}
