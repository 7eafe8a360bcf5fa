import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pgWire, sqlStores } from '@medzen/sql';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { createEvidence } from './evidence.ts';
import { directoryTiles } from './node/directory-tiles.ts';
import { fileCheckpoints } from './node/file-checkpoints.ts';
import { publishLog } from './publish-log.ts';
import { a, b, logOver } from './sequencer/rebase.fixture.ts';

let home: string;
let db: FreshDatabase;
let backup: string;
let admin: pg.Client;
let pool: pg.Pool;

const at = (name: string): string => join(home, name);

/** A command as an operator runs it. */
function run(command: string, ...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const bin = fileURLToPath(new URL(`../bin/${command}.mjs`, import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], { cwd: home }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'medzen-rebase-cli-'));
  db = await freshDatabase();
  const name = new URL(db.url).pathname.slice(1);
  backup = `${name.slice(0, 40)}_backup`;
  admin = new pg.Client(inject('postgresUrl'));
  await admin.connect();
  const memory = await fileCheckpoints(at('checkpoints'));
  const first = logOver(sqlStores(pgWire(db.pool)), memory);
  await first.write(4);
  await first.seal(a);
  await db.pool.end();
  await admin.query(`CREATE DATABASE ${backup} TEMPLATE ${name}`);
  const grown = db.open({ max: 2 });
  const second = logOver(sqlStores(pgWire(grown)), memory);
  const [gone] = await second.write(2);
  await writeFile(at('known.txt'), await second.seal(a));
  await publishLog({ store: second.log, target: directoryTiles(at('public')), entries: true });
  await writeFile(at('gone.tlog-proof'), await createEvidence(second.log, gone?.id ?? ''));
  await grown.end();
  const url = Object.assign(new URL(db.url), { pathname: `/${backup}` }).href;
  pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', () => undefined);
  const of = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  await writeFile(
    at('log.mjs'),
    `import { createSigner } from ${of('./signer.ts')};
import { directoryTiles } from ${of('./node/directory-tiles.ts')};
import { fileCheckpoints } from ${of('./node/file-checkpoints.ts')};
import { pgWire, sqlStores } from ${of('../../sql/src/index.ts')};
import pg from ${of('../../../node_modules/pg/esm/index.mjs')};
export default async () => {
  const pool = new pg.Pool({ connectionString: ${JSON.stringify(url)}, max: 2 });
  return {
    store: sqlStores(pgWire(pool)).log,
    memory: await fileCheckpoints('checkpoints'),
    signer: createSigner({ origin: ${JSON.stringify(b.origin)}, privateKey: new Uint8Array(32).fill(8) }),
    previousKeys: [${JSON.stringify(a.verifierKey)}],
    published: directoryTiles('public'),
    close: () => pool.end(),
  };
};
`,
  );
}, 120_000);
afterAll(async () => {
  await pool.end();
  await admin.query(`DROP DATABASE IF EXISTS ${backup} WITH (FORCE)`);
  await admin.end();
  await db.drop();
  await rm(home, { recursive: true });
});

const told = ['--config', 'log.mjs', '--known', 'known.txt', '--decided-by', 'officer-1', '--name', 'R. Jones'];
const why = ['--reason', 'The disk failed; the backup was restored.'];
const keys = ['--key', a.verifierKey, '--key', b.verifierKey];

it('says what a rebase would cost, does it when told to, and hears that it was done', async () => {
  const plan = await run('medzen-rebase', ...told, ...why);
  expect(plan).toMatchObject({ code: 0, err: '' });
  expect(plan.out).toContain('signed 6 events; 4 are left, 2 are lost');
  expect(plan.out).toContain('proved to be the beginning');
  expect(plan.out).toContain('To do it, add --yes');
  const done = await run('medzen-rebase', ...told, ...why, '--yes');
  expect(done).toMatchObject({ code: 0, err: '' });
  expect(done.out).toContain(b.verifierKey);
  expect(await run('medzen-rebase', ...told, ...why, '--yes')).toMatchObject({ code: 0, err: '' });
  const again = await run('medzen-rebase', ...told, ...why);
  expect(again).toMatchObject({ code: 1 });
});

it('and medzen-verify verifies the published log across it, and names what was lost', async () => {
  const memory = await fileCheckpoints(at('checkpoints'));
  const log = logOver(sqlStores(pgWire(pool)), memory);
  await log.write(3);
  await log.seal(b);
  await publishLog({ store: log.log, target: directoryTiles(at('public')), entries: true });
  const { code, out } = await run('medzen-verify', ...keys, 'public');
  expect(code).toBe(0);
  expect(out).toContain(`proved      ${b.origin} signed a log of 8 entries`);
  expect(out).toMatch(
    /LOST {8}2 of the 6 entries of example\.org\/audit, from entry 4 on; decided by R\. Jones at 20.*: The disk failed/,
  );
  expect(out).toContain(`proved      the 4 that ${b.origin} went on with are the first ones of ${a.origin}`);
  expect(out).toContain(`proved      ${a.origin} signed 6 entries before it ended`);
  expect(out).toContain('proved      the 2 of them that were lost are among the files');

  const since = await run('medzen-verify', ...keys, '--since', 'known.txt', 'public');
  expect(since.code).toBe(1);
  expect(since.out).toContain(
    'REFUSED     2 of the 6 entries that the given checkpoint covers were lost, from entry 4 on',
  );
  expect((await run('medzen-verify', '--key', b.verifierKey, 'public')).out).toContain(
    `not proved  what ${a.origin} had: no key of it was given`,
  );
  expect(await run('medzen-verify', '--key', a.verifierKey, 'gone.tlog-proof')).toMatchObject({ code: 0 });
});

it('refuses to begin without who, why and where from', async () => {
  expect((await run('medzen-rebase', '--config', 'log.mjs')).err).toContain('--decided-by and --reason');
  expect((await run('medzen-rebase', ...told.slice(2), ...why)).err).toContain('--config must name');
  await writeFile(at('empty.mjs'), 'export default {};\n');
  const empty = await run('medzen-rebase', '--config', 'empty.mjs', ...told.slice(2), ...why);
  expect(empty).toMatchObject({ code: 2 });
  expect(empty.err).toContain('with store, memory, signer, previousKeys');
  expect((await run('medzen-rebase', '--help')).out).toContain('medzen-rebase --config');
  expect((await run('medzen-rebase', '--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});
