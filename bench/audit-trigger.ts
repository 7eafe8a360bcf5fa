import pg from 'pg';
import { installSql } from '../packages/sql/src/index.ts';
import { startPostgres } from '../test/start-postgres.ts';
import { type Bench, interleave, median, spread } from './row.ts';

const rows = 10_000;
const rounds = 9;

/** Notes as hosts keep them, about 420 bytes each, of a thousand patients. */
const notes = `
  CREATE TABLE source AS
    SELECT gen_random_uuid() AS id, md5('p' || g % 1000)::uuid AS patient_id, md5('a' || g % 40)::uuid AS author_id, g AS encounter_id,
      'progress' AS kind, 'draft' AS status, repeat(md5(g::text), 10) AS body, false AS signed, now() AS created_at, now() AS updated_at
    FROM generate_series(1, ${rows}) g`;
const table = (name: string): string => `
  CREATE TABLE ${name} (LIKE source);
  ALTER TABLE ${name} ADD PRIMARY KEY (id);
  CREATE INDEX ON ${name} (patient_id)`;

/** The peer, as generic audit triggers are written: a row of jsonb for each row that changed, with old and new values. */
const rowTrigger = `
  CREATE TABLE row_log (at timestamptz, who text, relation oid, id text, was jsonb, is_now jsonb);
  CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO row_log
    SELECT clock_timestamp(), session_user, TG_RELID, NEW.id, jsonb_object_agg(o.key, o.value), jsonb_object_agg(n.key, n.value)
    FROM jsonb_each(to_jsonb(OLD)) o JOIN jsonb_each(to_jsonb(NEW)) n USING (key) WHERE o.value IS DISTINCT FROM n.value;
    RETURN NULL;
  END $$;
  CREATE TRIGGER log_row AFTER UPDATE ON by_row FOR EACH ROW EXECUTE FUNCTION log_row()`;

/** The limit: a statement trigger that does nothing with the rows that Postgres hands it. */
const idleTrigger = `
  CREATE FUNCTION idle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
  CREATE TRIGGER idle AFTER UPDATE ON idle REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows EXECUTE FUNCTION idle()`;

/**
 * One statement that changes a column of all rows, durable, with one event for the statement. Beside it: a trigger of the usual kind, which
 * writes a row for each row, an event for each patient, no trigger at all, and, as the limit, a statement
 * trigger that does nothing.
 */
export const bench: Bench = {
  id: 'audit-trigger',
  run: async () => {
    const server = await startPostgres({ durable: true, settings: ['max_wal_size=8GB', 'autovacuum=off'] });
    const pool = new pg.Pool({ connectionString: server.url, max: 1 });
    pool.on('error', () => undefined); // the server stops last
    try {
      await installSql(pool);
      await pool.query(notes);
      for (const name of ['bare', 'idle', 'by_row', 'by_patient', 'by_statement']) await pool.query(table(name));
      await pool.query(`${rowTrigger}; ${idleTrigger};
        SELECT medzen.audit_table('by_patient', 'patient_id');
        SELECT medzen.audit_table('by_statement', 'patient_id', 'statement')`);
      const milliseconds = async (name: string): Promise<number> => {
        // From the same pages each time: what an update costs depends on where the one before has left room.
        await pool.query(`SET session_replication_role = replica; TRUNCATE ${name}; INSERT INTO ${name} SELECT * FROM source;
          RESET session_replication_role`);
        await pool.query(`VACUUM ANALYZE ${name}`);
        const start = process.hrtime.bigint();
        await pool.query(`UPDATE ${name} SET status = 'signed'`);
        return Number(process.hrtime.bigint() - start) / 1e6;
      };
      const figures = await interleave(
        {
          bare: () => milliseconds('bare'),
          limit: () => milliseconds('idle'),
          ours: () => milliseconds('by_statement'),
          patients: () => milliseconds('by_patient'),
          row: () => milliseconds('by_row'),
        },
        rounds,
      );
      const { ours = [], limit = [], bare = [], patients = [], row = [] } = figures;
      const times = (of: readonly number[]): string => (median(of) / median(bare)).toFixed(2);
      console.log(
        `× no trigger: ${times(ours)} by statement, ${times(patients)} by patient (1000), ${times(row)} by row`,
      );
      return {
        id: 'audit-trigger',
        unit: 'ms, an update of 10 000 rows, durable',
        better: 'lower',
        ours: median(ours),
        peers: { 'a row trigger that compares jsonb': median(row) },
        limit: median(limit),
        spread: spread(ours),
      };
    } finally {
      await pool.end();
      await server.stop();
    }
  },
};
