import { type AuditQuery, type AuditStore, isMedzenError, openEvent, type SealedEvent } from '@medzen/core';
import type { BrokenStore } from '../broken-store.ts';
import { createSamples } from '../samples.ts';
import type { AuditStoreContext } from '../store-context.ts';

type Fault = (good: AuditStore, context: AuditStoreContext) => Partial<AuditStore>;

function broken(id: string, title: string, mustFail: string, fault: Fault): BrokenStore<AuditStoreContext> {
  return {
    id: `audit.${id}`,
    title,
    mustFail: `audit.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.audit;
      return { ...context, stores: { ...context.stores, audit: { ...good, ...fault(good, context) } } };
    },
  };
}

/** Audit stores that must fail `auditStoreCases`. */
export const brokenAuditStores: readonly BrokenStore<AuditStoreContext>[] = [
  broken('drops_one', 'drops the last event of a call', 'append.many', (good) => ({
    append: (scope, events, options) => good.append(scope, events.length > 1 ? events.slice(0, -1) : events, options),
  })),

  broken('reorders_keys', 'stores the event with its keys in another order', 'append.verbatim', (good) => ({
    append: (scope, events, options) =>
      good.append(
        scope,
        events.map(({ id, body }) => {
          const entries = Object.entries(openEvent(body)).toReversed();
          return { id, body: new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries))) };
        }),
        options,
      ),
  })),

  broken('swallows_conflicts', 'says appended when another body is stored', 'append.conflict', (good) => ({
    append: async (scope, events, options) => {
      try {
        return await good.append(scope, events, options);
      } catch (error) {
        if (isMedzenError(error) && error.code === 'audit_conflict') return { status: 'durable' };
        throw error;
      }
    },
  })),

  broken('one_by_one', 'appends one event after the other', 'append.all_or_none', (good) => ({
    append: async (scope, events, options) => {
      if (events.length === 0) return good.append(scope, events, options);
      for (const event of events) await good.append(scope, [event], options);
      return { status: 'durable' };
    },
  })),

  broken('appends_retries', 'appends a retry under a new id', 'append.idempotent', (good, context) => ({
    append: async (scope, events, options) => {
      const fresh: SealedEvent[] = [];
      for (const event of events) {
        const stored = await context.reader.eventsFor(event.id);
        fresh.push(stored.length === 0 ? event : createSamples({ scope, clock: context.clock }).event());
      }
      return good.append(scope, fresh, options);
    },
  })),

  broken(
    'trusts_the_event',
    "stores under the event's own tenant",
    'append.tenant_mismatch',
    (good, { otherScope }) => ({
      append: async (scope, events, options) => {
        try {
          return await good.append(scope, events, options);
        } catch {
          return good.append(otherScope, events, options);
        }
      },
    }),
  ),

  broken('loses_the_tenant', 'searches all tenants', 'search.tenant', (good, { scope: one, otherScope }) => ({
    search: async (scope, query) => {
      const own = await good.search(scope, query);
      const other = await good.search(scope.tenant === one.tenant ? otherScope : one, query);
      return { ...own, events: [...own.events, ...other.events] };
    },
  })),

  broken('pages_by_offset', 'counts its pages from the newest', 'search.stable', (good) => ({
    search: async (scope, { cursor, limit = 100, ...query }) => {
      const from = Number(cursor ?? 0);
      const { events } = await good.search(scope, { ...query, limit: 1000 });
      const page = events.slice(from, from + limit);
      return { events: page, ...(events.length > from + limit ? { cursor: String(from + limit) } : {}) };
    },
  })),

  broken('cursor_on_last', 'gives a cursor on a full last page', 'search.pages', (good) => ({
    search: async (scope, { limit = 100, ...query }) => {
      const asked: AuditQuery = { ...query, limit };
      const page = await good.search(scope, asked);
      if (page.cursor !== undefined || page.events.length < limit || limit === 1) return page;
      const wider = await good.search(scope, { ...query, limit: 1 });
      return { ...page, ...(wider.cursor === undefined ? {} : { cursor: wider.cursor }) };
    },
  })),

  broken('oldest_first', 'lists the oldest first', 'search.newest_first', (good) => ({
    search: async (scope, query) => {
      const page = await good.search(scope, query);
      return { ...page, events: page.events.toReversed() };
    },
  })),

  broken('includes_the_end', 'includes `to`', 'search.time', (good) => ({
    search: (scope, query) =>
      good.search(scope, query.to === undefined ? query : { ...query, to: new Date(query.to.getTime() + 1) }),
  })),

  broken('forgets_a_member', 'does not look at the purpose', 'search.members', (good) => ({
    search: (scope, { purpose: _, ...query }) => good.search(scope, query),
  })),

  broken('looks_for_the_first', 'looks for the first of several values', 'search.several', (good) => ({
    search: (scope, { outcome, ...query }) => {
      const first = Array.isArray(outcome) ? outcome[0] : outcome;
      return good.search(scope, first === undefined ? query : { ...query, outcome: first });
    },
  })),

  broken('takes_empty_for_none', 'searches without a member that is empty', 'search.texts', (good) => ({
    search: (scope, { targetId, ...query }) =>
      good.search(scope, targetId === undefined || targetId === '' ? query : { ...query, targetId }),
  })),

  broken('counts_without_names', 'names no tables', 'summary.counts', (good) => ({
    summarize: async (scope, query) => {
      const summary = await good.summarize(scope, query);
      return { ...summary, lines: summary.lines.map((line) => ({ ...line, tables: [] })) };
    },
  })),

  broken('clamps_the_limit', 'takes any limit for one it knows', 'search.limit', (good) => ({
    search: (scope, { limit = 100, ...query }) =>
      good.search(scope, { ...query, limit: Math.min(1000, Math.max(1, Math.trunc(limit) || 1)) }),
  })),

  broken('starts_again', 'starts again at a cursor it does not know', 'search.foreign_cursor', (good) => ({
    search: async (scope, { cursor, ...query }) => {
      try {
        return await good.search(scope, cursor === undefined ? query : { ...query, cursor });
      } catch {
        return good.search(scope, query);
      }
    },
  })),
];
