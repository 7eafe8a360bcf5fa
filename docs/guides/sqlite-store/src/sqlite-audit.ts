import type { DatabaseSync } from 'node:sqlite';
import {
  type AccessSummary,
  type AuditPage,
  type AuditQuery,
  type AuditStore,
  equalBytes,
  MedzenError,
  openSealedEvent,
  readAuditSearch,
  type Scope,
  type SealedEvent,
  type SummaryQuery,
} from '@medzen/core';
import { asMedzenError, inTransaction } from './in-transaction.ts';

/**
 * Writes events in the transaction that is open: this is what makes a change and its event one.
 *
 * @throws MedzenError `invalid_input` for what is no event of the tenant, `audit_conflict` for a taken id
 */
export function insertEvents(db: DatabaseSync, scope: Scope, events: readonly SealedEvent[]): void {
  const insert = db.prepare(`
    INSERT INTO audit_event (id, tenant, at_ms, actor, action, outcome, purpose, patient, target_type, target_id, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`);
  const stored = db.prepare('SELECT body FROM audit_event WHERE id = ?');
  for (const sealed of events) {
    const { at, actor, action, outcome, purpose = null, patient = null, target } = openSealedEvent(scope, sealed);
    const { id, body } = sealed;
    const { changes } = insert.run(
      ...[id, scope.tenant, Date.parse(at), shown(actor.id), action, outcome, shown(purpose), shown(patient)],
      ...[shown(target?.type), shown(target?.id), body],
    );
    if (changes !== 0) continue;
    // A retry is no error, and no second row; another body under the id is one, whoever's it is.
    if (!equalBytes(bytes(stored.get(id)?.body), body))
      throw new MedzenError('audit_conflict', 'An audit event with this id and other content exists');
  }
}

/** The port `AuditStore`. */
export function sqliteAudit(db: DatabaseSync): AuditStore {
  return {
    append: async (scope, events, { durability = 'joined' } = {}) => {
      if (events.length < 1 || events.length > 1000)
        throw new MedzenError('invalid_input', 'append takes 1 to 1000 events per call');
      const inside = asMedzenError(() => db.isTransaction);
      if (inside && durability === 'independent')
        throw new MedzenError('wire_busy', 'The only connection is in a transaction of the host');
      inTransaction(db, () => insertEvents(db, scope, events));
      return { status: inside ? 'pending-commit' : 'durable' };
    },
    search: async (scope, query) => asMedzenError(() => search(db, scope, query)),
    summarize: async (scope, query) => asMedzenError(() => summarize(db, scope, query)),
  };
}

function search(db: DatabaseSync, scope: Scope, query: AuditQuery): AuditPage {
  const { limit, before, patient, actor, actions, outcomes, purposes, targetType, targetId, from, to } =
    readAuditSearch(scope, query); // refuses what every store refuses
  const wanted: readonly (readonly [column: string, values: readonly string[] | undefined])[] = [
    ['tenant', [scope.tenant]],
    ['patient', patient === undefined ? undefined : [patient]],
    ['actor', actor === undefined ? undefined : [actor]],
    ['action', actions],
    ['outcome', outcomes],
    ['purpose', purposes],
    ['target_type', targetType === undefined ? undefined : [targetType]],
    ['target_id', targetId === undefined ? undefined : [targetId]],
  ];
  const given: readonly { readonly condition: string; readonly value: string | number }[] = [
    ...wanted.flatMap(([column, values]) =>
      values === undefined
        ? []
        : [{ condition: `${column} IN (SELECT value FROM json_each(?))`, value: JSON.stringify(values) }],
    ),
    ...(before === undefined ? [] : [{ condition: 'id < ?', value: before }]),
    ...(from === undefined ? [] : [{ condition: 'at_ms >= ?', value: from.getTime() }]),
    ...(to === undefined ? [] : [{ condition: 'at_ms < ?', value: to.getTime() }]),
  ];
  const rows = db
    .prepare(
      `SELECT id, body FROM audit_event WHERE ${given.map(({ condition }) => condition).join(' AND ')}
       ORDER BY id DESC LIMIT ?`,
    )
    .all(...given.map(({ value }) => value), limit + 1); // one more tells whether there is another page
  const events = rows.slice(0, limit).map(({ id, body }) => ({ id: String(id), body: bytes(body) }));
  const last = events.at(-1);
  return rows.length > limit && last !== undefined ? { events, cursor: `${scope.tenant}:${last.id}` } : { events };
}

function summarize(db: DatabaseSync, scope: Scope, { from, to, limit = 10_000 }: SummaryQuery): AccessSummary {
  if (!Number.isInteger(limit) || limit < 1 || limit > 100_000)
    throw new MedzenError('invalid_input', 'limit must be an integer from 1 to 100,000', { pointers: ['/limit'] });
  const rows = db
    .prepare(
      `SELECT strftime('%Y-%m', at_ms / 1000, 'unixepoch') AS month, actor, sum(outcome = 'success') AS accesses,
         count(DISTINCT CASE WHEN outcome = 'success' THEN patient END) AS patients,
         count(DISTINCT CASE WHEN outcome = 'success' THEN target_type END) AS types,
         json_group_array(DISTINCT CASE WHEN outcome = 'success' THEN target_type END) AS tables, sum(outcome <> 'success') AS refused
       FROM audit_event WHERE tenant = ? AND patient IS NOT NULL AND at_ms >= ? AND at_ms < ?
       GROUP BY 1, 2 ORDER BY 1 DESC, 3 DESC, 2 LIMIT ?`,
    )
    .all(scope.tenant, instant(from, '/from') ?? 0, instant(to, '/to') ?? 0, limit + 1);
  const lines = rows.slice(0, limit).map(({ month, actor, accesses, patients, types, tables, refused }) => ({
    month: String(month),
    actor: String(actor),
    accesses: Number(accesses),
    patients: Number(patients),
    targetTypes: Number(types),
    tables: namesIn(tables),
    refused: Number(refused),
  }));
  return { lines, more: rows.length > limit };
}

function instant(date: Date | undefined, pointer: string): number | undefined {
  const ms = date?.getTime();
  if (Number.isNaN(ms))
    throw new MedzenError('invalid_input', 'from and to must be valid Dates', { pointers: [pointer] });
  return ms;
}

/** Text as a column holds it: without NUL. */
function shown(text: string | null | undefined): string | null {
  return text?.replaceAll('\0', '\ufffd') ?? null;
}

function bytes(cell: unknown): Uint8Array {
  return cell instanceof Uint8Array ? cell : new Uint8Array();
}

/** The names among a JSON array of names and nulls. */
function namesIn(cell: unknown): readonly string[] {
  const names: unknown = JSON.parse(String(cell));
  return Array.isArray(names)
    ? names
        .filter((name) => typeof name === 'string')
        .toSorted()
        .slice(0, 100)
    : [];
}
