import {
  type AccessRequest,
  firstLookMs,
  isBeyondRecall,
  type KeepUntil,
  type LegalHold,
  MedzenError,
  type PostponedQueue,
  type Recording,
  type RecordingState,
  type RetentionFact,
  recordingTransitions,
  type Scope,
  type SealedEvent,
} from '@medzen/core';
import type { EventTable } from '../memory-audit.ts';
import type { ConsentTable } from '../memory-consents.ts';
import { copyOf } from './copy-of.ts';

/** A recording as memory keeps it. Holds, access requests and what was removed are counted when it is read, `deletableAt` is computed. */
export type StoredRow = Omit<Recording, 'holds' | 'accessRequests' | 'deletableAt'>;

/** State of a worker's claim on a row. */
export interface Work {
  readonly purpose: 'stop' | 'transfer' | 'deletion';
  /** Token of the open claim; absent when the claim was ended or given back. */
  readonly token?: string;
  readonly attempts: number;
  /** Milliseconds; no other claim before it, by id or not. */
  readonly leaseUntil: number;
  /** Milliseconds; not offered before it unless asked for by id. */
  readonly offerAt: number;
}

/** A question to the provider that is due, or being asked. */
interface Look {
  readonly token?: string;
  /** Since the last move. */
  readonly attempts: number;
  /** Milliseconds; also the end of the lease. */
  readonly after: number;
}

/** One recording and what belongs to it alone. */
export interface Entry {
  readonly tenant: string;
  row: StoredRow;
  work?: Work;
  readonly dedupeKeys: Set<string>;
  /** When the provider is to be asked about it, and by whom it is being asked. Absent: not before it has moved. */
  look?: Look;
  /** Versions that the present deletion asked the object store to remove, with their sizes. */
  readonly removed: Map<string, number>;
  /** Queues that leave the row alone for now: until when, in milliseconds of the callers' clock. */
  readonly postponed: Map<PostponedQueue, { readonly attempts: number; readonly until: number }>;
  /** When the present deadline was warned of: milliseconds of the store's clock. */
  warnedAt?: number;
}

/** Everything that the methods of the recording store share. */
export interface RecordingTables {
  readonly entries: Map<string, Entry>;
  readonly facts: Map<string, { readonly facts: RetentionFact[]; revision: number }>;
  readonly factIds: Map<string, RetentionFact>;
  readonly holds: Map<string, LegalHold>;
  readonly accessRequests: Map<string, AccessRequest>;
  readonly events: EventTable;
  readonly consents: ConsentTable;
  /** Milliseconds of the store's clock. */
  readonly now: () => number;
  /** The greatest fencing token given. */
  token: bigint;
}

export function createRecordingTables(events: EventTable, consents: ConsentTable, now: () => number): RecordingTables {
  return {
    entries: new Map(),
    facts: new Map(),
    factIds: new Map(),
    holds: new Map(),
    accessRequests: new Map(),
    events,
    consents,
    now,
    token: 0n,
  };
}

/** The key of a tenant's own id; a tenant's name has no colon. */
export function keyOf(scope: Scope, id: string): string {
  return `${scope.tenant}:${id}`;
}

export function entryOf(tables: RecordingTables, scope: Scope, id: string): Entry | undefined {
  return tables.entries.get(keyOf(scope, id));
}

/** The entries of a tenant that fit, all when nothing is asked of them, in the order given. */
export function entriesOf(
  tables: RecordingTables,
  scope: Scope,
  compare: (a: Entry, b: Entry) => number,
  fits: (entry: Entry) => boolean = () => true,
): Entry[] {
  const mine: Entry[] = [];
  for (const entry of tables.entries.values()) if (entry.tenant === scope.tenant && fits(entry)) mine.push(entry);
  return mine.sort(compare);
}

/** Holds on a recording and on its patient, released ones too. */
export function holdsOn(tables: RecordingTables, entry: Entry): LegalHold[] {
  const found: LegalHold[] = [];
  for (const [key, hold] of tables.holds) {
    if (!key.startsWith(`${entry.tenant}:`)) continue;
    const hit =
      'patient' in hold.target ? hold.target.patient === entry.row.patient : hold.target.recordingId === entry.row.id;
    if (hit) found.push(hold);
  }
  return found;
}

/** True when a hold in force is on this patient, or on the recording of this id. */
export function isHeld(
  tables: RecordingTables,
  tenant: string,
  patient: string | undefined,
  recordingId: string | undefined,
): boolean {
  for (const [key, { target, releasedAt }] of tables.holds) {
    if (!key.startsWith(`${tenant}:`) || releasedAt !== undefined) continue;
    if ('patient' in target ? target.patient === patient : target.recordingId === recordingId) return true;
  }
  return false;
}

export function activeHolds(tables: RecordingTables, entry: Entry): number {
  return holdsOn(tables, entry).filter((hold) => hold.releasedAt === undefined).length;
}

/** Access requests on a recording and on its patient, closed ones too. */
export function requestsOn(tables: RecordingTables, entry: Entry): AccessRequest[] {
  const found: AccessRequest[] = [];
  for (const [key, request] of tables.accessRequests) {
    if (!key.startsWith(`${entry.tenant}:`)) continue;
    const { target } = request;
    if ('patient' in target ? target.patient === entry.row.patient : target.recordingId === entry.row.id)
      found.push(request);
  }
  return found;
}

export function openRequests(tables: RecordingTables, entry: Entry): number {
  return requestsOn(tables, entry).filter(({ closed }) => closed === undefined).length;
}

/** Ids of a patient's recordings that are being deleted and can no longer be kept, in order. */
export function beyondRecallOf(tables: RecordingTables, scope: Scope, patient: string): string[] {
  return entriesOf(tables, scope, (a, b) => (a.row.id < b.row.id ? -1 : 1))
    .filter(({ row }) => row.patient === patient && row.state === 'deleting')
    .map((entry) => view(tables, entry))
    .filter(isBeyondRecall)
    .slice(0, 1000)
    .map(({ id }) => id);
}

/** A copy that the caller may keep. */
export function view(tables: RecordingTables, entry: Entry): Recording {
  const at = deletableAt(entry);
  const row = copyOf(entry.row);
  const { deletion } = row;
  let bytes = 0;
  for (const size of entry.removed.values()) bytes += size;
  return {
    ...row,
    ...(deletion === undefined ? {} : { deletion: { ...deletion, versions: entry.removed.size, bytes } }),
    ...(at === undefined ? {} : { deletableAt: at }),
    holds: activeHolds(tables, entry),
    accessRequests: openRequests(tables, entry),
  };
}

/** The end of the grace, or of the notice, when people were warned late; undefined until they were. */
export function deletableAt({ row, warnedAt: at }: Entry): string | undefined {
  const { graceUntil, warnAt } = row.decision ?? {};
  if (graceUntil === undefined || at === undefined) return undefined;
  const end = Date.parse(graceUntil);
  const notice = warnAt === undefined ? 0 : end - Date.parse(warnAt);
  return new Date(Math.max(end, at + notice)).toISOString();
}

/** @throws MedzenError `invalid_input` for a floor more than 100 years after the store's clock, or one without a reason */
export function checkKeep(tables: RecordingTables, { until, reason }: KeepUntil): void {
  const latest = new Date(tables.now());
  latest.setUTCFullYear(latest.getUTCFullYear() + 100);
  if (!(Date.parse(until) <= latest.getTime()) || reason.length < 1 || reason.length > 2048)
    throw new MedzenError(
      'invalid_input',
      'keepUntil.until must be at most 100 years from now and have a reason; to keep longer, extend it later',
      { pointers: ['/keepUntil'] },
    );
}

/** True when the recording has reached its own floor. */
export function mayEnd({ row }: Entry, now: Date): boolean {
  return row.keepUntil === undefined || Date.parse(row.keepUntil.until) <= now.getTime();
}

export function mayFollow(from: RecordingState, to: RecordingState): boolean {
  return recordingTransitions[from].includes(to);
}

/**
 * Writes a change and its event, or neither. Everything that can fail fails before the first write.
 *
 * @throws MedzenError what an append throws for the event
 */
export function commit(
  tables: RecordingTables,
  entry: Entry,
  event: SealedEvent,
  change: Partial<StoredRow>,
  drop: readonly (keyof StoredRow)[] = [],
): void {
  const next: StoredRow = copyOf({ ...entry.row, ...change, revision: entry.row.revision + 1 });
  for (const member of drop) Reflect.deleteProperty(next, member);
  tables.events.plan({ tenant: entry.tenant }, [event])();
  const moved = next.state !== entry.row.state;
  entry.row = next;
  if (moved) askLater(tables, entry);
}

/** Sets when a row that has moved is asked about. An answer to a question under way is about the earlier state. */
export function askLater(tables: RecordingTables, entry: Entry): void {
  const { state, media, object } = entry.row;
  const ms = state === 'failed' && (media ?? object) !== undefined ? undefined : firstLookMs[state];
  if (ms === undefined) delete entry.look;
  else entry.look = { attempts: 0, after: tables.now() + ms };
}

export function revisionOf(tables: RecordingTables, scope: Scope, patient: string): number {
  return tables.facts.get(keyOf(scope, patient))?.revision ?? 0;
}

/** True when the stored decision used these rules and the present facts. */
export function decisionIsFresh(tables: RecordingTables, entry: Entry, rulesVersion: string): boolean {
  const { decision, patient } = entry.row;
  return (
    decision !== undefined &&
    decision.rulesVersion === rulesVersion &&
    decision.factsRevision === revisionOf(tables, { tenant: entry.tenant }, patient)
  );
}
