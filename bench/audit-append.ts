import pg from 'pg';
import type { SealedEvent } from '../packages/core/src/index.ts';
import { installSql, pgWire, sqlStores } from '../packages/sql/src/index.ts';
import { startPostgres } from '../test/start-postgres.ts';
import { sampleEvents } from './audit-log.ts';
import { type Bench, interleave, median, spread } from './row.ts';

const batch = 500;
const batches = 20;
const rounds = 7;

/**
 * The limit: the same rows by one statement with one jsonb parameter, into a table of the same columns, partition and indexes, and nothing else
 * done: no check of an event, no queue for the sequencer, no refusal of an id with other content.
 */
const bare = `
  CREATE TABLE bare (LIKE medzen.audit_event INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS)
    PARTITION BY RANGE (id);
  ALTER TABLE bare ADD PRIMARY KEY (id);
  CREATE TABLE bare_all PARTITION OF bare DEFAULT;
  CREATE INDEX ON bare (tenant, id);
  CREATE INDEX ON bare (patient, id) WHERE patient IS NOT NULL;
  CREATE INDEX ON bare (actor, id);
  CREATE INDEX ON bare (action, id);
  CREATE INDEX ON bare (target_id, id) WHERE target_id IS NOT NULL;
  CREATE INDEX ON bare (outcome, id) WHERE outcome <> 'success';
  CREATE INDEX ON bare (purpose, id) WHERE purpose IN ('BTG', 'ETREAT');
  CREATE INDEX ON bare (tenant, id) WHERE stray`;

const insert = `
  INSERT INTO bare (id, tenant, at, actor, patient, action, outcome, purpose, target_type, target_id, stray, written_at, body)
  SELECT (e ->> 'id')::uuid, e ->> 'tenant', (e ->> 'at')::timestamptz, e #>> '{actor,id}', e ->> 'patient', e ->> 'action',
    e ->> 'outcome', e ->> 'purpose', e #>> '{target,type}', e #>> '{target,id}', false, now(), convert_to(e::text, 'UTF8')
  FROM jsonb_array_elements($1::jsonb) e`;

/** Appending in batches of 500 over the pg wire, each durable before the next. */
export const bench: Bench = {
  id: 'audit-append',
  run: async () => {
    const server = await startPostgres({ durable: true });
    const pool = new pg.Pool({ connectionString: server.url, max: 1 });
    pool.on('error', () => undefined); // the server stops last
    try {
      await installSql(pool);
      await pool.query(bare);
      const { audit } = sqlStores(pgWire(pool));
      const events = [...sampleEvents(batch * batches * (rounds + 1) * 2)];
      const perSecond = async (write: (part: SealedEvent[]) => Promise<unknown>): Promise<number> => {
        const parts = Array.from({ length: batches }, () => events.splice(0, batch));
        const start = process.hrtime.bigint();
        for (const part of parts) await write(part);
        return (batch * batches * 1e9) / Number(process.hrtime.bigint() - start);
      };
      const figures = await interleave(
        {
          ours: () => perSecond((part) => audit.append({ tenant: 'default' }, part)),
          limit: () =>
            perSecond((part) =>
              pool.query(insert, [`[${part.map(({ body }) => new TextDecoder().decode(body)).join(',')}]`]),
            ),
        },
        rounds,
      );
      const ours = figures.ours ?? [];
      return {
        id: 'audit-append',
        unit: 'events per second, 500 an insert, durable',
        better: 'higher',
        ours: median(ours),
        peers: {},
        limit: median(figures.limit ?? []),
        spread: spread(ours),
      };
    } finally {
      await pool.end();
      await server.stop();
    }
  },
};
