import pg from 'pg';
import type { SealedEvent } from '../packages/core/src/index.ts';
import { installSql, pgWire, sqlStores } from '../packages/sql/src/index.ts';
import { startPostgres } from '../test/start-postgres.ts';
import { sampleEvents } from './audit-log.ts';
import { type Bench, interleave, median, spread } from './row.ts';

const writers = 16;
const each = 100;
const rounds = 5;

/** What hosts write who want a tamper-evident table: each row holds the hash of the one before, so one writer waits for the other. */
const chain = `
  CREATE TABLE chain (n bigserial PRIMARY KEY, id uuid NOT NULL UNIQUE, body bytea NOT NULL, hash bytea NOT NULL);
  CREATE FUNCTION append_to_chain(p_id uuid, p_body bytea) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_advisory_xact_lock(1);
    INSERT INTO chain (id, body, hash)
    VALUES (p_id, p_body, sha256(coalesce((SELECT c.hash FROM chain c ORDER BY c.n DESC LIMIT 1), '') || p_body));
  END $$`;

/** Sixteen writers, one event a call, each durable before the next. */
export const bench: Bench = {
  id: 'audit-writers',
  run: async () => {
    const server = await startPostgres({ durable: true });
    const pool = new pg.Pool({ connectionString: server.url, max: writers });
    pool.on('error', () => undefined); // the server stops last
    try {
      await installSql(pool);
      await pool.query(chain);
      const { audit } = sqlStores(pgWire(pool));
      const events = [...sampleEvents(writers * each * (rounds + 1) * 2)];
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
      const figures = await interleave(
        {
          ours: () => perSecond((event) => audit.append({ tenant: 'default' }, [event])),
          chained: () =>
            perSecond(({ id, body }) => pool.query('SELECT append_to_chain($1, $2)', [id, Buffer.from(body)])),
        },
        rounds,
      );
      const ours = figures.ours ?? [];
      return {
        id: 'audit-writers',
        unit: 'events per second, 16 writers, durable',
        better: 'higher',
        ours: median(ours),
        peers: { 'a hash chain under an advisory lock': median(figures.chained ?? []) },
        spread: spread(ours),
      };
    } finally {
      await pool.end();
      await server.stop();
    }
  },
};
