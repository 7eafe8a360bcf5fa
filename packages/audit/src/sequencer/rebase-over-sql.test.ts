import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MedzenError, openEvent, type Stores } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { readTreeHead } from '../checkpoint.ts';
import { createEvidence, verifyEvidence } from '../evidence.ts';
import { fileCheckpoints } from '../node/file-checkpoints.ts';
import { verifyLog } from '../verify-log.ts';
import { readmitEvent } from './readmit.ts';
import { a, allKeys, b, c, decision, logOver, scope, type TestLog } from './rebase.fixture.ts';
import { readRebase } from './rebase-record.ts';

const inconsistent = { code: 'checkpoint_inconsistent' };
const actor = { id: 'officer-1', type: 'user' } as const;

/** A database, and copies of it: a backup, or a replica that stays behind. */
async function installation(erasable = false) {
  const folder = await mkdtemp(join(tmpdir(), 'medzen-rebase-'));
  const main: FreshDatabase = await freshDatabase();
  const name = new URL(main.url).pathname.slice(1);
  const admin = new pg.Client(inject('postgresUrl'));
  await admin.connect();
  const open: pg.Pool[] = [];
  const made: string[] = [];
  const memory = await fileCheckpoints(folder);
  const at = (database: string): TestLog & { readonly stores: Stores } => {
    const url = Object.assign(new URL(main.url), { pathname: `/${database}` }).href;
    const pool = new pg.Pool({ connectionString: url, max: 4 });
    pool.on('error', () => undefined);
    open.push(pool);
    const stores = sqlStores(pgWire(pool));
    return { ...logOver(stores, memory), stores };
  };
  if (erasable) await main.pool.query("SELECT medzen.keep_erasable('patient', 'user', 'name', 'ip')");
  await main.pool.end();
  return {
    folder,
    memory,
    name,
    at,
    /** The database as it is now, under another name; who was connected is cut off. */
    copy: async (): Promise<string> => {
      const database = `${name.slice(0, 40)}_${made.length}`;
      await Promise.all(open.splice(0).map((pool) => pool.end()));
      await admin.query(`CREATE DATABASE ${database} TEMPLATE ${name}`);
      made.push(database);
      return database;
    },
    close: async (): Promise<void> => {
      await Promise.all(open.map((pool) => pool.end()));
      for (const database of made) await admin.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      await admin.end();
      await main.drop();
      await rm(folder, { recursive: true });
    },
  };
}

describe('a log on Postgres', () => {
  let site: Awaited<ReturnType<typeof installation>>;
  let restored: string;
  let replica: string;
  let lost: readonly { readonly id: string; readonly evidence: string }[];
  let held: string;

  beforeAll(async () => {
    site = await installation();
    const first = site.at(site.name);
    await first.write(30);
    await first.seal(a, { batchSize: 7 });
    const backup = await site.copy();
    const second = site.at(site.name);
    const middle = await second.write(12);
    await second.seal(a);
    const behind = await site.copy();
    const third = site.at(site.name);
    const [last] = await third.write(1);
    held = await third.seal(a);
    const ids = [...middle, ...(last ? [last] : [])].map(({ id }) => id);
    lost = await Promise.all(ids.map(async (id) => ({ id, evidence: await createEvidence(third.log, id) })));
    restored = backup;
    replica = behind;
  }, 120_000);
  afterAll(() => site.close());

  it('whose replica took over without the last event is refused, rebased, goes on, and is verified across', async () => {
    const log = site.at(replica);
    await log.write(2); // the application goes on at once
    await expect(log.seal(a)).rejects.toMatchObject(inconsistent);
    expect(await log.rebase(b)).toMatchObject({ status: 'rebased', oldSize: 43, surviving: 42, lost: 1 });
    expect(await log.rebase(b)).toMatchObject({ status: 'repeated', lost: 1 });
    await expect(log.seal(a)).rejects.toMatchObject(inconsistent);
    await log.write(3);
    const checkpoint = await log.seal(b, { batchSize: 2 });
    expect(readTreeHead(checkpoint)).toMatchObject({ size: 48 });
    const verdict = await verifyLog({ store: log.log, verifierKeys: allKeys, checkpoint });
    expect(verdict).toMatchObject({ ok: true, size: 48, lost: 1, rebases: [{ record: 'present', ...decision }] });
    expect(await verifyLog({ store: log.log, verifierKeys: allKeys, checkpoint: held })).toMatchObject({
      ...{ ok: false, lost: 1 },
      findings: [{ kind: 'leaves_lost', index: 42, count: 1, trustedSize: 43 }],
    });
  });

  it('takes back what somebody has evidence of, once, and says who brought it', async () => {
    const log = site.at(replica);
    const { id, evidence } = lost.at(-1) ?? { id: '', evidence: '' };
    expect(await verifyEvidence(evidence, [a.verifierKey])).toMatchObject({ ok: true, index: 42 });
    const bring = { stores: log.stores, evidence, verifierKeys: allKeys, actor };
    expect(await readmitEvent(bring)).toMatchObject({ status: 'readmitted', eventId: id, index: 42 });
    expect(await readmitEvent(bring)).toMatchObject({ status: 'present' });
    await log.seal(b);
    expect(await readmitEvent(bring)).toMatchObject({ status: 'present' });
    const again = await createEvidence(log.log, id);
    const [old, fresh] = await Promise.all([
      verifyEvidence(evidence, [a.verifierKey]),
      verifyEvidence(again, [b.verifierKey]),
    ]);
    if (old.ok && fresh.ok) expect(fresh.body).toEqual(old.body);
    expect(fresh).toMatchObject({ ok: true, index: 48 });
    const { events } = await log.audit.search(scope, { action: 'audit.readmit' });
    expect(events.map(({ body }) => openEvent(body))).toMatchObject([
      { actor, target: { id }, detail: { oldOrigin: a.origin, index: 42, readmitted: true } },
    ]);
    // What is there is not lost, and what proves nothing is not taken.
    const survivor = lost[0]?.evidence ?? '';
    expect(await readmitEvent({ ...bring, evidence: survivor })).toMatchObject({
      status: 'present',
      index: await log.log.leafOf(lost[0]?.id ?? ''),
    });
    for (const [text, keys] of [
      [evidence.replace(/extra ./, 'extra A'), allKeys],
      [evidence, [b.verifierKey]],
    ] as const)
      await expect(readmitEvent({ ...bring, evidence: text, verifierKeys: keys })).rejects.toMatchObject({
        code: 'invalid_input',
      });
  });

  it('restored to before all that is rebased once more: the loss is that of both, and neither old origin signs', async () => {
    const log = site.at(restored);
    await log.write(1);
    for (const signer of [a, b]) await expect(log.seal(signer)).rejects.toMatchObject(inconsistent);
    // Two operators at once, in two processes.
    const others = await Promise.all([fileCheckpoints(site.folder), fileCheckpoints(site.folder)]);
    const answers = await Promise.all(others.map((memory) => log.rebase(c, { memory })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual(['rebased', 'repeated']);
    expect(answers[0]).toMatchObject({ oldOrigin: b.origin, oldSize: 50, surviving: 30, lost: 20 });
    await log.seal(c);
    const verdict = await verifyLog({ store: log.log, verifierKeys: allKeys });
    expect(verdict).toMatchObject({
      ok: true,
      size: 32,
      lost: 21,
      rebases: [{ record: 'lost' }, { record: 'present' }],
    });
    const { events } = await log.audit.search(scope, { action: 'audit.rebase' });
    expect(events.map(({ body }) => readRebase(body)?.newOrigin)).toEqual([c.origin]);
    // All that were lost can be brought, whichever origin signed them.
    const stores = log.stores;
    for (const { evidence } of lost)
      expect(await readmitEvent({ stores, evidence, verifierKeys: allKeys, actor })).toMatchObject({
        status: 'readmitted',
      });
    await log.seal(c);
    expect(await verifyLog({ store: log.log, verifierKeys: allKeys })).toMatchObject({ ok: true, size: 32 + 26 });
  });
});

describe('a log on Postgres whose identities are erasable', () => {
  let site: Awaited<ReturnType<typeof installation>>;
  beforeAll(async () => {
    site = await installation(true);
  }, 120_000);
  afterAll(() => site.close());

  it('is rebased as well, at whatever step the process died; who decided stands in clear', async () => {
    const first = site.at(site.name);
    await first.write(4);
    await first.seal(a); // with the event that switched them on
    const backup = await site.copy();
    const second = site.at(site.name);
    const [gone] = await second.write(1);
    await second.seal(a);
    const evidence = await createEvidence(second.log, gone?.id ?? '');

    const log = site.at(backup);
    const died = async (): Promise<never> => Promise.reject(new MedzenError('store_unavailable', 'died'));
    const { commitRebase } = log.log;
    await expect(log.rebase(b, { store: { ...log.log, commitRebase: died } })).rejects.toThrow('died');
    expect((await log.log.head()).size).toBe(5);
    const answerLost: typeof commitRebase = async (...args) => {
      await commitRebase(...args);
      return died();
    };
    await expect(log.rebase(b, { store: { ...log.log, commitRebase: answerLost } })).rejects.toThrow('died');
    expect((await log.log.head()).size).toBe(6);
    expect(await log.rebase(b)).toMatchObject({ status: 'repeated', lost: 1 });
    await log.write(1);
    await log.seal(b);
    const verdict = await verifyLog({ store: log.log, verifierKeys: allKeys });
    expect(verdict).toMatchObject({ ok: true, size: 7, lost: 1, rebases: [decision] });
    // Of an event that holds pseudonyms the evidence is recorded: nobody could turn them back.
    expect(await readmitEvent({ stores: log.stores, evidence, verifierKeys: allKeys, actor })).toMatchObject({
      status: 'listed',
    });
  });
});

describe('the memory of checkpoints in a folder', () => {
  it('lets one of many win each change, and keeps one file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'medzen-memory-'));
    try {
      const memories = await Promise.all([1, 2, 3].map(() => fileCheckpoints(folder)));
      const text = (size: number, who: number) =>
        `example.org/audit\n${size}\n${Buffer.alloc(32, who).toString('base64')}\n\n\u2014 example.org/audit ${Buffer.alloc(68, who).toString('base64')}\n`;
      let present = await memories[0]?.read('example.org/audit');
      expect(present).toBeUndefined();
      for (let size = 1; size <= 20; size++) {
        const won = await Promise.all(
          memories.map((memory, who) => memory.replace('example.org/audit', present, { checkpoint: text(size, who) })),
        );
        expect(won.filter(Boolean)).toHaveLength(1);
        present = await memories[1]?.read('example.org/audit');
        expect(present).toEqual({ checkpoint: text(size, won.indexOf(true)) });
      }
      const files = await readdir(folder);
      expect(files).toHaveLength(1);
      expect(await memories[2]?.read('example.org/other')).toBeUndefined();
      for (const damage of ['', '{', '{"checkpoint":3}', JSON.stringify({ checkpoint: 'none' })]) {
        await writeFile(join(folder, files[0] ?? ''), damage);
        await expect(memories[0]?.read('example.org/audit')).rejects.toMatchObject({ code: 'store_unavailable' });
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
