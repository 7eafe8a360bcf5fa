import { type Clock, type ErasableKind, type Random, type Stores, systemClock, systemRandom } from '@medzen/core';
import { createLeafTable, memoryArchive } from './memory-archive.ts';
import { createEventTable, memoryAudit } from './memory-audit.ts';
import { createConsentTable } from './memory-consents.ts';
import { memoryCursors } from './memory-cursors.ts';
import { createIdentityTable, memoryIdentities } from './memory-identities.ts';
import { type MemoryLimitsOptions, memoryLimits } from './memory-limits.ts';
import { memoryLog } from './memory-log.ts';
import { requestStops } from './memory-recordings/claims.ts';
import { activeHolds, createRecordingTables, isHeld, type RecordingTables } from './memory-recordings/table.ts';
import { memoryRecordings } from './memory-recordings.ts';
import { memoryReviews } from './memory-reviews.ts';

/** What {@link memoryStores} takes. */
export interface MemoryStoresOptions {
  /** For leases and limits; the machine's own when absent. */
  readonly clock?: Clock;
  /** Which identities the audit log holds as pseudonyms, so that they can be erased; none when absent. */
  readonly erasable?: readonly ErasableKind[];
  /** Gives the salts of pseudonyms. */
  readonly random?: Random;
  /** Bounds of the rate limit store. */
  readonly limits?: Omit<MemoryLimitsOptions, 'clock'>;
}

/** A way past the stores, for tests and demos: what the owner of a database could do. */
export interface MemoryInspector {
  /** Audit events of all tenants. */
  countEvents(): number;
  /** The bodies stored under an id: none or one. */
  eventsFor(id: string): readonly Uint8Array[];
  /** Overwrites a stored event's body; `undefined` removes it. What was sequenced stays sequenced. */
  damage(id: string, body: Uint8Array | undefined): void;
  /** Puts another value behind a pseudonym, and leaves its salt. */
  alterIdentity(pseudonym: string, value: string): void;
  /** Switches the kinds whose identities become pseudonyms from now on. */
  keepErasable(kinds: readonly ErasableKind[]): void;
}

/** All stores, over one memory. */
export interface MemoryStores extends Stores {
  readonly inspect: MemoryInspector;
}

/**
 * All stores in this process's memory, for tests, demos and laptops: nothing survives the process. Every method is one synchronous critical
 * section that writes only after everything that can fail has been done, so a change and its event are made together or not at all.
 *
 * @param options - the clock of leases and limits; the machine's own when absent
 * @example
 * ```ts
 * import { memoryStores } from '@medzen/adapters-local';
 * import { sealEvent } from '@medzen/core';
 * const stores = memoryStores();
 * const event = sealEvent({
 *   action: 'recording.view', kind: 'read', outcome: 'success', tenant: 'default',
 *   actor: { id: 'u1', type: 'user' }, patient: 'p1', source: {},
 * });
 * await stores.audit.append({ tenant: 'default' }, [event]);
 * ```
 */
export function memoryStores(options: MemoryStoresOptions = {}): MemoryStores {
  const clock = options.clock ?? systemClock;
  const now = (): number => clock.now().getTime();
  const identities = createIdentityTable(options.erasable ?? [], options.random ?? systemRandom);
  const events = createEventTable(now, identities);
  const consents = createConsentTable(events, (...withdrawal) => requestStops(recordings, ...withdrawal));
  const leaves = createLeafTable();
  const recordings: RecordingTables = createRecordingTables(events, consents, now);
  const log = memoryLog(events, now, leaves);
  const isEventHeld = (tenant: string, patient: string | undefined, target: string | undefined): boolean =>
    isHeld(recordings, tenant, patient === undefined ? undefined : identities.reveal(tenant, patient), target);
  const isPatientHeld = (tenant: string, patient: string): boolean =>
    isHeld(recordings, tenant, patient, undefined) ||
    [...recordings.entries.values()].some(
      (entry) => entry.tenant === tenant && entry.row.patient === patient && activeHolds(recordings, entry) > 0,
    );
  return {
    audit: memoryAudit(events),
    log,
    archive: memoryArchive({ leaves, events, now, isHeld: isEventHeld }),
    cursors: memoryCursors(log),
    reviews: memoryReviews(events, clock, identities),
    identities: memoryIdentities({ identities, events, now, isHeld: isEventHeld, isPatientHeld }),
    consents: consents.port,
    recordings: memoryRecordings(recordings),
    limits: memoryLimits({ ...options.limits, clock }),
    inspect: {
      countEvents: () => {
        let count = 0;
        for (const row of events.rows.values()) if (row.body !== undefined) count++;
        return count;
      },
      eventsFor: (id) => {
        const body = events.rows.get(id)?.body;
        return body === undefined ? [] : [body.slice()];
      },
      damage: events.damage,
      alterIdentity: identities.alter,
      keepErasable: (kinds) => {
        identities.kinds.clear();
        for (const kind of kinds) identities.kinds.add(kind);
      },
    },
  };
}
