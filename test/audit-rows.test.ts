import { memoryObjects } from '@medzen/adapters-local';
import { createArchiver, createSequencer, createSigner, type LogVerdict, verifyLog } from '@medzen/audit';
import type { SealedEvent } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import { createSamples } from '@medzen/testing';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from './postgres.ts';

const signer = createSigner({ origin: 'example.org/audit', privateKey: new Uint8Array(32).fill(7) });
const scope = { tenant: 'default' };
const start = Date.parse('2020-01-15T12:00:00.000Z');
const actor = { id: 'retention', type: 'service' } as const;

let db: FreshDatabase;
let owner: pg.Client;
let now = start;
const events: SealedEvent[] = [];
const { log, archive } = { log: () => sqlStores(pgWire(owner)).log, archive: () => sqlStores(pgWire(owner)).archive };
const archiver = () =>
  createArchiver({
    store: sqlStores(pgWire(owner)),
    objects,
    prefix: 'audit/',
    verifierKeys: [signer.verifierKey],
    clock: { now: () => new Date(now) },
  });
const objects = memoryObjects();

async function setClock(at: number): Promise<void> {
  now = at;
  await owner.query('SELECT medzen.set_test_clock($1, true)', [new Date(at).toISOString()]);
}

/** Three events of January 2020, in the tree and in the archive; then it is seven weeks later. */
beforeAll(async () => {
  db = await freshDatabase({ test: true });
  owner = await db.connect();
  await setClock(start);
  await owner.query('SELECT medzen.make_audit_partitions()');
  const samples = createSamples({ scope, clock: { now: () => new Date(now) } });
  events.push(...[1, 2, 3].map((n) => samples.event({ patient: `p${n}` })));
  await sqlStores(pgWire(owner)).audit.append(scope, events);
  const sequencer = createSequencer({ memory: 'unguarded', store: log(), signer });
  while ((await sequencer.tick()).status !== 'idle');
  await setClock(start + 50 * 86_400_000);
  while ((await archiver().archive()).status !== 'idle');
});
afterAll(() => db.drop());

/** Whoever tries something does so in a transaction that is undone, so that each begins with the same log. */
async function trying<T>(role: string | undefined, work: () => Promise<T>, claims = ''): Promise<T> {
  await owner.query('BEGIN');
  try {
    await owner.query("SELECT set_config('request.jwt.claims', $1, true)", [claims]);
    if (role !== undefined) await owner.query(`SET LOCAL ROLE ${role}`);
    return await work();
  } finally {
    await owner.query('ROLLBACK');
  }
}

async function refusal(sql: string, values: readonly unknown[] = []): Promise<string> {
  return owner.query(sql, [...values]).then(
    () => 'done',
    (error: { readonly code?: string }) => error.code ?? '',
  );
}

/** Each table of the log, with a change to one of its columns. */
const changes: Readonly<Record<string, string>> = {
  audit_event: "action = 'x'",
  audit_event_2020_01: "action = 'x'",
  audit_event_default: "action = 'x'",
  audit_leaf: 'leaf_index = 7',
  audit_tile: 'level = 1',
  audit_checkpoint: "checkpoint = ''",
  audit_cosignature: "line = ''",
  audit_head: 'size = 0',
  audit_pending: 'written_at = now()',
  audit_rows: "patients = '{}'",
  archive_manifest: "newest_at = '2000-01-01'",
};
const tables = Object.keys(changes);
const reads = tables.map((name) => `SELECT FROM medzen.${name}`);
const writes = tables.flatMap((name) => [
  `INSERT INTO medzen.${name} DEFAULT VALUES`,
  `UPDATE medzen.${name} SET ${changes[name]}`,
  `DELETE FROM medzen.${name}`,
  `TRUNCATE medzen.${name}`,
  `DROP TABLE medzen.${name}`,
  `ALTER TABLE medzen.${name} DISABLE TRIGGER ALL`,
]);
const purge = [
  "SELECT medzen.purge_archive('default', '0', '3', sha256(''), 6, 'x', '')",
  "SELECT medzen.read_batch(1), set_config('medzen.purge', 'on', true)",
  'SELECT * FROM medzen.drop_purged_partitions()',
  'SELECT medzen.requeue_events()',
];
/** Which of the statements were not refused for want of a right. */
async function allowed(statements: readonly string[], role: string, claims = ''): Promise<readonly string[]> {
  const done: string[] = [];
  for (const sql of statements) {
    const code = await trying(role, () => refusal(sql), claims);
    if (code !== '42501') done.push(`${sql}: ${code}`);
  }
  return done;
}

describe.each([
  ['medzen_app', 'medzen_app', ''],
  ['a participant', 'authenticated', '{"sub":"p1","role":"authenticated"}'],
  ['somebody unknown', 'anon', ''],
])('%s', (_who, role, claims) => {
  test('is refused every look at the log, every change of it, and the purge', async () => {
    expect(await allowed([...reads, ...writes, ...purge], role, claims)).toEqual([]);
  });
});

describe('medzen_app', () => {
  test('adds events and finds them', async () => {
    const found = await trying('medzen_app', async () => {
      const { audit } = sqlStores(pgWire(owner, { root: pgWire(owner) }));
      const samples = createSamples({ scope });
      await audit.append(scope, [samples.event({ patient: 'p9' })]);
      return audit.search(scope, { patient: 'p9' });
    });
    expect(found.events).toHaveLength(1);
  });
});

describe('medzen_sequencer', () => {
  test('is refused every change but by its functions, and the purge', async () => {
    expect(await allowed([...writes, ...purge.slice(0, 1)], 'medzen_sequencer')).toEqual([]);
  });
});

describe('the owner of the tables', () => {
  test.each(['audit_event', 'audit_event_2020_01', 'audit_leaf', 'audit_checkpoint'])(
    'is stopped by triggers from changing %s, or taking from it',
    async (name) => {
      for (const sql of [`UPDATE medzen.${name} SET ${changes[name]}`, `DELETE FROM medzen.${name}`])
        expect(await trying(undefined, () => refusal(sql)), sql).toBe('MZ004');
      expect(await trying(undefined, () => refusal(`TRUNCATE medzen.${name} CASCADE`))).toBe('MZ004');
    },
  );

  test.each([
    ["UPDATE medzen.audit_tile SET hashes = sha256('x')", 'MZ022'],
    ['DELETE FROM medzen.audit_tile', 'MZ004'],
    ['DELETE FROM medzen.audit_head', 'MZ004'],
    ['DELETE FROM medzen.archive_manifest', 'MZ004'],
    ['TRUNCATE medzen.archive_manifest', 'MZ004'],
    ["UPDATE medzen.archive_manifest SET newest_at = '2000-01-01'", 'MZ004'],
    ["UPDATE medzen.archive_manifest SET manifest_sha256 = sha256('x')", 'MZ004'],
  ])('is stopped by a trigger: %s', async (sql, code) => {
    expect(await trying(undefined, () => refusal(sql))).toBe(code);
  });

  test('cannot remove young events by a forged row of the archive either', async () => {
    await trying(undefined, async () => {
      const mark = `UPDATE medzen.archive_manifest SET purge_event = gen_random_uuid(), purged_at = now(), purged_by = pg_current_xact_id()`;
      await owner.query('SAVEPOINT s');
      expect(await refusal(mark)).toBe('MZ004');
      await owner.query('ROLLBACK TO s');
      // The range is said to be old, by a row that no function wrote.
      await owner.query(`ALTER TABLE medzen.archive_manifest DISABLE TRIGGER ALL; DELETE FROM medzen.archive_manifest;
        ALTER TABLE medzen.archive_manifest ENABLE TRIGGER ALL;
        INSERT INTO medzen.archive_manifest VALUES (0, 3, '2000-01-01', gen_random_uuid(), now(), sha256(''), now())`);
      await owner.query(mark);
      expect(await refusal('DELETE FROM medzen.audit_event')).toBe('MZ004');
    });
  });

  test.each<[string, string, unknown]>([
    [
      'alters an event',
      "UPDATE medzen.audit_event SET body = convert_to(replace(convert_from(body, 'UTF8'), '\"p1\"', '\"p7\"'), 'UTF8') WHERE patient = 'p1'",
      [{ kind: 'event_altered' }],
    ],
    [
      'hides an event',
      "UPDATE medzen.audit_event SET patient = 'p7' WHERE patient = 'p1'",
      [{ kind: 'event_misfiled' }],
    ],
    ['deletes an event', "DELETE FROM medzen.audit_event WHERE patient = 'p2'", [{ kind: 'event_missing' }]],
    [
      'deletes an event and its leaf',
      "DELETE FROM medzen.audit_leaf WHERE leaf_index = 1; DELETE FROM medzen.audit_event WHERE patient = 'p2'",
      [{ kind: 'event_missing', index: 1, count: 1 }],
    ],
    [
      'deletes events and says that they were purged, without a purge in the log',
      `DELETE FROM medzen.audit_event;
       UPDATE medzen.archive_manifest SET purge_event = gen_random_uuid(), purged_at = now(), purged_by = '7'`,
      [{ kind: 'event_missing' }, { kind: 'event_missing' }, { kind: 'event_missing' }],
    ],
    ['drops a partition', 'DROP TABLE medzen.audit_event_2020_01', [{ kind: 'event_missing' }, {}, {}]],
    ['empties a partition', 'TRUNCATE medzen.audit_event_2020_01', [{ kind: 'event_missing' }, {}, {}]],
    [
      'alters a tile',
      'UPDATE medzen.audit_tile SET hashes = set_byte(hashes, 2, get_byte(hashes, 2) # 1)',
      [{ kind: 'tile_altered' }],
    ],
    [
      'cuts the log to nothing',
      `DELETE FROM medzen.audit_leaf; DELETE FROM medzen.audit_event; DELETE FROM medzen.audit_checkpoint; DELETE FROM medzen.audit_tile;
       UPDATE medzen.audit_head SET size = 0, root = sha256(''), checkpoint = NULL`,
      [{ kind: 'size_regressed' }, { kind: 'archive_altered' }],
    ],
  ])(
    'who gets past the triggers and %s is found out with a checkpoint kept elsewhere',
    async (_what, sql, findings) => {
      const checkpoint = (await log().head()).checkpoint ?? '';
      const verdict = await trying(undefined, async (): Promise<LogVerdict> => {
        const { rows } = await owner.query(`SELECT c.oid::regclass::text AS name FROM pg_class c
        WHERE c.relnamespace = 'medzen'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname ~ '^(audit|archive)'`);
        for (const { name } of rows) await owner.query(`ALTER TABLE ${name} DISABLE TRIGGER USER`);
        await owner.query(sql);
        const inside = pgWire(owner, { root: pgWire(db.pool) });
        const store = sqlStores({ ...inside, root: inside }).log; // sees what was done here, and goes with it
        return verifyLog({ store, verifierKeys: [signer.verifierKey], checkpoint });
      });
      expect(verdict).toMatchObject({ ok: false, findings });
    },
  );

  test('purges by the one function, when the years are over, and drops what it emptied', async () => {
    const purged = () => archiver().purge({ scope, actor });
    expect(await purged()).toEqual({ purged: [], held: [] });
    await setClock(Date.parse('2026-02-02T00:00:00.000Z'));
    expect((await owner.query('SELECT * FROM medzen.drop_purged_partitions()')).rows).toEqual([]);
    expect(await purged()).toEqual({ purged: [{ first: 0, end: 3 }], held: [] });
    await setClock(Date.parse('2026-03-05T00:00:00.000Z'));
    expect((await owner.query('SELECT * FROM medzen.drop_purged_partitions()')).rows).toEqual([
      { partition: 'audit_event_2020_01' },
      { partition: 'audit_event_2020_02' },
    ]);
    const sequencer = createSequencer({ memory: 'unguarded', store: log(), signer });
    while ((await sequencer.tick()).status !== 'idle');
    const verdict = await verifyLog({ store: log(), verifierKeys: [signer.verifierKey] });
    expect(verdict).toMatchObject({ ok: true, purged: 3, size: 4 });
    expect(await archive().list(0, 10)).toMatchObject([{ status: 'purged' }]);
  });
});
