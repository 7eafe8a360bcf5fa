import type { Recording, RecordingStore, Scope } from '@medzen/core';
import type { BrokenStore } from '../../broken-store.ts';
import { createSamples, type Samples } from '../../samples.ts';
import type { RecordingStoreContext } from '../../store-context.ts';

/** What a fault is made of. */
interface Parts {
  readonly good: RecordingStore;
  readonly context: RecordingStoreContext;
  readonly samples: Samples;
  /** The tenant that a call is not about. */
  other(scope: Scope): Scope;
  all(scope: Scope): Promise<readonly Recording[]>;
}

/** Defines a broken recording store. */
export function brokenRecording(
  id: string,
  title: string,
  mustFail: string,
  fault: (parts: Parts) => Partial<RecordingStore>,
): BrokenStore<RecordingStoreContext> {
  return {
    id: `recording.${id}`,
    title,
    mustFail: `recording.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.recordings;
      const parts: Parts = {
        good,
        context,
        samples: createSamples({ scope: context.scope, clock: context.clock }),
        other: (scope) => (scope.tenant === context.scope.tenant ? context.otherScope : context.scope),
        all: async (scope) => (await good.list(scope, { limit: 200 })).recordings,
      };
      return { ...context, stores: { ...context.stores, recordings: { ...good, ...fault(parts) } } };
    },
  };
}
