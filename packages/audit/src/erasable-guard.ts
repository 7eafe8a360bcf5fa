import { defaultErasableKinds, type ErasableKind, type IdentityStore, isMedzenError, MedzenError } from '@medzen/core';

/** Declares that the host relies on erasable identities. */
export interface ErasableOptions {
  /** `stores.identities`. */
  readonly identities: Pick<IdentityStore, 'kinds'>;
  /** What must not stand in the log in clear; `patient`, `user`, `name` and `ip` when absent. */
  readonly kinds?: readonly ErasableKind[];
}

/**
 * Makes sure, before the first event, that the store makes pseudonyms of what must not stand in the log in clear.
 *
 * @returns rejects with `invalid_configuration` when it does not; asks until it has had an answer, then no more
 */
export function erasableGuard({ identities, kinds = defaultErasableKinds }: ErasableOptions): () => Promise<void> {
  let assured = false;
  return async () => {
    if (assured) return;
    const on = await identities.kinds().catch((cause: unknown) => {
      if (isMedzenError(cause)) throw cause;
      throw new MedzenError('store_unavailable', 'The identity store did not answer', { cause });
    });
    const missing = kinds.filter((kind) => !on.includes(kind));
    if (missing.length > 0)
      throw new MedzenError(
        'invalid_configuration',
        `The log would hold identities in clear (${missing.join(', ')}): switch them on in the store first, keep_erasable() in SQL`,
      );
    assured = true;
  };
}
