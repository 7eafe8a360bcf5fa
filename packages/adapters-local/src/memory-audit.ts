import {
  type AccessSummary,
  type AppendResult,
  type AuditEvent,
  type AuditPage,
  type AuditQuery,
  type AuditStore,
  equalBytes,
  MedzenError,
  openSealedEvent,
  type Scope,
  type SealedEvent,
  type SummaryQuery,
} from '@medzen/core';
import { summarizeAccess } from './summarize-access.ts';

/** One stored event, with the members that searches look at. */
interface EventRow {
  readonly tenant: string;
  readonly id: string;
  readonly event: AuditEvent;
  /** When the store took it, in milliseconds. */
  readonly writtenAt: number;
  /** Changes only by {@link EventTable.damage}. */
  body: Uint8Array | undefined;
}

/** The events of all tenants. */
export interface EventTable {
  readonly rows: ReadonlyMap<string, EventRow>;
  /** Committed events without a leaf, in the order in which they are to become leaves. */
  readonly pending: Map<string, EventRow>;
  /**
   * Checks everything that can go wrong with an append and touches nothing.
   *
   * @returns the append itself, which cannot fail and answers how many of the events are new
   * @throws MedzenError `audit_conflict`, `invalid_input`
   */
  plan(scope: Scope, events: readonly SealedEvent[]): () => number;
  search(scope: Scope, query: AuditQuery): AuditPage;
  summarize(scope: Scope, query: SummaryQuery): AccessSummary;
  damage(id: string, body: Uint8Array | undefined): void;
}

/** @param now - milliseconds of the store's clock */
export function createEventTable(now: () => number): EventTable {
  const rows = new Map<string, EventRow>();
  const pending = new Map<string, EventRow>();
  const byTenant = new Map<string, EventRow[]>();

  const insert = (row: EventRow): void => {
    rows.set(row.id, row);
    pending.set(row.id, row);
    const list = byTenant.get(row.tenant) ?? [];
    byTenant.set(row.tenant, list);
    // Ids grow with time, so the place is nearly always the end.
    let place = list.length;
    for (let before = list[place - 1]; before !== undefined && before.id > row.id; before = list[place - 1]) place--;
    list.splice(place, 0, row);
  };

  return {
    rows,
    pending,
    plan: (scope, events) => {
      if (events.length < 1 || events.length > 1000)
        throw new MedzenError('invalid_input', 'An append takes 1 to 1000 events');
      const writtenAt = now();
      const fresh = new Map<string, EventRow>();
      for (const { id, body } of events) {
        const known = rows.get(id) ?? fresh.get(id);
        if (known !== undefined) {
          if (known.body !== undefined && equalBytes(known.body, body)) continue;
          throw new MedzenError('audit_conflict', 'An audit event with this id and other content exists');
        }
        const event = openSealedEvent(scope, { id, body });
        fresh.set(id, { tenant: scope.tenant, id, event, writtenAt, body: body.slice() });
      }
      const inOrder = [...fresh.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
      return () => {
        for (const row of inOrder) insert(row);
        return inOrder.length;
      };
    },
    search: (scope, query) => search(byTenant.get(scope.tenant) ?? [], scope, query),
    summarize: (scope, query) => {
      const events = (byTenant.get(scope.tenant) ?? []).filter(({ body }) => body !== undefined);
      return summarizeAccess(
        events.map(({ event }) => event),
        query,
      );
    },
    damage: (id, body) => {
      const row = rows.get(id);
      if (row !== undefined) row.body = body;
    },
  };
}

const cursorPattern = /^([a-z0-9_-]+):([0-9a-f-]{36})$/;

function search(list: readonly EventRow[], scope: Scope, query: AuditQuery): AuditPage {
  const limit = query.limit ?? 100;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new MedzenError('invalid_input', 'A page holds 1 to 1000 events', { pointers: ['/limit'] });
  for (const [pointer, date] of [['/from', query.from] as const, ['/to', query.to] as const])
    if (date !== undefined && Number.isNaN(date.getTime()))
      throw new MedzenError('invalid_input', 'Not a date', { pointers: [pointer] });
  let before: string | undefined;
  if (query.cursor !== undefined) {
    const [, tenant, id] = cursorPattern.exec(query.cursor) ?? [];
    if (tenant !== scope.tenant || id === undefined)
      throw new MedzenError('invalid_input', 'Not a cursor of this search', { pointers: ['/cursor'] });
    before = id;
  }
  const found: EventRow[] = [];
  for (let i = list.length - 1; i >= 0 && found.length <= limit; i--) {
    const row = list[i];
    if (row?.body === undefined || (before !== undefined && row.id >= before)) continue;
    if (matches(row.event, query)) found.push(row);
  }
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    events: page.map(({ id, body }) => ({ id, body: body?.slice() ?? new Uint8Array() })),
    ...(found.length > limit && last !== undefined ? { cursor: `${scope.tenant}:${last.id}` } : {}),
  };
}

function matches(event: AuditEvent, query: AuditQuery): boolean {
  return (
    (query.patient === undefined || event.patient === query.patient) &&
    (query.actor === undefined || event.actor.id === query.actor) &&
    (query.action === undefined || event.action === query.action) &&
    (query.outcome === undefined || event.outcome === query.outcome) &&
    (query.purpose === undefined || event.purpose === query.purpose) &&
    (query.targetType === undefined || event.target?.type === query.targetType) &&
    (query.targetId === undefined || event.target?.id === query.targetId) &&
    (query.from === undefined || Date.parse(event.at) >= query.from.getTime()) &&
    (query.to === undefined || Date.parse(event.at) < query.to.getTime())
  );
}

/** The port over the table. Memory has no host transactions: every append is durable for as long as the process lives. */
export function memoryAudit(table: EventTable): AuditStore {
  return {
    append: async (scope, events): Promise<AppendResult> => {
      table.plan(scope, events)();
      return { status: 'durable' };
    },
    search: async (scope, query) => table.search(scope, query),
    summarize: async (scope, query) => table.summarize(scope, query),
  };
}
