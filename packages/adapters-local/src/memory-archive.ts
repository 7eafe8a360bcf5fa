import {
  type ArchiveRow,
  type ArchiveStore,
  type AuditEvent,
  equalBytes,
  type LeafSpan,
  MedzenError,
  openSealedEvent,
  type PurgeOrder,
  toHex,
} from '@medzen/core';
import type { EventTable } from './memory-audit.ts';

/** The leaves of the log, and which of them the archive holds. */
export interface LeafTable {
  /** Event ids in leaf order. */
  readonly ids: string[];
  /** Ranges of the archive, one after the other. */
  readonly archives: ArchiveRow[];
  /** Whether a leaf's event was purged, by a purge whose own event has a leaf behind it. */
  isPurged(index: number): boolean;
}

/** An empty one. */
export function createLeafTable(): LeafTable {
  const archives: ArchiveRow[] = [];
  const ids: string[] = [];
  return {
    ids,
    archives,
    isPurged: (index) =>
      archives.some(
        ({ first, end, status, purgeEventId }) =>
          status === 'purged' && index >= first && index < end && ids.indexOf(purgeEventId ?? '', end) >= 0,
      ),
  };
}

/** What {@link memoryArchive} works on. */
export interface MemoryArchiveDeps {
  readonly leaves: LeafTable;
  readonly events: EventTable;
  /** Milliseconds of the store's clock. */
  readonly now: () => number;
  /** Whether a legal hold stands on an event of this tenant, by its patient or by what it is about. */
  readonly isHeld: (tenant: string, patient: string | undefined, target: string | undefined) => boolean;
}

/** The archive's side of the log in memory. */
export function memoryArchive({ leaves, events, now, isHeld }: MemoryArchiveDeps): ArchiveStore {
  const { ids, archives } = leaves;
  const eventAt = (index: number): NonNullable<ReturnType<EventTable['rows']['get']>> => {
    const row = events.rows.get(ids[index] ?? '');
    if (row?.body === undefined)
      throw new MedzenError('checkpoint_inconsistent', 'An event of this range of the log is missing');
    return row;
  };
  const spanOf = ({ first, end }: LeafSpan): number =>
    archives.findIndex((row) => row.first === first && row.end === end);
  const copy = (row: ArchiveRow): ArchiveRow => structuredClone(row);

  return {
    begin: async (maxLeaves) => {
      if (!Number.isInteger(maxLeaves) || maxLeaves < 1 || maxLeaves > 1_000_000)
        throw new MedzenError('invalid_input', 'A range of the archive holds 1 to 1 000 000 leaves');
      const last = archives.at(-1);
      if (last?.status === 'begun') return copy(last);
      const first = last?.end ?? 0;
      if (first >= ids.length) return undefined;
      const month = monthAfter(eventAt(first).writtenAt);
      if (month > startOfMonth(now())) return undefined;
      let [end, newest] = [first, 0];
      for (; end < Math.min(ids.length, first + maxLeaves); end++) {
        const { writtenAt, event } = eventAt(end);
        if (writtenAt >= month) break;
        newest = Math.max(newest, writtenAt, Date.parse(event.at));
      }
      const row: ArchiveRow = { first, end, status: 'begun', newestAt: new Date(newest).toISOString() };
      archives.push(row);
      return copy(row);
    },

    finish: async (span, manifestSha256) => {
      if (manifestSha256.length !== 32) throw new MedzenError('invalid_input', 'A SHA-256 has 32 bytes');
      const place = spanOf(span);
      const row = archives[place];
      if (row === undefined) return { status: 'conflict' };
      if (row.manifestSha256 !== undefined)
        return { status: equalBytes(row.manifestSha256, manifestSha256) ? 'repeated' : 'conflict' };
      archives[place] = { ...row, status: 'archived', manifestSha256: manifestSha256.slice() };
      return { status: 'archived' };
    },

    list: async (from, limit) => {
      if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
        throw new MedzenError('invalid_input', 'Ranges of the archive are read 1 to 1000 at a time');
      return archives
        .filter(({ first }) => first >= from)
        .slice(0, limit)
        .map(copy);
    },

    purge: async (scope, order, event) => {
      const { first, end, years, manifestSha256 } = order;
      if (!Number.isInteger(years) || years < 6 || years > 100)
        throw new MedzenError('invalid_input', 'Audit events are kept for 6 to 100 years');
      const place = spanOf(order);
      const row = archives[place];
      if (row?.manifestSha256 === undefined || toHex(row.manifestSha256) !== toHex(manifestSha256))
        return { status: 'not_archived' };
      if (row.status === 'purged') return { status: 'repeated' };
      const until = new Date(row.newestAt);
      until.setUTCFullYear(until.getUTCFullYear() + years); // 29 February becomes 1 March
      if (until.getTime() > now()) return { status: 'too_young' };
      // What stays must prove the range's age: the event behind it is at most a month short of its years.
      const next = ids.slice(end).map((id) => events.rows.get(id));
      const after = next.find((one) => one?.body !== undefined && one.event.action !== 'audit.purge');
      if (after !== undefined && keptUntil(Date.parse(after.event.at), years) > now() + 31 * dayMs)
        return { status: 'too_young' };
      const rows = Array.from({ length: end - first }, (_, at) => events.rows.get(ids[first + at] ?? ''));
      if (rows.some((one) => one?.body !== undefined && isHeld(one.tenant, one.event.patient, one.event.target?.id)))
        return { status: 'held' };
      if (!recordsPurge(openSealedEvent(scope, event), order))
        throw new MedzenError(
          'invalid_input',
          'The event must record this purge: action audit.purge, its range as target, and range, years and manifest in detail',
        );
      for (let index = first; index < end; index++) eventAt(index); // nothing may be missing already
      events.plan(scope, [event])();
      for (const id of ids.slice(first, end))
        if (!explaining.has(events.rows.get(id)?.event.action ?? '')) events.damage(id, undefined);
      archives[place] = { ...row, status: 'purged', purgeEventId: event.id };
      return { status: 'purged' };
    },
  };
}

const dayMs = 86_400_000;

/** Events that explain why others, or identities, are gone: they stay. */
const explaining: ReadonlySet<string> = new Set(['audit.purge', 'audit.rebase', 'identity.erase']);

function recordsPurge({ action, kind, outcome, target, detail }: AuditEvent, order: PurgeOrder): boolean {
  const { first, end, years, manifestSha256 } = order;
  return (
    [action, kind, outcome, target?.type, target?.id].join() ===
      `audit.purge,delete,success,audit_archive,${first}-${end}` &&
    [detail?.first, detail?.end, detail?.years, detail?.manifestSha256].join() ===
      [first, end, years, toHex(manifestSha256)].join()
  );
}

function keptUntil(at: number, years: number): number {
  const until = new Date(at);
  until.setUTCFullYear(until.getUTCFullYear() + years);
  return until.getTime();
}

function startOfMonth(at: number): number {
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
}

/** The first instant of the next month. */
function monthAfter(at: number): number {
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}
