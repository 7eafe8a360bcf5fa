import {
  isLive,
  isPlayable,
  MedzenError,
  type NewRecording,
  type Recording,
  type RecordingChange,
  type RecordingQuery,
  type RecordingStore,
  type Scope,
} from '@medzen/core';
import { copyOf } from './copy-of.ts';
import {
  activeHolds,
  askLater,
  checkKeep,
  commit,
  type Entry,
  entriesOf,
  entryOf,
  keyOf,
  mayFollow,
  openRequests,
  type RecordingTables,
  type StoredRow,
  view,
} from './table.ts';

/** First values of a deletion that no rule decided. */
const unstored = {
  from: 'failed',
  basis: 'nothing_stored',
  ruleIds: [],
  citations: [],
  versions: 0,
  bytes: 0,
} as const;

type Lifecycle = Pick<RecordingStore, 'start' | 'get' | 'findByProviderRef' | 'list' | 'change' | 'noteAccess'>;

/** From the first row to the last access. */
export function lifecycle(tables: RecordingTables): Lifecycle {
  return {
    start: async (scope, row, consentOf, event) => {
      if (row.keepUntil !== undefined) checkKeep(tables, row.keepUntil);
      const taken = entryOf(tables, scope, row.id) ?? running(tables, scope, row);
      if (taken !== undefined) return { status: 'already_recording', recording: view(tables, taken) };
      const latest = tables.consents.latest(scope, row.sessionId);
      const missing = consentOf.filter((participant) => {
        const consent = latest.get(participant);
        return consent?.decision !== 'given' || !Object.values(consent.acknowledgements).every(Boolean);
      });
      if (missing.length > 0) return { status: 'consent_required', missing };
      const stored: StoredRow = copyOf({
        ...row,
        state: 'starting',
        stateAt: row.startedAt,
        views: 0,
        downloads: 0,
        revision: 1,
      });
      tables.events.plan(scope, [event])();
      const entry: Entry = {
        tenant: scope.tenant,
        row: stored,
        dedupeKeys: new Set(),
        removed: new Map(),
        postponed: new Map(),
      };
      askLater(tables, entry);
      tables.entries.set(keyOf(scope, row.id), entry);
      return { status: 'started', recording: view(tables, entry) };
    },

    get: async (scope, id) => {
      const entry = entryOf(tables, scope, id);
      return entry === undefined ? undefined : view(tables, entry);
    },

    findByProviderRef: async (scope, provider, providerRef) => {
      const [entry] = entriesOf(
        tables,
        scope,
        newestFirst,
        ({ row }) => row.provider === provider && row.providerRef === providerRef,
      );
      return entry === undefined ? undefined : view(tables, entry);
    },

    list: async (scope, query) => list(tables, scope, query),

    change: async (scope, id, change, event) => {
      if ((change.to === 'deleting') !== (change.deletion !== undefined))
        throw new MedzenError('invalid_input', 'deletion must be given with to: deleting, and only then');
      if (change.capturedAt !== undefined && Date.parse(change.capturedAt) > tables.now())
        throw new MedzenError('invalid_input', "capturedAt must not be later than the store's clock");
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      const refused = refusal(tables, entry, change);
      if (refused !== undefined) return { status: refused, recording: view(tables, entry) };
      const { expectedRevision: _, to, at, token, dedupeKey, failure, deletion, ...members } = change;
      const next: Partial<StoredRow> = {
        ...members,
        ...(to === undefined ? {} : { state: to, stateAt: at }),
        ...(to === 'deleting' && deletion !== undefined
          ? { deletion: { ...unstored, startedAt: at, startedBy: deletion.by, reason: deletion.reason } }
          : {}),
        ...(failure === undefined || failure === null ? {} : { failure }),
      };
      const dropped: ('failure' | 'decision')[] = failure === null ? ['failure'] : [];
      if (change.capturedAt !== undefined) dropped.push('decision');
      commit(tables, entry, event, next, dropped);
      if (change.capturedAt !== undefined) delete entry.warnedAt;
      if (token !== undefined || to !== undefined) delete entry.work;
      if (to !== undefined) entry.postponed.delete('archive');
      if (failure === null) entry.postponed.delete('discard');
      if (dedupeKey !== undefined) entry.dedupeKeys.add(dedupeKey);
      return { status: 'changed', recording: view(tables, entry) };
    },

    noteAccess: async (scope, id, kind, event) => {
      const entry = entryOf(tables, scope, id);
      if (entry === undefined) return { status: 'not_found' };
      if (!isPlayable(view(tables, entry))) return { status: 'not_available', recording: view(tables, entry) };
      const added = tables.events.plan(scope, [event])();
      // Not a change of revision: that somebody watches must not make a worker's change fail.
      const counter = kind === 'view' ? 'views' : 'downloads';
      entry.row = { ...entry.row, [counter]: entry.row[counter] + added };
      return { status: 'noted', recording: view(tables, entry) };
    },
  };
}

function running(
  tables: RecordingTables,
  scope: Scope,
  row: Pick<NewRecording, 'sessionId' | 'provider' | 'providerRef'>,
  except?: Entry,
): Entry | undefined {
  const [live] = entriesOf(
    tables,
    scope,
    newestFirst,
    (entry) =>
      entry !== except &&
      isLive(entry.row) &&
      (entry.row.sessionId === row.sessionId ||
        (entry.row.provider === row.provider && entry.row.providerRef === row.providerRef)),
  );
  return live;
}

function refusal(
  tables: RecordingTables,
  entry: Entry,
  change: RecordingChange,
): 'repeated' | 'lease_lost' | 'conflict' | 'invalid_transition' | undefined {
  const { row } = entry;
  if (change.dedupeKey !== undefined && entry.dedupeKeys.has(change.dedupeKey)) return 'repeated';
  if (change.token !== undefined && entry.work?.token !== change.token) return 'lease_lost';
  if (change.expectedRevision !== row.revision) return 'conflict';
  if (row.state === 'deleted') return 'invalid_transition';
  if (change.capturedAt !== undefined && (row.object !== undefined || row.state === 'deleting'))
    return 'invalid_transition';
  if (change.to === undefined) return undefined;
  const kept = activeHolds(tables, entry) > 0 || openRequests(tables, entry) > 0;
  const closed =
    change.to === 'deleted' ||
    row.state === 'deleting' ||
    (change.to === 'recording' && running(tables, { tenant: entry.tenant }, row, entry) !== undefined) ||
    (change.to === 'deleting' && (row.state !== 'failed' || (change.object ?? row.object) !== undefined || kept));
  return closed || !mayFollow(row.state, change.to) ? 'invalid_transition' : undefined;
}

function newestFirst(a: Entry, b: Entry): number {
  return place(a.row) < place(b.row) ? 1 : -1;
}

/** Position of a recording in a listing. */
function place(row: StoredRow): string {
  return `${row.startedAt}/${row.id}`;
}

function list(
  tables: RecordingTables,
  scope: Scope,
  query: RecordingQuery,
): { recordings: Recording[]; cursor?: string } {
  const limit = query.limit ?? 50;
  if (!Number.isInteger(limit) || limit < 1 || limit > 200)
    throw new MedzenError('invalid_input', 'limit must be 1 to 200', { pointers: ['/limit'] });
  const before = query.cursor === undefined ? undefined : readCursor(scope, query.cursor);
  const found = entriesOf(
    tables,
    scope,
    newestFirst,
    ({ row }) =>
      (before === undefined || place(row) < before) &&
      (query.sessionId === undefined || row.sessionId === query.sessionId) &&
      (query.patient === undefined || row.patient === query.patient) &&
      (query.state === undefined || row.state === query.state) &&
      (query.failureCode === undefined || row.failure?.code === query.failureCode) &&
      (query.participant === undefined || row.participants.some(({ id }) => id === query.participant)),
  );
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    recordings: page.map((entry) => view(tables, entry)),
    ...(found.length > limit && last !== undefined ? { cursor: `${scope.tenant}:${place(last.row)}` } : {}),
  };
}

function readCursor(scope: Scope, cursor: string): string {
  const [tenant, ...rest] = cursor.split(':');
  if (tenant !== scope.tenant || !/^\d{4}-.*Z\/[0-9a-f-]{36}$/.test(rest.join(':')))
    throw new MedzenError('invalid_input', 'cursor must come from an earlier page of this list', {
      pointers: ['/cursor'],
    });
  return rest.join(':');
}
