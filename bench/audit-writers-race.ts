import pg from 'pg';
import type { AuditStore, SealedEvent } from '../packages/core/src/index.ts';
import { installSql, pgWire, sqlStores } from '../packages/sql/src/index.ts';
import { startPostgres } from '../test/start-postgres.ts';
import { sampleEvents } from './audit-log.ts';
import { type BenchRow, interleave, median, spread } from './row.ts';

const writers = 16;
const each = 100;
const rounds = 5;

/**
 * What hosts write who want a tamper-evident table: each row holds the hash of the one before, so one writer waits for the other, and for
 * the disk. `chain` cannot be searched by anything; `record` has the columns that an audit log is searched by, each with its index.
 */
const chains = `
  CREATE TABLE chain (n bigserial PRIMARY KEY, id uuid NOT NULL UNIQUE, body bytea NOT NULL, hash bytea NOT NULL);
  CREATE FUNCTION append_to_chain(p_id uuid, p_body bytea) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_advisory_xact_lock(1);
    INSERT INTO chain (id, body, hash)
    VALUES (p_id, p_body, sha256(coalesce((SELECT c.hash FROM chain c ORDER BY c.n DESC LIMIT 1), '') || p_body));
  END $$;

  CREATE TABLE record (
    n bigserial PRIMARY KEY, id uuid NOT NULL UNIQUE, tenant text NOT NULL, at timestamptz NOT NULL, actor text NOT NULL, patient text,
    action text NOT NULL, outcome text NOT NULL, target text, body bytea NOT NULL, hash bytea NOT NULL);
  CREATE INDEX ON record (tenant, n);
  CREATE INDEX ON record (patient, n) WHERE patient IS NOT NULL;
  CREATE INDEX ON record (actor, n);
  CREATE INDEX ON record (action, n);
  CREATE INDEX ON record (target, n) WHERE target IS NOT NULL;
  CREATE FUNCTION append_to_record(p_id uuid, p_body bytea) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    e jsonb := convert_from(p_body, 'UTF8');
  BEGIN
    PERFORM pg_advisory_xact_lock(2);
    INSERT INTO record (id, tenant, at, actor, patient, action, outcome, target, body, hash)
    VALUES (p_id, e ->> 'tenant', (e ->> 'at')::timestamptz, e #>> '{actor,id}', e ->> 'patient', e ->> 'action', e ->> 'outcome',
      e #>> '{target,id}', p_body, sha256(coalesce((SELECT r.hash FROM record r ORDER BY r.n DESC LIMIT 1), '') || p_body));
  END $$`;

/**
 * Sixteen writers, each of which waits until its event is durable before it writes the next, beside hash chains, over as many connections.
 *
 * @param of - the store to write to
 */
export async function raceWriters(id: string, unit: string, of: (audit: AuditStore) => AuditStore): Promise<BenchRow> {
  const server = await startPostgres({ durable: true });
  const pool = new pg.Pool({ connectionString: server.url, max: writers });
  pool.on('error', () => undefined); // the server stops last
  try {
    await installSql(pool);
    await pool.query(chains);
    const audit = of(sqlStores(pgWire(pool)).audit);
    const events = [...sampleEvents(writers * each * (rounds + 1) * 3)];
    const perSecond = async (write: (event: SealedEvent) => Promise<unknown>): Promise<number> => {
      const parts = Array.from({ length: writers }, () => events.splice(0, each));
      const start = process.hrtime.bigint();
      await Promise.all(
        parts.map(async (part) => {
          for (const event of part) await write(event);
        }),
      );
      return (writers * each * 1e9) / Number(process.hrtime.bigint() - start);
    };
    const chained = (call: string): (() => Promise<number>) => {
      return () => perSecond(({ id: event, body }) => pool.query(`SELECT ${call}($1, $2)`, [event, Buffer.from(body)]));
    };
    const figures = await interleave(
      {
        ours: () => perSecond((event) => audit.append({ tenant: 'default' }, [event], { durability: 'independent' })),
        chain: chained('append_to_chain'),
        record: chained('append_to_record'),
      },
      rounds,
    );
    const ours = figures.ours ?? [];
    return {
      id,
      unit,
      better: 'higher',
      ours: median(ours),
      peers: {
        'a hash chain under an advisory lock': median(figures.chain ?? []),
        'one that can be searched': median(figures.record ?? []),
      },
      spread: spread(ours),
    };
  } finally {
    await pool.end();
    await server.stop();
  }
}
