import { join } from 'node:path';
import { createSequencer, createSigner, verifyLog } from '@medzen/audit';
import { createSamples } from '@medzen/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostProject, hostProject } from '../packages/sql/src/cli/host-project.fixture.ts';
import { installSql, pgWire, sqlStores } from '../packages/sql/src/index.ts';
import { migrations } from '../packages/sql/src/migrations.generated.ts';
import { auditStore } from '../packages/sql/src/stores/audit.ts';
import { consentStore } from '../packages/sql/src/stores/consents.ts';
import { rateLimitStore } from '../packages/sql/src/stores/limits.ts';
import { logStore } from '../packages/sql/src/stores/log.ts';
import { recordingStore } from '../packages/sql/src/stores/recordings.ts';
import { schemaText } from '../scripts/schema-text.ts';
import { type FreshDatabase, freshDatabase } from './postgres.ts';

/**
 * A database of each age, with data written through the functions that it had then, is brought to the present: by the installer, and by
 * the files that the command line writes. Nothing that was in it has changed, everything reads, the log verifies, and the schema is
 * that of a fresh install.
 */

const scope = { tenant: 'default' };
const signer = createSigner({ origin: 'example.org/upgrade', privateKey: new Uint8Array(32).fill(7) });
const ages = migrations.slice(1).map(({ id }) => id);

let fresh: string;
beforeAll(async () => {
  const db = await freshDatabase();
  fresh = await schemaText(db.pool);
  await db.drop();
});

const open: FreshDatabase[] = [];
afterAll(() => Promise.all(open.map((db) => db.drop())));

describe.each(ages)('a database as of %s', (age) => {
  // The files hold the same SQL; that they are the right ones shows at the oldest age and the youngest.
  const ways = [ages[0], ages.at(-2)].includes(age) ? (['installSql', 'files'] as const) : (['installSql'] as const);
  test.each(ways)('is brought to the present by %s', async (way) => {
    const db = await freshDatabase({ install: false });
    open.push(db);
    const host = hostProject();
    try {
      const old = migrations.filter(({ id }) => id <= age);
      const applied = writeTree(host, old);
      for (const path of applied) await db.pool.query(host.read(path));
      const written = await writeData(db, new Set(old.map(({ id }) => id)));
      const before = await rowsOf(db);

      if (way === 'installSql') {
        expect(await installSql(db.pool)).toEqual(migrations.filter(({ id }) => id > age).map(({ id }) => id));
      } else {
        expect(await host.run('add', '--target', 'supabase')).toBe(0);
        for (const path of host.files()) if (!applied.includes(path)) await db.pool.query(host.read(path));
        expect(await installSql(db.pool)).toEqual([]);
      }

      expect(await schemaText(db.pool)).toBe(fresh);
      expect(await rowsOf(db, before)).toEqual(before);
      await readData(db, written);
    } finally {
      host.remove();
      await db.drop();
    }
  });
});

/** The tree that an earlier version left behind. */
function writeTree(host: HostProject, old: typeof migrations): readonly string[] {
  return old.map(({ id, sql }, at) => {
    const path = join('supabase/migrations', `202601010000${String(at).padStart(2, '0')}_medzen_${id}.sql`);
    host.write(path, sql);
    return path;
  });
}

interface Written {
  readonly events: number;
  readonly recording?: string;
}

/** Whatever could be written at that age. */
async function writeData(db: FreshDatabase, has: ReadonlySet<string>): Promise<Written> {
  const wire = pgWire(db.pool); // no check of the ledger: the library is younger than the database
  const samples = createSamples({ scope });
  const sequencer = createSequencer({ memory: 'unguarded', store: logStore(wire), signer });
  let events = 0;
  const event = (): ReturnType<typeof samples.event> => {
    events++;
    return samples.event({ patient: 'p1' });
  };
  const recordings = recordingStore(wire);
  const row = samples.newRecording({ patient: 'p1' });
  await auditStore(wire).append(scope, [event(), event(), event()]);
  expect(await sequencer.tick()).toMatchObject({ status: 'committed', sequenced: 3 });
  if (has.has('000003_rate_limit'))
    await rateLimitStore(wire).consume(scope, [{ key: 'k', rate: 1, periodMs: 3_600_000, burst: 1, cost: 1 }]);
  if (has.has('000004_consent')) {
    for (const { id } of row.participants)
      await consentStore(wire).record(scope, samples.consent({ sessionId: row.sessionId, participant: id }), event());
  }
  if (has.has('000005_recording')) {
    expect(await recordings.start(scope, row, [], event())).toMatchObject({ status: 'started' });
  }
  if (has.has('000007_retention')) {
    const { revision } = await recordings.noteFact(scope, samples.fact({ patient: 'p1' }), event());
    const decision = samples.decision({ factsRevision: revision });
    expect(await recordings.saveDecision(scope, row.id, decision, samples.event())).toMatchObject({ status: 'saved' });
    expect(await recordings.recordWarning(scope, row.id, decision.graceUntil ?? '', event())).toEqual({
      status: 'recorded',
    });
  }
  if (has.has('000008_legal_hold'))
    expect(await recordings.placeHold(scope, samples.hold({ recordingId: row.id }), event())).toEqual({
      status: 'placed',
      tooLate: [],
    });
  return { events, ...(has.has('000005_recording') ? { recording: row.id } : {}) };
}

/** Every table's rows; the ledger, what roles may do and the jobs are the migrations' own. */
async function rowsOf(db: FreshDatabase, like?: Record<string, unknown[]>): Promise<Record<string, unknown[]>> {
  const { rows: tables } = await db.pool.query<{ name: string }>(`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'medzen'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
      AND relname NOT IN ('migration', 'permission', 'select_permission', 'job') ORDER BY 1`);
  const all: Record<string, unknown[]> = {};
  for (const { name } of tables) {
    if (like !== undefined && like[name] === undefined) continue; // a table that came later
    const { rows } = await db.pool.query<{ row: Record<string, unknown> }>(
      `SELECT to_jsonb(t) AS row FROM medzen.${name} t ORDER BY to_jsonb(t)::text COLLATE "C"`,
    );
    const columns = Object.keys((like?.[name]?.[0] ?? {}) as object); // rows of ours are objects
    all[name] = rows.map(({ row }) =>
      like === undefined ? row : Object.fromEntries(Object.entries(row).filter(([key]) => columns.includes(key))),
    );
  }
  return all;
}

async function readData(db: FreshDatabase, { events, recording }: Written): Promise<void> {
  const stores = sqlStores(pgWire(db.pool));
  const found = await stores.audit.search(scope, { patient: 'p1', limit: 100 });
  expect(found.events).toHaveLength(events);
  const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer });
  await sequencer.tick();
  expect(await verifyLog({ store: stores.log, verifierKeys: [signer.verifierKey] })).toMatchObject({
    ok: true,
    size: events,
  });
  if (recording === undefined) return;
  expect(await stores.recordings.get(scope, recording)).toMatchObject({ id: recording, patient: 'p1' });
  const { recordings } = await stores.recordings.list(scope, { patient: 'p1' });
  expect(recordings.map(({ id }) => id)).toEqual([recording]);
}

describe('a library that is older than the database', () => {
  const later = (id: string, breaking: boolean): string =>
    `ALTER TABLE medzen.consent ADD COLUMN later text;
     INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('${id}', '${'0'.repeat(64)}', ${breaking});`;

  test('goes on where the newer migrations break nothing', async () => {
    const db = await freshDatabase();
    open.push(db);
    await db.pool.query(later('900000_later', false));
    const { audit } = sqlStores(pgWire(db.pool));
    expect(await audit.append(scope, [createSamples({ scope }).event()])).toMatchObject({ status: 'durable' });
  });

  test('refuses, names the migration and writes nothing where one breaks it', async () => {
    const db = await freshDatabase();
    open.push(db);
    await db.pool.query(later('900000_later', true));
    const { audit } = sqlStores(pgWire(db.pool));
    await expect(audit.append(scope, [createSamples({ scope }).event()])).rejects.toMatchObject({
      code: 'migration_drift',
      message: 'The database has migration 900000_later, which needs a newer @medzen/sql',
    });
    const { rows } = await db.pool.query('SELECT FROM medzen.audit_event');
    expect(rows).toEqual([]);
  });
});
