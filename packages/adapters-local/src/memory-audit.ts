import {
  type AccessSummary,
  type AppendResult,
  type AuditEvent,
  type AuditPage,
  type AuditQuery,
  type AuditSearch,
  type AuditStore,
  canonicalize,
  type ErasableKind,
  equalBytes,
  MedzenError,
  maxEventBytes,
  openEvent,
  openSealedEvent,
  readAuditSearch,
  revealIdentities,
  type Scope,
  type SealedEvent,
  type SummaryQuery,
} from '@medzen/core';
import type { IdentityTable } from './memory-identities.ts';
import { summarizeAccess } from './summarize-access.ts';

/** One stored event, with the members that searches look at. */
interface EventRow {
  readonly tenant: string;
  readonly id: string;
  /** As it is stored: with pseudonyms. */
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
export function createEventTable(now: () => number, identities: IdentityTable): EventTable {
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

  /** A retry brings the event as it was sealed; what is stored of it has pseudonyms. */
  const wasMadeOf = ({ tenant, event, body: stored }: EventRow, body: Uint8Array): boolean => {
    if (stored === undefined || !equalBytes(stored, encoder.encode(canonicalize(event)))) return false;
    try {
      return identities.isSame(tenant, event, openEvent(body));
    } catch {
      return false; // no event
    }
  };

  return {
    rows,
    pending,
    plan: (scope, events) => {
      if (events.length < 1 || events.length > 1000)
        throw new MedzenError('invalid_input', 'append takes 1 to 1000 events per call');
      const writtenAt = now();
      const fresh = new Map<string, EventRow>();
      const given = new Map<string, Uint8Array>();
      const draft = identities.begin(scope.tenant);
      for (const { id, body } of events) {
        const twice = given.get(id);
        if (twice !== undefined && equalBytes(twice, body)) continue;
        const known = rows.get(id);
        if (known !== undefined || twice !== undefined) {
          if (known?.body !== undefined && (equalBytes(known.body, body) || wasMadeOf(known, body))) continue;
          throw new MedzenError('audit_conflict', 'An audit event with this id and other content exists');
        }
        const sealed = openSealedEvent(scope, { id, body });
        const erasable = identities.kinds.size > 0 || identities.byPseudonym.size > 0;
        const event = erasable ? draft.pseudonymize(sealed) : sealed;
        const stored = erasable ? encoder.encode(canonicalize(event)) : body.slice();
        if (stored.length > maxEventBytes)
          throw new MedzenError('invalid_input', 'An audit event with its pseudonyms is too large');
        given.set(id, body);
        fresh.set(id, { tenant: scope.tenant, id, event, writtenAt, body: stored });
      }
      const inOrder = [...fresh.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
      return () => {
        draft.commit();
        for (const row of inOrder) insert(row);
        return inOrder.length;
      };
    },
    search: (scope, query) => search(byTenant.get(scope.tenant) ?? [], scope, query, identities),
    summarize: (scope, query) => {
      const events = (byTenant.get(scope.tenant) ?? []).filter(({ body }) => body !== undefined);
      return summarizeAccess(
        events.map(({ tenant, event }) => revealIdentities(event, identities.revealed(tenant, event))),
        query,
      );
    },
    damage: (id, body) => {
      const row = rows.get(id);
      if (row !== undefined) row.body = body;
    },
  };
}

const encoder = new TextEncoder();

function search(
  list: readonly EventRow[],
  scope: Scope,
  query: AuditQuery,
  { keysOf, revealed, unproved }: IdentityTable,
): AuditPage {
  const search = readAuditSearch(scope, query);
  const { limit, before } = search;
  const keys = (value: string | undefined, ...kinds: ErasableKind[]): ReadonlySet<string> | undefined =>
    value === undefined ? undefined : new Set(kinds.flatMap((kind) => keysOf(scope.tenant, kind, value)));
  const sought = {
    patient: keys(search.patient, 'patient'),
    actor: keys(search.actor, 'user'),
    target: keys(search.targetId, 'patient', 'user'),
  };
  const found: EventRow[] = [];
  for (let i = list.length - 1; i >= 0 && found.length <= limit; i--) {
    const row = list[i];
    if (row?.body === undefined || (before !== undefined && row.id >= before)) continue;
    if (matches(row.event, search, sought)) found.push(row);
  }
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const named = Object.assign({}, ...page.map(({ tenant, event }) => revealed(tenant, event)));
  const doubtful = new Set(page.flatMap(({ tenant, event }) => unproved(tenant, event)));
  return {
    events: page.map(({ id, body }) => ({ id, body: body?.slice() ?? new Uint8Array() })),
    ...(Object.keys(named).length > 0 ? { identities: named } : {}),
    ...(doubtful.size > 0 && { unproved: [...doubtful] }),
    ...(found.length > limit && last !== undefined ? { cursor: `${scope.tenant}:${last.id}` } : {}),
  };
}

function matches(
  event: AuditEvent,
  search: AuditSearch,
  sought: { readonly [member in 'patient' | 'actor' | 'target']: ReadonlySet<string> | undefined },
): boolean {
  const { actions, outcomes, purposes, targetType, from, to } = search;
  const isOneOf = (values: { has(value: string): boolean } | undefined, value: string | undefined): boolean =>
    values === undefined || (value !== undefined && values.has(shown(value)));
  const listed = (values: readonly string[] | undefined) =>
    values && { has: (value: string) => values.includes(value) };
  return (
    isOneOf(sought.patient, event.patient) &&
    isOneOf(sought.actor, event.actor.id) &&
    isOneOf(listed(actions), event.action) &&
    isOneOf(listed(outcomes), event.outcome) &&
    isOneOf(listed(purposes), event.purpose) &&
    isOneOf(listed(targetType === undefined ? undefined : [targetType]), event.target?.type) &&
    isOneOf(sought.target, event.target?.id) &&
    (from === undefined || Date.parse(event.at) >= from.getTime()) &&
    (to === undefined || Date.parse(event.at) < to.getTime())
  );
}

/** As a database shows a text, which can hold anything but a NUL. */
function shown(text: string): string {
  return text.replaceAll('\0', '\ufffd');
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
