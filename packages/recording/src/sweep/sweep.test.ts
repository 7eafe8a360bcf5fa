import type { Recording } from '@medzen/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic } from '../../test/clinic.ts';
import { createRecordings } from '../create-recordings.ts';
import { createRetention } from '../retention/create-retention.ts';
import { georgiaPsychologist } from '../retention/policy.ts';
import { retentionRules } from '../retention/rules.generated.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
  await clinic.fact('birth', '1980-05-01');
});
afterEach(() => clinic.close());

/** Of a recording made on 2026-11-21. */
const retained = '2033-11-22T05:00:00.000Z';
const warning = '2034-01-21T05:00:00.000Z';
const graceEnds = '2034-02-20T05:00:00.000Z';
const nothing = {
  warned: [],
  archived: [],
  restored: [],
  deleted: [],
  deferred: [],
  failed: [],
  poisoned: [],
  stuck: [],
};
const minute = 60_000;

async function tombstones(): Promise<number> {
  return (await clinic.events()).filter(({ action, outcome }) => action === 'recording.delete' && outcome === 'success')
    .length;
}

/** Several available recordings of the same patient, each of its own session. */
async function several(count: number): Promise<Recording[]> {
  const made: Recording[] = [];
  for (let i = 0; i < count; i++) {
    const { id, providerRef } = await clinic.start(`s-${i}`);
    clinic.server.endRoom(providerRef);
    for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
    clinic.server.finishCompositions(providerRef);
    for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
    made.push(await clinic.recordings.transfer(id, clinic.scope));
  }
  return made;
}

describe('sweep', () => {
  it('carries a recording from available through archive and warning to its tombstone, each exactly on its day', async () => {
    const { id, objectPrefix } = await clinic.available();
    const at = async (instant: string, before = 0) => {
      clinic.clock.set(new Date(Date.parse(instant) - before));
      return clinic.recordings.sweep(clinic.scope);
    };
    expect(await at(retained, 1)).toMatchObject(nothing);
    expect(await at(retained)).toMatchObject({ ...nothing, archived: [id] });
    expect(await at(warning, 1)).toMatchObject(nothing);
    expect(await at(warning)).toMatchObject({ ...nothing, warned: [id] });
    expect(clinic.warnings).toMatchObject([{ recordingId: id, deadline: graceEnds, patient: 'p1', held: false }]);
    expect(await at(graceEnds, 1)).toMatchObject(nothing);
    expect(await at(graceEnds)).toMatchObject({ ...nothing, deleted: [id], versions: 1, bytes: 65_536 });
    expect(await at(graceEnds)).toMatchObject(nothing);
    expect(await clinic.get(id)).toMatchObject({
      state: 'deleted',
      tombstone: { deletedBy: 'sweep', ruleIds: ['us-ga-psychologist'], provedEmptyAt: graceEnds },
    });
    expect((await clinic.get(id)).object).toBeUndefined();
    expect(await clinic.versions(objectPrefix)).toBe(0);
    expect((await clinic.events()).map(({ action }) => action)).toEqual(
      expect.arrayContaining([
        'recording.archive',
        'recording.retention_warning',
        'recording.delete_start',
        'recording.delete',
      ]),
    );
  });

  it('warns once of a deadline, and again when it has moved', async () => {
    await clinic.available();
    clinic.clock.set(warning);
    await clinic.recordings.sweep(clinic.scope);
    await clinic.recordings.sweep(clinic.scope);
    expect(clinic.warnings).toHaveLength(1);
    await clinic.fact('treatment', '2034-01-20');
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ restored: [expect.any(String)], warned: [] });
    clinic.clock.set('2041-03-22T04:00:00.000Z');
    expect((await clinic.recordings.sweep(clinic.scope)).warned).toHaveLength(1);
    expect(clinic.warnings.map(({ deadline }) => deadline)).toEqual([graceEnds, '2041-04-21T04:00:00.000Z']);
  });

  it('warns again when it died between telling and noting, never the other way round', async () => {
    await clinic.available();
    clinic.clock.set(warning);
    clinic.fault = (method, when) => {
      if (method === 'recordings.recordWarning' && when === 'before') throw down();
    };
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ warned: [], failed: [{ step: 'warn' }] });
    clinic.fault = undefined;
    clinic.clock.advance(minute);
    expect((await clinic.recordings.sweep(clinic.scope)).warned).toHaveLength(1);
    expect(clinic.warnings).toHaveLength(2);
  });

  it('leaves a warning due when nobody could be told', async () => {
    await clinic.available();
    clinic.clock.set(warning);
    const deaf = clinic.another({
      notifier: { retentionWarning: () => Promise.reject(new Error('mail server says no to p1@example.com')) },
    });
    expect(await deaf.sweep(clinic.scope)).toMatchObject({ warned: [], failed: [{ step: 'warn', code: 'internal' }] });
    clinic.clock.advance(minute);
    expect((await clinic.recordings.sweep(clinic.scope)).warned).toHaveLength(1);
  });

  it('tells everybody else, though one more than it may look at can never be told', async () => {
    const made = await several(4);
    clinic.clock.set(graceEnds);
    const unreachable = new Set(made.slice(0, 2).map(({ id }) => id));
    const deaf = clinic.another({
      notifier: {
        retentionWarning: async ({ recordingId }) => {
          if (unreachable.has(recordingId)) throw new Error('No such address');
        },
      },
    });
    const reports = [];
    for (let run = 0; run < 2; run++) reports.push(await deaf.sweep(clinic.scope, { limit: 1 }));
    const others = made.slice(2).map(({ id }) => id);
    expect(reports.flatMap(({ warned }) => warned).toSorted()).toEqual(others.toSorted());
    expect(new Set(reports.flatMap(({ failed }) => failed.map(({ id }) => id)))).toEqual(unreachable);
  });

  it('goes on when the host never answers a warning, and gives up on warnings after three in a row', async () => {
    const made = await several(5);
    let asked = 0;
    const silent = clinic.another({
      timeouts: { providerMs: 10 },
      notifier: {
        retentionWarning: () => {
          asked += 1;
          return new Promise<never>(() => {});
        },
      },
    });
    clinic.clock.set(new Date(warning));
    const { warned, failed, stopped } = await silent.sweep(clinic.scope);
    expect({ asked, warned, stopped }).toEqual({ asked: 3, warned: [], stopped: undefined });
    expect(failed.map(({ step, code }) => `${step} ${code}`)).toEqual(Array(3).fill('warn provider_unavailable'));
    // The two that stood behind them are told first, and those three when it is their turn again.
    expect((await clinic.recordings.sweep(clinic.scope)).warned).toHaveLength(2);
    clinic.clock.advance(24 * 60 * minute);
    await clinic.recordings.sweep(clinic.scope);
    expect(clinic.warnings.map(({ recordingId }) => recordingId).toSorted()).toEqual(
      made.map(({ id }) => id).toSorted(),
    );
  });

  it('ends a warning that is not answered when it is told to stop, and holds it against nobody', async () => {
    await clinic.available();
    const stop = new AbortController();
    const silent = clinic.another({
      notifier: {
        retentionWarning: (_, signal) => {
          stop.abort();
          return new Promise<never>((_resolve, reject) => {
            if (signal.aborted) reject(signal.reason);
          });
        },
      },
    });
    clinic.clock.set(new Date(warning));
    const report = await silent.sweep(clinic.scope, { signal: stop.signal });
    expect(report).toMatchObject({ warned: [], failed: [], stopped: 'aborted' });
    expect((await clinic.recordings.sweep(clinic.scope)).warned).toHaveLength(1);
  });

  it('deletes nothing before the store’s clock too has come to the end of the notice', async () => {
    const { id } = await clinic.available();
    clinic.clock.set(graceEnds);
    expect((await clinic.recordings.sweep(clinic.scope)).warned).toEqual([id]);
    const ahead = clinic.another({ clock: { now: () => new Date(clinic.clock.now().getTime() + 23 * 60 * minute) } });
    clinic.clock.advance(30 * 24 * 60 * minute - 1);
    expect((await ahead.sweep(clinic.scope)).deleted).toEqual([]);
    await expect(ahead.delete(id, { reason: 'asked for' }, clinic.admin)).rejects.toMatchObject({
      code: 'retention_active',
    });
    clinic.clock.advance(1);
    expect((await ahead.sweep(clinic.scope)).deleted).toEqual([id]);
  });

  it('tells nobody a date by a clock that is more than a day behind the store, or ahead of a store that is', async () => {
    const { id } = await clinic.available();
    clinic.clock.set(graceEnds);
    const behind = clinic.another({ clock: { now: () => new Date(Date.parse(graceEnds) - 25 * 60 * minute) } });
    expect(await behind.sweep(clinic.scope)).toMatchObject({
      warned: [],
      failed: [{ id, step: 'warn', code: 'invalid_configuration' }],
    });
    expect(clinic.warnings).toEqual([]);
    expect((await clinic.recordings.sweep(clinic.scope)).warned).toEqual([id]);
  });

  it('deletes nothing of whose deadline nobody could be told, nor until the notice has passed since somebody was', async () => {
    const { id } = await clinic.available();
    const deaf = clinic.another({ notifier: { retentionWarning: () => Promise.reject(new Error('mail is down')) } });
    clinic.clock.set('2035-01-01T12:00:00.000Z');
    expect(await deaf.sweep(clinic.scope)).toMatchObject({ warned: [], deleted: [], failed: [{ id, step: 'warn' }] });
    clinic.clock.set('2035-01-02T12:00:00.000Z');
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ warned: [id], deleted: [] });
    const deadline = '2035-02-01T12:00:00.000Z';
    expect(clinic.warnings).toMatchObject([{ recordingId: id, deadline }]);
    clinic.clock.set(new Date(Date.parse(deadline) - 1));
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ warned: [], deleted: [] });
    clinic.clock.set(deadline);
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ warned: [], deleted: [id] });
  });

  it('gives thirty days of notice when the warning goes out two days before the end of the grace', async () => {
    const { id } = await clinic.available();
    clinic.clock.set(new Date(Date.parse(graceEnds) - 2 * 24 * 60 * minute));
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ warned: [id] });
    const deadline = new Date(Date.parse(graceEnds) + 28 * 24 * 60 * minute).toISOString();
    expect(clinic.warnings.map((warning) => warning.deadline)).toEqual([deadline]);
    expect((await clinic.events()).at(-1)).toMatchObject({ action: 'recording.archive' });
    clinic.clock.set(graceEnds);
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([]);
    const refused = clinic.recordings.delete(id, { reason: 'asked for' }, clinic.admin);
    await expect(refused).rejects.toMatchObject({
      code: 'retention_active',
      detail: { status: 'warn', graceUntil: graceEnds, deletableAt: deadline },
    });
    clinic.clock.set(deadline);
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([id]);
  });

  it('counts the notice from the warning in the log where the host gave nobody to tell', async () => {
    const { id } = await clinic.available();
    const { recordings: store, ...rest } = clinic.stores;
    const silent = createRecordings({
      stores: { recordings: store, ...rest },
      objects: clinic.objects,
      providers: { twilio: clinic.provider },
      retention: createRetention({ rules: retentionRules, policies: [georgiaPsychologist] }),
      clock: clinic.clock,
    });
    clinic.clock.set(graceEnds);
    expect(await silent.sweep(clinic.scope)).toMatchObject({ warned: [id], deleted: [] });
    clinic.clock.advance(30 * 24 * 60 * minute);
    expect((await silent.sweep(clinic.scope)).deleted).toEqual([id]);
    expect((await clinic.events()).map(({ action }) => action)).toContain('recording.retention_warning');
  });

  it('gives each its notice when more warnings are due than one run may look at', async () => {
    const made = await several(3);
    clinic.clock.set(graceEnds);
    const reports = [];
    for (const day of [0, 1, 29, 1, 1, 1]) {
      clinic.clock.advance(day * 24 * 60 * minute);
      const { warned, deleted } = await clinic.recordings.sweep(clinic.scope, { limit: 2 });
      reports.push([warned.length, deleted.length]);
    }
    expect(reports).toEqual([
      [2, 0],
      [1, 0],
      [0, 2],
      [0, 1],
      [0, 0],
      [0, 0],
    ]);
    for (const { id } of made) expect((await clinic.get(id)).state).toBe('deleted');
  });

  it('brings an archived recording back when a new treatment moves the date, and cancels its deletion', async () => {
    const { id } = await clinic.available();
    clinic.clock.set(retained);
    await clinic.recordings.sweep(clinic.scope);
    await clinic.warnedUntil(graceEnds);
    await clinic.fact('treatment', '2034-02-01');
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ restored: [id], deleted: [] });
    expect((await clinic.get(id)).state).toBe('available');
    expect((await clinic.recordings.playbackUrl(id, clinic.patient)).url).toContain('http');
  });

  it('does nothing at all when its clock is more than a day ahead of the store, whoever asks', async () => {
    const { id, objectPrefix } = await clinic.available();
    const wrong = clinic.another({ clock: { now: () => new Date(graceEnds) } });
    const refusal = { code: 'invalid_configuration', detail: { aheadSeconds: expect.any(Number) } };
    await expect(wrong.sweep(clinic.scope)).rejects.toMatchObject(refusal);
    await expect(clinic.recordings.sweep(clinic.scope, { now: new Date(graceEnds) })).rejects.toMatchObject(refusal);
    await expect(clinic.recordings.sweep(clinic.scope, { now: new Date(Number.NaN) })).rejects.toMatchObject({
      code: 'invalid_configuration',
    });
    await expect(wrong.delete(id, { reason: 'asked for' }, clinic.admin)).rejects.toMatchObject(refusal);
    expect((await clinic.stores.recordings.get(clinic.scope, id))?.state).toBe('available');
    expect((await clinic.objects.listVersions(objectPrefix)).versions.length).toBeGreaterThan(0);
  });

  it('deletes nothing under a hold, and what is released at the next run', async () => {
    const { id } = await clinic.available();
    const hold = await clinic.recordings.legalHold.place(
      { target: { patient: 'p1' }, matter: 'm', reason: 'r' },
      clinic.admin,
    );
    await clinic.warnedUntil(graceEnds);
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([]);
    await clinic.recordings.legalHold.release(hold.id, clinic.admin);
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([id]);
  });

  it('lets a hold win that comes between the claim and the intent', async () => {
    const { id, objectPrefix } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    await clinic.recordings.sweep(clinic.scope, { now: new Date(retained) });
    let once = true;
    const racing = clinic.another({
      stores: {
        ...clinic.stores,
        recordings: {
          ...clinic.stores.recordings,
          beginDeletion: async (...args) => {
            if (once) {
              once = false;
              await clinic.recordings.legalHold.place(
                { target: { recordingId: id }, matter: 'm', reason: 'r' },
                clinic.admin,
              );
            }
            return clinic.stores.recordings.beginDeletion(...args);
          },
        },
      },
    });
    expect(await racing.sweep(clinic.scope)).toMatchObject({ deleted: [], deferred: [{ id, reason: 'held' }] });
    expect(await clinic.versions(objectPrefix)).toBe(1);
  });

  it('lets a treatment win that comes between the claim and the intent', async () => {
    const { id, objectPrefix } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    let once = true;
    const racing = clinic.another({
      stores: {
        ...clinic.stores,
        recordings: {
          ...clinic.stores.recordings,
          beginDeletion: async (...args) => {
            if (once) await clinic.fact('treatment', '2034-02-19');
            once = false;
            return clinic.stores.recordings.beginDeletion(...args);
          },
        },
      },
    });
    expect(await racing.sweep(clinic.scope)).toMatchObject({ deleted: [], deferred: [{ id, reason: 'stale' }] });
    clinic.clock.advance(60 * minute);
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([]);
    expect(await clinic.versions(objectPrefix)).toBe(1);
  });

  it('finishes what has begun, whatever is noted afterwards: some of it is gone already', async () => {
    const { id } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    clinic.fault = (method, when) => {
      if (method === 'recordings.finishDeletion' && when === 'before') throw down();
    };
    expect((await clinic.recordings.sweep(clinic.scope)).failed).toMatchObject([{ id, step: 'delete' }]);
    clinic.fault = undefined;
    await clinic.fact('treatment', '2034-02-19');
    clinic.clock.advance(60 * minute);
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([id]);
  });

  it.each([
    'recordings.claimExpired',
    'recordings.facts',
    'recordings.beginDeletion',
    'objects.abortUploads',
    'objects.listVersions',
    'objects.deleteVersions',
    'recordings.finishDeletion',
  ])('converges on one tombstone when it dies before or after %s', async (method) => {
    for (const when of ['before', 'after'] as const) {
      const { id, objectPrefix } = await clinic.available();
      await clinic.warnedUntil(graceEnds);
      await clinic.recordings.sweep(clinic.scope, { now: new Date(retained) });
      let armed = true;
      clinic.fault = (called, moment) => {
        // Once dead, dead: nothing more of that process reaches a store, not even the release of its claim.
        if (armed && !(called === method && moment === when)) return;
        armed = false;
        throw down();
      };
      await clinic.recordings.sweep(clinic.scope).catch(() => {});
      expect(armed).toBe(false);
      clinic.fault = undefined;
      clinic.clock.advance(60 * minute);
      const left = (await clinic.get(id)).state;
      const report = await clinic.recordings.sweep(clinic.scope);
      expect(report.deleted).toEqual(left === 'deleted' ? [] : [id]);
      expect([(await clinic.get(id)).state, await clinic.versions(objectPrefix), await tombstones()]).toEqual([
        'deleted',
        0,
        1,
      ]);
      await clinic.close();
      clinic = await openClinic();
      await clinic.fact('birth', '1980-05-01');
    }
  });

  it('makes one tombstone when two run at once', async () => {
    const made = await several(6);
    await clinic.warnedUntil(graceEnds);
    const reports = await Promise.all([1, 2, 3].map(() => clinic.another().sweep(clinic.scope)));
    expect(reports.flatMap(({ deleted }) => deleted).sort()).toEqual(made.map(({ id }) => id).sort());
    expect(await tombstones()).toBe(6);
  });

  it('makes one tombstone when a slow run comes back after its lease', async () => {
    const { id } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached = (): void => {};
    const arrived = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const slow = clinic.another({
      providers: {
        twilio: {
          ...clinic.provider,
          discard: async (recording) => {
            reached();
            await held;
            return clinic.provider.discard(recording);
          },
        },
      },
    });
    const first = slow.sweep(clinic.scope, { leaseMs: 1000 });
    await arrived;
    clinic.clock.advance(30 * minute);
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([id]);
    release();
    expect(await first).toMatchObject({ deleted: [], deferred: [{ id, reason: 'lease_lost' }] });
    expect(await tombstones()).toBe(1);
  });

  it('defers what the object store has locked, deletes the rest of it, and finishes when the lock ends', async () => {
    const { id, objectPrefix, object } = await clinic.available();
    await clinic.objects.put(`${objectPrefix}z`, new Uint8Array(5), { contentType: 'image/png' });
    const locked = { key: object?.key ?? '', versionId: object?.versionId ?? '' };
    clinic.objects.setLocked(locked, true);
    await clinic.warnedUntil(graceEnds);
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({
      deleted: [],
      deferred: [{ id, reason: 'locked' }],
      versions: 1,
    });
    clinic.objects.setLocked(locked, false);
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([]);
    clinic.clock.advance(60 * minute);
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([id]);
  });

  it('tries again when the store asks for patience, and lists again until nothing is left', async () => {
    const { id, objectPrefix } = await clinic.available();
    for (let i = 0; i < 25; i++)
      await clinic.objects.put(`${objectPrefix}part-${i % 5}`, new Uint8Array(1), { contentType: 'video/mp4' });
    await clinic.warnedUntil(graceEnds);
    let busy = 3;
    const slow = clinic.another({
      objects: {
        ...clinic.objects,
        listVersions: (prefix, options) => clinic.objects.listVersions(prefix, { ...options, limit: 7 }),
        deleteVersions: async (versions) => {
          busy -= 1;
          if (busy >= 0)
            return { deleted: [], errors: versions.map((one) => ({ ...one, reason: 'transient', code: 'SlowDown' })) };
          return clinic.objects.deleteVersions(versions);
        },
      },
    });
    expect(await slow.sweep(clinic.scope)).toMatchObject({ deleted: [id], versions: 26 });
  });

  it('sets a poisoned row aside, reports it, and lets it starve nobody', async () => {
    const made = await several(3);
    const bad = made[0]?.id ?? '';
    clinic.clock.set(warning);
    expect((await clinic.recordings.sweep(clinic.scope)).warned).toHaveLength(3);
    await clinic.warnedUntil(graceEnds);
    const cursed = clinic.another({
      objects: {
        ...clinic.objects,
        abortUploads: (prefix) =>
          prefix.includes(bad) ? Promise.reject(new Error('no such bucket')) : clinic.objects.abortUploads(prefix),
      },
    });
    const first = await cursed.sweep(clinic.scope, { limit: 2 });
    const second = await cursed.sweep(clinic.scope, { limit: 2 });
    expect([...first.deleted, ...second.deleted].sort()).toEqual(
      made
        .slice(1)
        .map(({ id }) => id)
        .sort(),
    );
    expect(first.failed).toMatchObject([{ id: bad, step: 'delete', code: 'internal', attempts: 1 }]);
    let poisoned: readonly string[] = [];
    for (let day = 0; day < 6; day++) {
      clinic.clock.advance(24 * 60 * minute);
      poisoned = (await cursed.sweep(clinic.scope)).poisoned;
    }
    expect(poisoned).toEqual([bad]);
  });

  it('keeps what it finished when it is stopped', async () => {
    const made = await several(4);
    await clinic.warnedUntil(graceEnds);
    const stop = new AbortController();
    let done = 0;
    clinic.fault = (method, when) => {
      if (method !== 'recordings.finishDeletion' || when !== 'after') return;
      done += 1;
      if (done === 2) stop.abort();
    };
    const report = await clinic.recordings.sweep(clinic.scope, { signal: stop.signal });
    expect([report.deleted.length, report.stopped]).toEqual([2, 'aborted']);
    clinic.fault = undefined;
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toHaveLength(made.length - 2);
  });

  it('says that it stopped when the store went away', async () => {
    await clinic.available();
    clinic.clock.set(graceEnds);
    clinic.fault = (method) => {
      if (method === 'recordings.claimExpired') throw down();
    };
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({
      archived: [expect.any(String)],
      stopped: 'store_unavailable',
    });
  });

  it('touches nothing of another tenant, whose recordings may lie beside it', async () => {
    const { id, objectPrefix } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    expect(await clinic.recordings.sweep({ tenant: 'elsewhere' })).toMatchObject(nothing);
    const neighbour = `${objectPrefix.slice(0, -1)}0/media`;
    await clinic.objects.put(neighbour, new Uint8Array(1), { contentType: 'video/mp4' });
    expect((await clinic.recordings.sweep(clinic.scope)).deleted).toEqual([id]);
    expect(await clinic.versions(neighbour)).toBe(1);
  });

  it('decides everything again when the rules change, and keeps longer from then on', async () => {
    const { id } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    const longer = createRetention({
      rules: retentionRules.map((rule) => ({ ...rule, adultYears: 20 })),
      policies: [georgiaPsychologist],
    });
    expect(await clinic.another({ retention: longer }).sweep(clinic.scope)).toMatchObject({ decided: 1, deleted: [] });
    expect((await clinic.get(id)).state).toBe('available');
  });

  it('sets a row aside that the rules cannot judge', async () => {
    const made = await several(2);
    const [bad] = made;
    const retention = createRetention({ rules: retentionRules, policies: [{ ...georgiaPsychologist, graceDays: 91 }] });
    const confused = clinic.another({
      retention: {
        ...retention,
        evaluate: (input, now) => {
          if (input.startedAt === bad?.startedAt) throw new RangeError('a zone that this runtime does not know');
          return retention.evaluate(input, now);
        },
      },
    });
    clinic.clock.advance(minute);
    const { id } = await clinic.start('s-9').catch(() => ({ id: '' }));
    expect(id).not.toBe('');
    const report = await confused.sweep(clinic.scope);
    expect(report.failed.every(({ step }) => step === 'decide')).toBe(true);
    expect(report.failed.map(({ id: failed }) => failed)).toContain(bad?.id);
    expect((await clinic.get(bad?.id ?? '')).decision).not.toHaveProperty('graceUntil');
    expect((await confused.sweep(clinic.scope)).failed).toEqual([]);
  });

  it.each(['recordings.facts', 'recordings.saveDecision'])(
    'judges a row again that the rules can judge, though the store failed oddly: %s',
    async (method) => {
      const { id } = await clinic.available();
      await clinic.fact('treatment', '2026-11-21');
      clinic.fault = (called) => {
        if (called !== method) return;
        clinic.fault = undefined;
        throw new TypeError('fetch failed');
      };
      expect((await clinic.recordings.sweep(clinic.scope)).failed).toMatchObject([{ id, step: 'decide' }]);
      expect((await clinic.get(id)).decision).not.toMatchObject({ undated: 'unjudged' });
      expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ decided: 1, failed: [] });
      expect((await clinic.get(id)).decision).toMatchObject({ graceUntil: graceEnds });
    },
  );

  it('reports a capture that goes on for more than a day, and stops it after a week', async () => {
    const { id } = await clinic.start();
    clinic.clock.advance(24 * 60 * minute);
    expect((await clinic.recordings.sweep(clinic.scope)).stuck).toEqual([]);
    clinic.clock.advance(60 * minute);
    expect((await clinic.recordings.sweep(clinic.scope)).stuck).toEqual([id]);
    expect(await clinic.get(id)).toMatchObject({ state: 'recording' });
    clinic.clock.advance(6 * 24 * 60 * minute);
    expect((await clinic.recordings.sweep(clinic.scope)).stuck).toEqual([id]);
    expect(await clinic.get(id)).toMatchObject({ state: 'processing', endedAt: expect.any(String) });
    expect(clinic.server.outbox.at(-1)?.event).toBe('recording-completed');
  });

  it('asks again for media when nobody heard that the room had ended', async () => {
    const { id, providerRef } = await clinic.start();
    await clinic.recordings.stop(id, clinic.doctor);
    clinic.server.endRoom(providerRef);
    expect(clinic.server.left(providerRef).compositions).toEqual([]);
    clinic.clock.advance(11 * minute);
    await clinic.recordings.sweep(clinic.scope);
    expect(clinic.server.left(providerRef).compositions).toHaveLength(1);
  });

  it('deletes what a provider made that is no longer configured, once that provider had forgotten it', async () => {
    const { id } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    expect((await clinic.another({ providers: {} }).sweep(clinic.scope)).deleted).toEqual([id]);
  });

  it('writes no tombstone while a provider that is no longer configured may still have a copy', async () => {
    const { id } = await clinic.uploading();
    for (let i = 0; i < 30; i++) clinic.server.fail({ on: 'api', status: 503, path: /Recordings\/RT/ });
    await clinic.recordings.transfer(id, clinic.scope);
    await clinic.warnedUntil(graceEnds);
    const report = await clinic.another({ providers: {} }).sweep(clinic.scope);
    expect(report).toMatchObject({ deleted: [], deferred: [{ id, reason: 'provider_not_configured' }] });
    expect((await clinic.get(id)).state).toBe('archived');
  });

  it.each([{ limit: 0 }, { limit: 1001 }, { leaseMs: 999 }])('refuses %j', async (options) => {
    await expect(clinic.recordings.sweep(clinic.scope, options)).rejects.toMatchObject({ code: 'invalid_input' });
  });
});
