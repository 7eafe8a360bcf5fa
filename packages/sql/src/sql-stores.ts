import type { Stores, Wire } from '@medzen/core';
import { checkedWire } from './check-sql.ts';
import { archiveStore } from './stores/archive.ts';
import { auditStore } from './stores/audit.ts';
import { consentStore } from './stores/consents.ts';
import { cursorStore } from './stores/cursors.ts';
import { identityStore } from './stores/identities.ts';
import { rateLimitStore } from './stores/limits.ts';
import { logStore } from './stores/log.ts';
import { recordingStore } from './stores/recordings.ts';
import { reviewStore } from './stores/reviews.ts';
import { signaledWire } from './wires/signaled-wire.ts';

/** Under it the stores keep the wire that they were made over, for `checkInstallation`. A copy by spreading keeps it. */
export const wireOf: unique symbol = Symbol.for('medzen.wire') as never; // the same in two copies of the package

/** Every store, and the wire that they were made over. */
export interface SqlStores extends Stores {
  readonly [wireOf]: Wire;
}

/** Options of the stores. */
export interface SqlStoresOptions {
  /** Ends every call of these stores when it is aborted, with `store_unavailable`: a request's, for example. */
  readonly signal?: AbortSignal;
}

/**
 * Every store, over one wire. The ledger is checked once, before the first call. Each call has the wire's deadline.
 *
 * @param wire - of a pool; or of a transaction of the host, and then its changes and their events commit with the host's
 * @param options - a signal that ends the calls
 * @example
 * ```ts
 * import { pgWire, sqlStores } from '@medzen/sql';
 * import pg from 'pg';
 * const stores = sqlStores(pgWire(new pg.Pool()));
 * const { events } = await stores.audit.search({ tenant: 'default' }, { patient: 'p1' });
 * ```
 */
export function sqlStores(wire: Wire, options: SqlStoresOptions = {}): SqlStores {
  const checked = signaledWire(checkedWire(wire), options.signal);
  return {
    [wireOf]: wire,
    audit: auditStore(checked),
    log: logStore(checked),
    archive: archiveStore(checked),
    cursors: cursorStore(checked),
    reviews: reviewStore(checked),
    identities: identityStore(checked),
    consents: consentStore(checked),
    recordings: recordingStore(checked),
    limits: rateLimitStore(checked),
  };
}
