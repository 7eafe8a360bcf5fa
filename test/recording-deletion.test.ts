import { memoryObjects } from '@medzen/adapters-local';
import { MedzenError, type ObjectStore, type Recording } from '@medzen/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Clinic, openClinic, startInput } from '../packages/recording/test/clinic.ts';
import { pgWire, sqlStores } from '../packages/sql/src/index.ts';
import { type FreshDatabase, freshDatabase } from './postgres.ts';

/** Deletions against what may go wrong around them, in memory and on Postgres. */

const graceEnds = '2034-02-20T05:00:00.000Z';
const minute = 60_000;
const day = 1440 * minute;
const legal = { matter: 'm', reason: 'r' };

let db: FreshDatabase | undefined;
let clinic: Clinic;

async function open(over: 'memory' | 'Postgres'): Promise<void> {
  if (over === 'memory') clinic = await openClinic();
  else {
    const fresh = await freshDatabase({ test: true });
    db = fresh;
    const tick = (now: Date): Promise<unknown> =>
      fresh.pool.query('SELECT medzen.set_test_clock($1, true)', [now.toISOString()]);
    clinic = await openClinic({}, { stores: sqlStores(pgWire(fresh.pool)), tick });
  }
  await clinic.fact('birth', '1980-05-01');
}

afterEach(async () => {
  await clinic.close();
  await db?.drop();
  db = undefined;
});

/** A recording whose grace ends now, and of which people were warned. */
async function due(): Promise<Recording> {
  const { id } = await clinic.available();
  await clinic.warnedUntil(graceEnds);
  return clinic.get(id);
}

const sweep = (app = clinic.recordings) => app.sweep(clinic.scope);
const successes = async (action: string): Promise<number> =>
  (await clinic.events()).filter((event) => event.action === action && event.outcome === 'success').length;

describe.each(['memory', 'Postgres'] as const)('over %s', (over) => {
  beforeEach(() => open(over));

  test('a changed bucket proves nothing: the recording waits for its store to be configured again', async () => {
    const { id, objectPrefix } = await due();
    const moved = clinic.another({ objects: memoryObjects({ bucket: 'another' }) });
    expect(await sweep(moved)).toMatchObject({ deleted: [], deferred: [{ id, reason: 'store_not_configured' }] });
    expect((await clinic.get(id)).state).toBe('archived');
    await expect(moved.playbackUrl(id, clinic.patient)).rejects.toMatchObject({ code: 'invalid_configuration' });
    const both = clinic.another({ objects: [memoryObjects({ bucket: 'another' }), clinic.objects] });
    expect((await both.playbackUrl(id, clinic.patient)).size).toBe(65_536);
    clinic.clock.advance(2 * minute);
    expect((await sweep(both)).deleted).toEqual([id]);
    expect(await clinic.versions(objectPrefix)).toBe(0);
    expect((await clinic.get(id)).tombstone).toMatchObject({ storage: { store: 'memory', bucket: 'memory' } });
  });

  test('an empty answer where nothing was removed is missing media, and only a person may end it', async () => {
    const { id } = await due();
    // Another endpoint with a bucket of the same name, or a listing that a policy filters.
    const elsewhere = clinic.another({ objects: memoryObjects() });
    expect(await sweep(elsewhere)).toMatchObject({ deleted: [], deferred: [{ id, reason: 'media_missing' }] });
    expect(await clinic.get(id)).toMatchObject({ state: 'archived' });
    expect((await sweep(elsewhere)).postponed.deletion).toBe(1);
    const ask = (more = {}) => elsewhere.delete(id, { reason: 'the disk burnt', ...more }, clinic.admin);
    await expect(ask()).rejects.toMatchObject({ code: 'not_available', detail: { reason: 'media_missing' } });
    expect(await ask({ mediaMissing: 'accept' })).toMatchObject({
      state: 'deleted',
      tombstone: { mediaMissing: true, versionsDeleted: 0, bytesDeleted: 0, reason: 'the disk burnt', deletedBy: 'a1' },
    });
  });

  test('a bucket that answers empty in the middle of a deletion proves nothing either', async () => {
    const { id, object } = await due();
    const failing: ObjectStore = {
      ...clinic.objects,
      deleteVersions: () => Promise.reject(new MedzenError('store_unavailable', 'down', { retryable: true })),
      listVersions: async (prefix, options) => {
        const page = await clinic.objects.listVersions(prefix, options);
        // All that this worker sees is a marker; the media comes with the next listing.
        return { versions: page.versions.map((one) => ({ ...one, versionId: `${one.versionId}x` })) };
      },
    };
    expect(await sweep(clinic.another({ objects: failing }))).toMatchObject({
      deferred: [{ reason: 'media_missing' }],
    });
    expect(await clinic.objects.head(object?.key ?? '', object?.versionId)).toBeDefined();
    expect((await clinic.get(id)).state).toBe('archived');
  });

  test('a provider account that changed is not asked: it would say of everything that it is gone', async () => {
    const { id } = await due();
    const other = clinic.another({ providers: { twilio: { ...clinic.provider, account: 'ACother' } } });
    expect(await sweep(other)).toMatchObject({ deleted: [], deferred: [{ id, reason: 'provider_account_changed' }] });
    expect(await successes('recording.delete_start')).toBe(0);
  });

  test('a locked recording goes back, a treatment in between keeps it, and the lock stands in row and report', async () => {
    const { id, object } = await due();
    const version = { key: object?.key ?? '', versionId: object?.versionId ?? '' };
    const lockedUntil = '2035-01-01T00:00:00.000Z';
    clinic.objects.setLocked(version, { retainUntil: new Date(lockedUntil), mode: 'compliance' });
    expect(await sweep()).toMatchObject({
      deferred: [{ id, reason: 'locked', lockedUntil }],
      canceled: [id],
      versions: 0,
    });
    expect(await clinic.get(id)).toMatchObject({ state: 'archived', lock: { lockedUntil, mode: 'compliance' } });
    expect(await successes('recording.delete_cancel')).toBe(1);
    // Known to be locked: no further deletion begins.
    clinic.clock.advance(day);
    expect(await sweep()).toMatchObject({ deferred: [{ id, reason: 'locked' }], canceled: [] });
    expect(await successes('recording.delete_start')).toBe(1);
    expect((await clinic.recordings.playbackUrl(id, clinic.patient)).size).toBe(65_536);
    await clinic.fact('treatment', '2034-02-20');
    expect((await sweep()).restored).toEqual([id]);
    clinic.clock.set('2035-02-01T00:00:00.000Z');
    expect((await sweep()).deleted).toEqual([]);
    expect((await clinic.get(id)).state).toBe('available');
  });

  test('a hold, a request or a fact between the intent and the first removal stops it, at every one of the steps', async () => {
    const rivals = [
      (id: string) => clinic.recordings.legalHold.place({ target: { recordingId: id }, ...legal }, clinic.admin),
      () => clinic.recordings.legalHold.place({ target: { patient: 'p1' }, ...legal }, clinic.admin),
      (id: string) => clinic.recordings.accessRequests.open({ target: { recordingId: id } }, clinic.patient),
      () => clinic.fact('treatment', '2034-02-19'),
    ];
    const { id, objectPrefix } = await due();
    for (const rival of rivals) {
      let done = false;
      const raced: ObjectStore = {
        ...clinic.objects,
        // After the intent was committed, and before anything was removed.
        abortUploads: async (...args) => {
          if (!done) await rival(id);
          done = true;
          return clinic.objects.abortUploads(...args);
        },
      };
      expect(await sweep(clinic.another({ objects: raced }))).toMatchObject({ deleted: [], canceled: [id] });
      expect(await clinic.versions(objectPrefix)).toBe(1);
      expect(['archived', 'available']).toContain((await clinic.get(id)).state);
      for (const hold of await clinic.recordings.legalHold.on(id, clinic.admin))
        await clinic.recordings.legalHold.release(hold.id, clinic.admin);
      const { requests } = await clinic.recordings.accessRequests.list({ recordingId: id }, clinic.admin);
      for (const one of requests)
        await clinic.recordings.accessRequests.close(one.id, { outcome: 'provided' }, clinic.admin);
      clinic.clock.advance(day);
    }
  });

  test('the tombstone counts each version once, whoever died when, and however stale a listing is', async () => {
    const { id, objectPrefix } = await due();
    for (let i = 0; i < 1500; i++)
      await clinic.objects.put(`${objectPrefix}extra-${i % 50}`, new Uint8Array(10), { contentType: 'video/mp4' });
    let calls = 0;
    let first: Awaited<ReturnType<ObjectStore['listVersions']>> | undefined;
    const dying: ObjectStore = {
      ...clinic.objects,
      listVersions: async (prefix, options) => {
        const page = await clinic.objects.listVersions(prefix, options);
        first ??= page;
        // Once everything is gone, the first page is shown twice more.
        return page.versions.length === 0 && calls++ < 2 ? { versions: first.versions } : page;
      },
      deleteVersions: async (versions, options) => {
        const result = await clinic.objects.deleteVersions(versions, options);
        if (calls === 0 && versions.length === 1000) throw new Error('killed');
        return result;
      },
    };
    const worker = clinic.another({ objects: dying });
    for (let i = 0; i < 4; i++) {
      await sweep(worker);
      clinic.clock.advance(60 * minute);
    }
    const { state, tombstone } = await clinic.get(id);
    expect([state, tombstone?.versionsDeleted, tombstone?.bytesDeleted]).toEqual(['deleted', 1501, 65_536 + 15_000]);
    expect(await successes('recording.delete')).toBe(1);
  });

  test('a person’s reason and name stand in the tombstone, though the sweep finishes the deletion', async () => {
    const { id } = await due();
    clinic.fault = (method, when) => {
      if (method === 'recordings.finishDeletion' && when === 'before') throw new Error('killed');
    };
    const asked = await clinic.recordings.delete(id, { reason: 'erasure request 12' }, clinic.admin);
    expect(asked.state).toBe('deleting');
    clinic.fault = undefined;
    clinic.clock.advance(60 * minute);
    expect((await sweep()).deleted).toEqual([id]);
    expect((await clinic.get(id)).tombstone).toMatchObject({
      reason: 'erasure request 12',
      deletedBy: 'a1',
      ruleIds: ['us-ga-psychologist'],
      versionsDeleted: 1,
      bytesDeleted: 65_536,
    });
  });

  test('copies that a deletion does not reach are named', async () => {
    const { id } = await due();
    const otherCopies = [{ name: 'replica in us-west-2' }, { name: 'nightly backup', keptDays: 35 }];
    await sweep(clinic.another({ otherCopies }));
    expect((await clinic.get(id)).tombstone?.otherCopies).toEqual([
      { name: 'replica in us-west-2' },
      { name: 'nightly backup', goneBy: '2034-03-27T05:00:00.000Z' },
    ]);
  });

  test('while the bytes exist a patient plays and saves their recording, and a request keeps it and falls due', async () => {
    const { id } = await due();
    await clinic.recordings.playbackUrl(id, clinic.patient);
    await clinic.recordings.downloadUrl(id, clinic.patient);
    const { requests } = clinic.recordings.accessRequests
      ? await clinic.recordings.accessRequests.list({}, clinic.admin)
      : { requests: [] };
    expect(requests).toEqual([]);
    const opened = await clinic.recordings.accessRequests.open({ target: { recordingId: id } }, clinic.patient);
    expect(opened).toMatchObject({ requestedBy: 'p1', dueAt: '2034-03-22T05:00:00.000Z', tooLate: [] });
    expect(await sweep()).toMatchObject({ deleted: [], overdueAccessRequests: [] });
    await expect(clinic.recordings.delete(id, { reason: 'r' }, clinic.admin)).rejects.toMatchObject({ code: 'held' });
    clinic.clock.set('2034-03-23T00:00:00.000Z');
    expect((await sweep()).overdueAccessRequests).toEqual([{ id: opened.id, dueAt: opened.dueAt }]);
    const extended = await clinic.recordings.accessRequests.extend(
      opened.id,
      { reason: 'stored off site' },
      clinic.doctor,
    );
    expect(extended.dueAt).toBe('2034-04-21T05:00:00.000Z');
    await expect(
      clinic.recordings.accessRequests.extend(opened.id, { reason: 'again' }, clinic.doctor),
    ).rejects.toMatchObject({ code: 'conflict' });
    expect((await sweep()).overdueAccessRequests).toEqual([]);
    await clinic.recordings.accessRequests.close(opened.id, { outcome: 'provided' }, clinic.doctor);
    expect((await sweep()).deleted).toEqual([id]);
    await expect(clinic.recordings.playbackUrl(id, clinic.patient)).rejects.toMatchObject({ code: 'gone' });
    const target = { recordingId: id };
    await expect(clinic.recordings.accessRequests.open({ target }, clinic.stranger)).rejects.toMatchObject({
      code: 'too_late',
    });
  });

  test('a hold on a patient names the recording of which something is gone', async () => {
    const { id } = await due();
    clinic.fault = (method, when) => {
      if (method === 'recordings.finishDeletion' && when === 'before') throw new Error('killed');
    };
    await sweep();
    clinic.fault = undefined;
    await expect(clinic.recordings.playbackUrl(id, clinic.patient)).rejects.toMatchObject({ code: 'not_available' });
    const hold = await clinic.recordings.legalHold.place({ target: { patient: 'p1' }, ...legal }, clinic.admin);
    expect(hold.tooLate).toEqual([id]);
    expect((await clinic.events()).at(-1)).toMatchObject({
      action: 'hold.place',
      outcome: 'failed',
      target: { type: 'recording', id },
      detail: { code: 'too_late' },
    });
  });

  test('patients who cannot be reached delay nobody: the queue passes them by until their turn comes again', async () => {
    const made: Recording[] = [];
    for (let i = 0; i < 6; i++) {
      const session = `s-${i}`;
      await clinic.consent(session);
      made.push(await clinic.recordings.start(startInput(clinic.server.createRoom(), session), clinic.doctor));
    }
    for (const { providerRef } of made) clinic.server.endRoom(providerRef);
    for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
    for (const { providerRef } of made) clinic.server.finishCompositions(providerRef);
    for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
    await clinic.recordings.transferDue(clinic.scope);
    const unreachable = new Set(made.slice(0, 5).map(({ id }) => id));
    const asked: string[] = [];
    const app = clinic.another({
      notifier: {
        retentionWarning: async ({ recordingId }) => {
          asked.push(recordingId);
          if (unreachable.has(recordingId)) throw new Error('no address');
        },
      },
    });
    clinic.clock.set('2034-01-22T05:00:00.000Z');
    expect((await app.sweep(clinic.scope, { limit: 6 })).warned).toEqual([made.at(-1)?.id]);
    asked.length = 0;
    const next = await app.sweep(clinic.scope, { limit: 6 });
    expect([next.postponed.warning, asked]).toEqual([5, []]);
  });

  test('a store that never answers holds no sweep, and an abort ends the wait at once', async () => {
    const { id } = await due();
    const silent: ObjectStore = { ...clinic.objects, listVersions: () => new Promise(() => {}) };
    const app = clinic.another({ objects: silent, timeouts: { objectsMs: 30 } });
    expect(await sweep(app)).toMatchObject({ failed: [{ id, step: 'delete', code: 'store_unavailable' }] });
    clinic.clock.advance(day);
    const stop = new AbortController();
    const waiting: ObjectStore = {
      ...clinic.objects,
      listVersions: () => {
        stop.abort();
        return new Promise(() => {});
      },
    };
    const report = await clinic.another({ objects: waiting }).sweep(clinic.scope, { signal: stop.signal });
    expect(report).toMatchObject({ stopped: 'aborted', deleted: [] });
    expect((await sweep()).deleted).toEqual([id]);
  });
});
