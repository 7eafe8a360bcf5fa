import {
  type AccessSummary,
  type AppendOptions,
  type AppendResult,
  type AuditPage,
  type AuditQuery,
  type AuditSearch,
  type AuditStore,
  MedzenError,
  readAuditSearch,
  type Scope,
  type SealedEvent,
  type SummaryQuery,
  type Wire,
  type WireValue,
} from '@medzen/core';
import { bytesIn, integerIn, textIn } from '../row.ts';
import { identitiesIn } from './identities.ts';

/** The audit log's writing and searching side, over `append_events` and `search_events`. */
export function auditStore(wire: Wire): AuditStore {
  return {
    async append(scope: Scope, events: readonly SealedEvent[], options: AppendOptions = {}): Promise<AppendResult> {
      const through = options.durability === 'independent' ? wire.root : wire;
      const before = through.inTransaction;
      await through.call('append_events', {
        tenant: scope.tenant,
        ids: events.map(({ id }) => id),
        bodies: linesOf(events),
      });
      // A transaction may have begun while the call waited its turn, or ended since: durable is what was outside throughout.
      return { status: before || through.inTransaction ? 'pending-commit' : 'durable' };
    },

    async search(scope: Scope, query: AuditQuery): Promise<AuditPage> {
      const asked = readAuditSearch(scope, query);
      const { limit } = asked;
      // One more than asked for tells whether there is a next page.
      const rows = await wire.call('search_events', {
        tenant: scope.tenant,
        limit: limit + 1,
        ...restrictions(asked),
      });
      const shown = rows.slice(0, limit);
      const events = shown.map((row) => ({ id: textIn(row, 'id'), body: bytesIn(row, 'body') }));
      const doubtful = shown.filter((row) => typeof row.rows === 'string').map((row) => textIn(row, 'id'));
      const last = events.at(-1);
      return {
        events,
        ...identitiesIn(scope.tenant, shown),
        ...(doubtful.length > 0 && { doubtful }),
        ...(rows.length > limit && last !== undefined ? { cursor: `${scope.tenant}:${last.id}` } : {}),
      };
    },

    async summarize(scope: Scope, query: SummaryQuery): Promise<AccessSummary> {
      const limit = query.limit ?? 10_000;
      if (!Number.isInteger(limit) || limit < 1 || limit > 100_000)
        throw new MedzenError('invalid_input', 'limit must be an integer from 1 to 100,000', { pointers: ['/limit'] });
      const rows = await wire.call('summarize_access', {
        tenant: scope.tenant,
        from: instantOf(query.from, '/from') ?? null,
        to: instantOf(query.to, '/to') ?? null,
        limit: limit + 1,
      });
      const lines = rows.slice(0, limit).map((row) => ({
        month: textIn(row, 'month'),
        actor: textIn(row, 'actor'),
        accesses: integerIn(row, 'accesses'),
        patients: integerIn(row, 'patients'),
        targetTypes: integerIn(row, 'target_types'),
        tables: namesIn(textIn(row, 'tables')),
        refused: integerIn(row, 'refused'),
      }));
      return { lines, more: rows.length > limit };
    },
  };
}

/** The bodies, joined by line feeds: canonical JSON never contains one, and text needs no escaping on any wire. */
function linesOf(events: readonly SealedEvent[]): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return events.map(({ body }) => decoder.decode(body)).join('\n');
  } catch (cause) {
    throw new MedzenError('invalid_input', 'The line is not an audit event (one JSON object)', { cause });
  }
}

function restrictions(search: AuditSearch): Record<string, WireValue> {
  const { before, patient, actor, actions, outcomes, purposes, targetType, targetId, from, to } = search;
  const given = {
    ...{ before, patient, actor, actions, outcomes, purposes },
    target_type: targetType,
    target_id: targetId,
    from: from?.toISOString(),
    to: to?.toISOString(),
  };
  const args: Record<string, WireValue> = {};
  for (const [name, value] of Object.entries(given)) if (value !== undefined) args[name] = value;
  return args;
}

function instantOf(date: Date | undefined, pointer: string): string | undefined {
  if (date !== undefined && Number.isNaN(date.getTime()))
    throw new MedzenError('invalid_input', 'from and to must be valid Dates', { pointers: [pointer] });
  return date?.toISOString();
}

function namesIn(json: string): readonly string[] {
  const names: unknown = JSON.parse(json);
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw new MedzenError('internal', 'A summary lists no names of tables');
}
