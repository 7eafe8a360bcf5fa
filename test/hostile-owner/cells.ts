import type pg from 'pg';

/** One thing that a hostile owner does to one table. */
export interface Cell {
  readonly table: string;
  /** `insert`, `delete`, `update <column>`, `swap <column>`, or a name of its own. */
  readonly change: string;
  /** Statements; triggers are off. */
  readonly sql: string;
}

/** A table that holds evidence, and which two of its rows are played with. */
export interface EvidenceTable {
  /** Conditions over the table's columns: the row that is changed, and the one that it changes places with. */
  readonly one: string;
  readonly other: string;
  readonly insert: string;
  /** What a column is set to, where the type's own plausible value breaks a rule of the table. */
  readonly values?: Readonly<Record<string, string>>;
}

const eventAt = (place: string): string => `(SELECT event_id FROM medzen.audit_leaf WHERE leaf_index = ${place})`;
const chart = "patient LIKE 'erasable:%' AND action = 'chart.open'";

/** Every table that holds evidence. */
export const evidence: Readonly<Record<string, EvidenceTable>> = {
  audit_event: {
    one: "patient = 'vip' AND action = 'recording.view'",
    other: "tenant = 'clinic-b'",
    // Of somebody else, with the time and the form of a true one, past the queue.
    insert: `INSERT INTO medzen.audit_event (id, tenant, at, actor, patient, action, outcome, purpose, target_type, target_id, stray, written_at, body)
      SELECT n.id, e.tenant, e.at, 'scapegoat', e.patient, e.action, e.outcome, e.purpose, e.target_type, e.target_id, e.stray, e.written_at,
        convert_to(replace(replace(convert_from(e.body, 'UTF8'), 'snooper', 'scapegoat'), e.id::text, n.id::text), 'UTF8')
      FROM medzen.audit_event e, (SELECT overlay(id::text placing 'ffff' from 25)::uuid AS id FROM medzen.audit_event
        WHERE patient = 'vip' AND action = 'recording.view' LIMIT 1) n WHERE e.patient = 'vip' AND e.action = 'recording.view'`,
    values: {
      body: "convert_to(replace(convert_from(body, 'UTF8'), 'snooper', 'scapegoat'), 'UTF8')",
      outcome: "'denied'",
      id: 'gen_random_uuid()',
    },
  },
  audit_leaf: {
    one: 'leaf_index = 6',
    other: 'leaf_index = 7',
    insert: 'INSERT INTO medzen.audit_leaf SELECT 4000, event_id FROM medzen.audit_pending LIMIT 1',
    values: { leaf_index: '5000' },
  },
  audit_pending: {
    one: 'true',
    other: 'false',
    insert: 'INSERT INTO medzen.audit_pending (event_id, written_at) VALUES (gen_random_uuid(), medzen.now())',
  },
  audit_head: {
    one: 'true',
    other: 'false',
    insert: '',
    values: { root: "sha256('x')", singleton: 'true', size: '7' },
  },
  audit_tile: {
    one: 'level = 0 AND index = 0',
    other: 'false',
    insert: "INSERT INTO medzen.audit_tile VALUES (3, 9, sha256('x'))",
    values: { level: '5', index: '7' },
  },
  audit_checkpoint: {
    one: 'size = (SELECT min(size) FROM medzen.audit_checkpoint)',
    other: 'size = (SELECT max(size) FROM medzen.audit_checkpoint)',
    insert: "INSERT INTO medzen.audit_checkpoint VALUES (9999, sha256('x'), 'forged', medzen.now())",
    values: { size: '2' },
  },
  audit_cosignature: {
    one: 'true',
    other: 'false',
    insert: `INSERT INTO medzen.audit_cosignature SELECT size, 'forged.example', '\\x01020304', line, added_at FROM medzen.audit_cosignature`,
    values: { size: '1', key_id: "'\\x01020304'::bytea" },
  },
  audit_rows: {
    one: 'event_id = (SELECT min(event_id::text)::uuid FROM medzen.audit_rows)',
    other: 'event_id = (SELECT max(event_id::text)::uuid FROM medzen.audit_rows)',
    insert: `INSERT INTO medzen.audit_rows SELECT id, '{9}', '{vip}' FROM medzen.audit_event WHERE patient = 'p2' AND action = 'recording.view'`,
    values: { patients: "array_remove(patients, 'vip')", row_ids: "array_remove(row_ids, '1')" },
  },
  archive_manifest: {
    one: 'first_leaf = 0',
    other: 'first_leaf = 3',
    insert: `INSERT INTO medzen.archive_manifest
      SELECT 6, 9, '2010-01-01', ${eventAt('6')}, '2010-01-01', sha256(''), '2010-01-01', ${eventAt('4')}, medzen.now(), '9'`,
    values: { first_leaf: '1', end_leaf: '2' },
  },
  erasable_identity: {
    one: "value = 'snooper'",
    other: "value = 'scapegoat'",
    insert: `INSERT INTO medzen.erasable_identity SELECT tenant, 'erasable:v1:' || repeat('A', 43), kind, 'scapegoat', salt, made_at
      FROM medzen.erasable_identity WHERE value = 'snooper'`,
    values: { kind: "'ip'", salt: "sha256('x')", value: "'scapegoat'", pseudonym: "'erasable:v1:' || repeat('B', 43)" },
  },
  erasable_kind: {
    one: "kind = 'patient'",
    other: "kind = 'user'",
    insert: "INSERT INTO medzen.erasable_kind VALUES ('ip', medzen.now())",
    values: { kind: "'name'" },
  },
  review: {
    one: 'signed_at IS NOT NULL',
    other: 'signed_at IS NULL',
    insert: `INSERT INTO medzen.review SELECT tenant, repeat('a', 64), rule, event_id, leaf_index, at, 'scapegoat', patient, detail, queued_at
      FROM medzen.review WHERE signed_at IS NULL`,
    values: { id: "repeat('b', 64)", outcome: "'appropriate'", leaf_index: '5' },
  },
  tail_cursor: {
    one: "name = 'siem'",
    other: "name = 'review'",
    insert: "INSERT INTO medzen.tail_cursor VALUES ('stranger', 5, medzen.now())",
    values: { leaf_index: '0' },
  },
};

const byType: Readonly<Record<string, (column: string) => string>> = {
  text: () => "'forged'",
  uuid: () => 'gen_random_uuid()',
  'timestamp with time zone': (column) => `coalesce(${column}, medzen.now()) + interval '3 days'`,
  bigint: (column) => `${column} + 1`,
  integer: (column) => `${column} + 1`,
  boolean: (column) => `NOT ${column}`,
  bytea: (column) => `set_byte(${column}, 0, get_byte(${column}, 0) # 1)`,
  'text[]': (column) => `array_append(${column}, 'forged')`,
  jsonb: () => `'{"forged": true}'::jsonb`,
  xid8: () => "'5'::xid8",
};

/** All cells: of each evidence table an insert, a delete, an update and a swap of each column; and what is done to several at once. */
export async function cellsOf(owner: pg.Client): Promise<readonly Cell[]> {
  const { rows } = await owner.query<{
    table: string;
    column: string;
    type: string;
    computed: boolean;
    nullable: boolean;
  }>(`
    SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type, a.attgenerated <> '' AS computed, NOT a.attnotnull AS nullable
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'medzen'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname, a.attnum`);
  const cells: Cell[] = [];
  for (const [table, { one, other, insert, values = {} }] of Object.entries(evidence)) {
    const columns = rows.filter((row) => row.table === table);
    if (columns.length === 0) throw new Error(`There is no table ${table}`);
    if (insert !== '') cells.push({ table, change: 'insert', sql: insert });
    cells.push({ table, change: 'delete', sql: `DELETE FROM medzen.${table} WHERE ${one}` });
    for (const { column, type, computed } of columns) {
      if (computed) continue; // no statement sets it
      const value = values[column] ?? byType[type]?.(column);
      if (value === undefined) throw new Error(`Say what ${table}.${column} is set to`);
      if (await isSame(owner, `SELECT ${column}, ${value} FROM medzen.${table} WHERE ${one} LIMIT 1`)) continue;
      cells.push({
        table,
        change: `update ${column}`,
        sql: `UPDATE medzen.${table} SET ${column} = ${value} WHERE ${one}`,
      });
      if (other === 'false') continue; // one row only
      const both = `SELECT (SELECT ${column} FROM medzen.${table} WHERE ${one} LIMIT 1), (SELECT ${column} FROM medzen.${table} WHERE ${other} LIMIT 1)`;
      if (await isSame(owner, both)) continue; // a swap that changes nothing
      const all = columns.filter((each) => !each.computed).map((each) => each.column);
      const listed = all.join(', ');
      cells.push({
        table,
        change: `swap ${column}`,
        sql: `CREATE TEMP TABLE a ON COMMIT DROP AS SELECT ${listed} FROM medzen.${table} WHERE ${one} LIMIT 1;
          CREATE TEMP TABLE b ON COMMIT DROP AS SELECT ${listed} FROM medzen.${table} WHERE ${other} LIMIT 1;
          DELETE FROM medzen.${table} WHERE ${one}; DELETE FROM medzen.${table} WHERE ${other};
          INSERT INTO medzen.${table} (${listed}) SELECT ${all.map((each) => (each === column ? `b.${each}` : `a.${each}`)).join(', ')} FROM a, b;
          INSERT INTO medzen.${table} (${listed}) SELECT ${all.map((each) => (each === column ? `a.${each}` : `b.${each}`)).join(', ')} FROM a, b`,
      });
    }
  }
  return [...cells, ...several];
}

/** Whether the two values of a query are one. */
async function isSame(owner: pg.Client, sql: string): Promise<boolean> {
  const { rows } = await owner.query({ text: `SELECT a IS NOT DISTINCT FROM b AS same FROM (${sql}) x (a, b)` });
  if (rows.length === 0) throw new Error(`No such row: ${sql}`);
  return rows[0]?.same === true;
}

/** What takes more than one statement, and hides more than one thing. */
const several: readonly Cell[] = [
  {
    table: 'audit_event, archive_manifest',
    change: 'delete young events and note a purge by any event',
    sql: `DELETE FROM medzen.audit_event WHERE id IN (SELECT event_id FROM medzen.audit_leaf WHERE leaf_index IN (8, 9));
      INSERT INTO medzen.archive_manifest SELECT 8, 10, '2010-01-01', ${eventAt('8')}, '2010-01-01', sha256(''), '2010-01-01', ${eventAt('0')}, medzen.now(), '9'`,
  },
  {
    table: 'audit_event, archive_manifest',
    change: 'delete young events and widen a true purge over them',
    sql: `DELETE FROM medzen.audit_event WHERE id IN (SELECT event_id FROM medzen.audit_leaf WHERE leaf_index IN (5, 6, 7));
      UPDATE medzen.archive_manifest SET end_leaf = 8 WHERE first_leaf = 0`,
  },
  {
    table: 'audit_event, audit_leaf',
    change: 'delete an event with its leaf',
    sql: 'DELETE FROM medzen.audit_event WHERE id = (SELECT event_id FROM medzen.audit_leaf WHERE leaf_index = 8); DELETE FROM medzen.audit_leaf WHERE leaf_index = 8',
  },
  {
    table: 'audit_event',
    change: 'take the actor out of the body',
    sql: `UPDATE medzen.audit_event SET body = convert_to((convert_from(body, 'UTF8')::jsonb - 'actor')::text, 'UTF8') WHERE patient = 'vip' AND action = 'recording.view'`,
  },
  {
    table: 'audit_event',
    change: 'delete the event of a purge',
    sql: "DELETE FROM medzen.audit_event WHERE action = 'audit.purge'",
  },
  {
    table: 'audit_event',
    change: 'delete the event of an erasure',
    sql: "DELETE FROM medzen.audit_event WHERE action = 'identity.erase'",
  },
  {
    table: 'erasable_identity',
    change: 'delete all identities',
    sql: 'DELETE FROM medzen.erasable_identity',
  },
  {
    table: 'erasable_identity',
    change: 'put an erased identity back',
    sql: `INSERT INTO medzen.erasable_identity SELECT tenant, target_id, 'patient', 'gone', sha256('x'), at FROM medzen.audit_event
      WHERE action = 'identity.erase' AND outcome = 'success'`,
  },
  {
    table: 'audit_event, audit_rows',
    change: 'take a patient out of a bulk write and out of its event',
    sql: `UPDATE medzen.audit_rows SET patients = array_remove(patients, 'vip');
      UPDATE medzen.audit_event e SET body = convert_to(regexp_replace(convert_from(e.body, 'UTF8'), '"rowsHash":"[0-9a-f]+"',
        '"rowsHash":"' || medzen.rows_hash(r.row_ids, r.patients) || '"'), 'UTF8') FROM medzen.audit_rows r WHERE r.event_id = e.id`,
  },
  {
    table: 'audit_event, audit_pending',
    change: 'remove an event that waits for its leaf',
    sql: 'DELETE FROM medzen.audit_event WHERE id IN (SELECT event_id FROM medzen.audit_pending); DELETE FROM medzen.audit_pending',
  },
  {
    table: 'audit_event',
    change: 'rewrite an event that waits for its leaf',
    sql: `UPDATE medzen.audit_event SET body = convert_to(replace(convert_from(body, 'UTF8'), 'chart.print', 'chart.close'), 'UTF8'), action = 'chart.close'
      WHERE action = 'chart.print'`,
  },
  {
    table: 'everything',
    change: 'cut the log back to an earlier checkpoint',
    sql: `UPDATE medzen.audit_head h SET size = c.size, root = c.root, checkpoint = c.checkpoint
        FROM (SELECT * FROM medzen.audit_checkpoint WHERE size >= 9 ORDER BY size LIMIT 1) c;
      DELETE FROM medzen.audit_event WHERE id IN (SELECT event_id FROM medzen.audit_leaf WHERE leaf_index >= (SELECT size FROM medzen.audit_head));
      DELETE FROM medzen.audit_leaf WHERE leaf_index >= (SELECT size FROM medzen.audit_head);
      DELETE FROM medzen.audit_checkpoint WHERE size > (SELECT size FROM medzen.audit_head)`,
  },
  {
    table: 'functions',
    change: 'replace is_filed, so that no event is misfiled',
    sql: `CREATE OR REPLACE FUNCTION medzen.is_filed(p_event medzen.audit_event) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true';
      UPDATE medzen.audit_event SET patient = 'p7' WHERE ${chart}`,
  },
  {
    table: 'functions',
    change: 'replace rows_state, so that all rows are sound',
    sql: `CREATE OR REPLACE FUNCTION medzen.rows_state(p_event_id uuid, p_body bytea) RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text';
      UPDATE medzen.audit_rows SET patients = array_remove(patients, 'vip')`,
  },
  {
    table: 'functions',
    change: 'replace is_proved, so that every identity is',
    sql: `CREATE OR REPLACE FUNCTION medzen.is_proved(i medzen.erasable_identity) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
      UPDATE medzen.erasable_identity SET value = 'scapegoat' WHERE value = 'snooper'`,
  },
  {
    table: 'functions',
    change: 'replace read_leaves, so that it shows what was',
    sql: `CREATE OR REPLACE FUNCTION medzen.read_strays(p_after text, p_limit int) RETURNS jsonb LANGUAGE sql AS 'SELECT ''{"strays":[]}''::jsonb'`,
  },
  {
    table: 'triggers',
    change: 'disable those that refuse changes',
    sql: 'ALTER TABLE medzen.audit_rows DISABLE TRIGGER USER',
  },
  {
    table: 'triggers',
    change: 'drop one of a partition',
    sql: 'DROP TRIGGER refuse_change ON medzen.audit_event_default',
  },
  {
    table: 'policies',
    change: 'switch row security off',
    sql: 'ALTER TABLE medzen.audit_event DISABLE ROW LEVEL SECURITY',
  },
];
