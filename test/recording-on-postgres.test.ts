import { pgWire, sqlStores } from '@medzen/sql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Clinic, down, openClinic, startInput } from '../packages/recording/test/clinic.ts';
import { type FreshDatabase, freshDatabase } from './postgres.ts';

/**
 * What only a real database decides about a recording's life: who wins when several processes want the same. The same life runs over
 * memory in the package's own tests.
 */

let db: FreshDatabase;
let clinic: Clinic;
beforeEach(async () => {
  db = await freshDatabase({ test: true });
  clinic = await openClinic(
    {},
    {
      stores: sqlStores(pgWire(db.pool)),
      tick: (now) => db.pool.query('SELECT medzen.set_test_clock($1, true)', [now.toISOString()]),
    },
  );
  await clinic.fact('birth', '1980-05-01');
});
afterEach(async () => {
  await clinic.close();
  await db.drop();
});

/** The end of the grace of a recording made on 2026-11-21. */
const graceEnds = '2034-02-20T05:00:00.000Z';

async function tombstones(): Promise<number> {
  const events = await clinic.events();
  return events.filter(({ action, outcome }) => action === 'recording.delete' && outcome === 'success').length;
}

test('one of many simultaneous starts of a session records; the others are told which', async () => {
  await clinic.consent();
  const room = clinic.server.createRoom();
  const answers = await Promise.allSettled(
    Array.from({ length: 6 }, () => clinic.another().start(startInput(room), clinic.doctor)),
  );
  const started = answers.filter(({ status }) => status === 'fulfilled');
  const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
  expect(started).toHaveLength(1);
  expect(refused).toEqual(Array.from({ length: 5 }, () => expect.objectContaining({ code: 'conflict' })));
});

test('callbacks that arrive at the same time, each twice, end where they would have ended one by one', async () => {
  const { id, providerRef } = await clinic.start();
  clinic.clock.advance(60_000);
  clinic.server.endRoom(providerRef);
  const ended = clinic.server.outbox.splice(0);
  await Promise.all([...ended, ...ended].map((callback) => clinic.ingest(callback)));
  clinic.server.finishCompositions(providerRef);
  const made = clinic.server.outbox.splice(0);
  await Promise.all([...made, ...made].map((callback) => clinic.ingest(callback)));
  expect(await clinic.get(id)).toMatchObject({ state: 'uploading', endedAt: '2026-11-21T15:01:00.000Z' });
  expect(clinic.server.left(providerRef).compositions).toHaveLength(1);
});

test('a transfer is done once by workers that run at once', async () => {
  const { id, objectPrefix } = await clinic.uploading();
  const reports = await Promise.all([1, 2, 3].map(() => clinic.another().transferDue(clinic.scope)));
  expect(reports.flatMap(({ available }) => available)).toEqual([id]);
  expect(await clinic.versions(objectPrefix)).toBe(1);
});

test('two sweeps at once make one tombstone', async () => {
  const { id } = await clinic.available();
  await clinic.warnedUntil(graceEnds);
  const reports = await Promise.all([1, 2, 3].map(() => clinic.another().sweep(clinic.scope)));
  expect(reports.flatMap(({ deleted }) => deleted)).toEqual([id]);
  expect(await tombstones()).toBe(1);
});

test('a sweep killed between the object store and the tombstone is made good by the next', async () => {
  const { id, objectPrefix } = await clinic.available();
  await clinic.warnedUntil(graceEnds);
  let dead = false;
  clinic.fault = (method, when) => {
    if (method === 'recordings.finishDeletion' && when === 'before') dead = true;
    // Nothing more of that process reaches a store, not even the release of its claim.
    if (dead) throw down();
  };
  await clinic.recordings.sweep(clinic.scope);
  clinic.fault = undefined;
  expect([(await clinic.get(id)).state, await clinic.versions(objectPrefix), await tombstones()]).toEqual([
    'deleting',
    0,
    0,
  ]);
  clinic.clock.advance(60 * 60_000);
  expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([id]);
  expect(await tombstones()).toBe(1);
});

test('a hold and a deletion that meet end with one of them, never with both', async () => {
  const { id, objectPrefix } = await clinic.available();
  await clinic.warnedUntil(graceEnds);
  const [hold, report] = await Promise.all([
    clinic.recordings.legalHold
      .place({ target: { recordingId: id }, matter: 'm', reason: 'r' }, clinic.admin)
      .catch((error: { code: string }) => error.code),
    clinic.another().sweep(clinic.scope),
  ]);
  const { state } = await clinic.get(id);
  if (hold === 'too_late') expect([state, report.deleted]).toEqual(['deleted', [id]]);
  else expect([report.deleted, await clinic.versions(objectPrefix)]).toEqual([[], 1]);
});
