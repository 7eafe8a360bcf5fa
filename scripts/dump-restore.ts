/**
 * Dumps a database in the middle of its work and restores it into a cluster whose transaction ids have only begun, by Debian's own
 * pg_dump and pg_restore; then sees that everything goes on: the queue of the log, the signed tree, claims, holds, limits, consents,
 * roles, grants and policies. Then the way back, into the cluster that it came from.
 *
 *   POSTGRES_HOME=/usr/lib/postgresql/15 node scripts/dump-restore.ts
 */
import { ok as holds, rejects, deepStrictEqual as same } from 'node:assert';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { verifyLog } from '@medzen/audit';
import { checkSql, installSql, pgWire } from '@medzen/sql';
import type pg from 'pg';
import { beginEverything, type Clinic, late, limit, openClinic, rules, scope, signer } from './dump-restore/clinic.ts';
import { type Cluster, startCluster } from './dump-restore/clusters.ts';
import { runStages, type Stage } from './stage.ts';

const home: string = process.env.POSTGRES_HOME ?? '/usr/lib/postgresql/15';
for (const tool of ['initdb', 'pg_dump', 'pg_dumpall', 'pg_restore'])
  if (!existsSync(join(home, 'bin', tool))) {
    console.error(`${home}/bin has no ${tool}: apt-get install postgresql-15`);
    console.log('0 passed, 1 failed');
    process.exit(1);
  }

const files = mkdtempSync(join(tmpdir(), 'medzen-dump-'));
const [old, fresh] = await Promise.all([startCluster(home), startCluster(home)]);
const verifierKeys = [signer.verifierKey];

async function clinicOf(cluster: Cluster, database: string, trusted?: string): Promise<Clinic> {
  return openClinic(
    await cluster.connect(database, 'clinic_app'),
    await cluster.connect(database, 'clinic_log'),
    trusted,
  );
}

async function one(client: pg.Client, expression: string): Promise<unknown> {
  const { rows } = await client.query<{ one: unknown }>(`SELECT ${expression} AS one`);
  return rows[0]?.one;
}

/** Fails with the first line that differs. Brackets aside: Postgres writes `BETWEEN` with one pair less when it reads its own text. */
function alike(actual: string, expected: string): void {
  const bare = (text: string): string[] => text.replaceAll(/[()]/g, '').split('\n');
  const there = bare(actual);
  bare(expected).forEach((line, i) => void same(there[i], line, `line ${i + 1}:\n  ${there[i]}\n  ${line}`));
  same(there.length, bare(expected).length);
}

/** What must hold of a log once everything in it has been sequenced. */
async function sound(clinic: Clinic, owner: pg.Client, events: readonly string[], checkpoint: string): Promise<void> {
  for (const id of events) holds((await clinic.stores.log.leafOf(id)) !== undefined, `${id} was not sequenced`);
  same(await clinic.stores.log.lag(), { pending: 0, lost: 0, oldestMs: 0 });
  const verdict = await verifyLog({ store: clinic.stores.log, verifierKeys, checkpoint });
  holds(verdict.ok, JSON.stringify(verdict));
  same(String(verdict.size), await one(owner, '(SELECT count(*)::text FROM medzen.audit_event)'));
}

/** Everything below happens once, in this order. */
const owner = await old.connect('postgres');
await owner.query(`CREATE ROLE anon NOLOGIN; CREATE ROLE authenticated NOLOGIN; CREATE ROLE service_role NOLOGIN BYPASSRLS;
  CREATE ROLE clinic_app LOGIN; CREATE ROLE clinic_log LOGIN`);
await old.createDatabase('clinic');
const before = await old.connect('clinic');
await installSql(before);
await before.query('GRANT medzen_app TO clinic_app; GRANT medzen_sequencer TO clinic_log');
await before.query("SELECT medzen.keep_erasable('name')");
await old.burnIds(50_000);
const clinic = await clinicOf(old, 'clinic');
const named = clinic.samples.event({ actor: { id: 'provider-1', type: 'user', name: 'Ada Lovelace' } });
await clinic.stores.audit.append(scope, [named]);
const sequenced = await clinic.write(10);
const trusted = await clinic.sequence();
const unfinished = await beginEverything(clinic);
const pending = await clinic.write(10);

const open = await old.connect('clinic', 'clinic_app');
await open.query('BEGIN');
const undecided = await openClinic(open, open).write(1);
await old.dump('clinic', join(files, 'clinic'));
const wanted = {
  roles: await old.dumpRoles(),
  schema: await old.text('clinic', '--schema-only'),
  data: await old.text('clinic', '--data-only'),
};
await open.query('COMMIT');

const stages: Stage[] = [];
const check = (name: string, run: () => Promise<void>): void => void stages.push({ name, run });

let after: pg.Client;
let restored: Clinic;
check('roles, then the dump, are restored into a fresh cluster without an error', async () => {
  await fresh.restoreRoles(wanted.roles);
  for (const name of ['clinic', 'detour']) {
    await fresh.createDatabase(name);
    await fresh.restore(join(files, 'clinic'), name);
  }
  after = await fresh.connect('clinic');
  restored = await clinicOf(fresh, 'clinic', trusted);
});
check('definitions, grants, policies, roles and rows are as they were', async () => {
  alike(await fresh.dumpRoles(), wanted.roles);
  alike(await fresh.text('clinic', '--schema-only'), wanted.schema);
  alike(await fresh.text('clinic', '--data-only'), wanted.data);
  await checkSql(pgWire(await fresh.connect('clinic', 'clinic_app')));
});
check('names in the log are still pseudonyms, and lead to whom they meant', async () => {
  const { audit, identities } = restored.stores;
  same(await identities.kinds(), ['name']);
  const pseudonyms = await identities.pseudonyms(scope, { kind: 'name', value: 'Ada Lovelace' });
  same(Object.values(await identities.reveal(scope, pseudonyms)), ['Ada Lovelace']);
  await audit.append(scope, [named]); // a retry is no other event
  await rejects(after.query('DELETE FROM medzen.erasable_identity'), { code: 'MZ004' });
});
check('a service still may do its own and nothing past it', async () => {
  const app = await fresh.connect('clinic', 'clinic_app');
  for (const table of ['audit_event', 'recording', 'consent'])
    await rejects(app.query(`SELECT FROM medzen.${table}`), { code: '42501' });
  await rejects(after.query('DELETE FROM medzen.audit_event'), { code: 'MZ004' });
});
check('what waits in the queue has ids of transactions that the new cluster has yet to reach', async () => {
  holds(await one(after, '(SELECT min(xid) FROM medzen.audit_pending) > pg_current_xact_id()'));
});
check('events of before and of after are all sequenced, in one tree that continues the signed one', async () => {
  const first = await restored.write(7);
  const slow = await fresh.connect('clinic', 'clinic_app');
  await slow.query('BEGIN');
  const late = await openClinic(slow, slow).write(2);
  const second = await restored.write(7);
  await restored.sequence();
  await slow.query('COMMIT'); // by now, greater ids have been sequenced
  const third = await restored.write(3);
  await restored.sequence();
  const all = [...sequenced, ...pending, ...first, ...late, ...second, ...third];
  await sound(restored, after, all, trusted);
  same(await restored.stores.log.leafOf(undecided[0] ?? ''), undefined); // it was not committed when the dump was made
});
check('a claim that ran out is taken again by a newer token; one that runs is its holder’s', async () => {
  const { stores, samples } = restored;
  const { ending, running } = unfinished;
  await sleep(Math.max(0, 1100 - (Date.now() - Date.parse(ending.recording.stateAt))));
  const asked = (claim: typeof ending) =>
    stores.recordings.claimTransfers(scope, { limit: 1, leaseMs: 60_000, id: claim.recording.id });
  const [again] = await asked(ending);
  holds(again !== undefined && BigInt(again.token) > BigInt(running.token), 'a token did not grow');
  const done = (claim: typeof ending) => ({
    expectedRevision: claim.recording.revision,
    to: 'available' as const,
    at: new Date().toISOString(),
    object: samples.object(),
    token: claim.token,
  });
  const change = async (claim: typeof ending): Promise<string> =>
    (await stores.recordings.change(scope, claim.recording.id, done(claim), samples.event())).status;
  same(await change(ending), 'lease_lost');
  same(await asked(running), []);
  same([await change(again), await change(running)], ['changed', 'changed']);
});
check('a deletion that was begun is finished; what is held is not offered', async () => {
  const { stores, samples } = restored;
  await sleep(1000);
  for (const { id } of unfinished.held)
    same(await stores.recordings.claimExpired(scope, late, rules, { limit: 1, leaseMs: 60_000, id }), []);
  const { id } = unfinished.deleting;
  const [claim] = await stores.recordings.claimExpired(scope, late, rules, { limit: 1, leaseMs: 60_000, id });
  const token = claim?.token ?? '';
  const finished = await stores.recordings.finishDeletion(scope, id, token, samples.tombstone(), samples.event());
  same(finished.status, 'finished');
});
check('limits that were spent stay spent, consents stay given', async () => {
  const { stores, samples } = restored;
  const [decision] = await stores.limits.consume(scope, [limit]);
  same(decision?.allowed, false);
  const row = samples.newRecording({ sessionId: unfinished.session });
  const people = ['patient-1', 'provider-1'];
  same((await stores.recordings.start(scope, row, people, samples.event())).status, 'started');
});
check('who has seen a later checkpoint signs nothing over the restored copy', async () => {
  await clinic.write(30);
  const later = await clinic.sequence();
  const other = await clinicOf(fresh, 'detour', later);
  await rejects(other.sequencer.tick(), { code: 'checkpoint_inconsistent' });
});
check('nothing is stranded on the way back, when nobody sequenced elsewhere', async () => {
  const elsewhere = await clinicOf(fresh, 'detour');
  const written = await elsewhere.write(5);
  await fresh.dump('detour', join(files, 'detour'));
  await old.createDatabase('back');
  await old.restore(join(files, 'detour'), 'back');
  const home = await old.connect('back');
  holds(await one(home, '(SELECT server_started = pg_postmaster_start_time() FROM medzen.audit_head)'), 'no trap');
  holds(
    await one(home, '(SELECT min(xid) FROM medzen.audit_pending) < (SELECT pending_from FROM medzen.audit_head)'),
    'no trap',
  );
  const back = await clinicOf(old, 'back', trusted);
  const more = await back.write(5);
  await back.sequence();
  await sound(back, home, [...sequenced, ...pending, ...written, ...more], trusted);
});

try {
  console.log('dump and restore');
  const { passed, failed } = await runStages(stages);
  console.log(`dump and restore: ${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  await Promise.allSettled([old.stop(), fresh.stop()]);
  rmSync(files, { recursive: true, force: true });
}
