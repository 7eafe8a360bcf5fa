import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic } from '../../test/clinic.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
  await clinic.fact('birth', '1980-05-01');
});
afterEach(() => clinic.close());

const reason = { reason: 'The patient asked for it' };
/** The end of the grace of a recording made on 2026-11-21. */
const graceEnds = '2034-02-20T05:00:00.000Z';

function asked(id: string, ctx = clinic.admin): Promise<unknown> {
  return clinic.recordings.delete(id, reason, ctx).then(
    (recording) => recording,
    (error: unknown) => error,
  );
}

describe('delete', () => {
  it('is refused while the duty stands, with the date, the rule and its citation, and audited', async () => {
    const { id } = await clinic.available();
    expect(await asked(id)).toMatchObject({
      code: 'retention_active',
      detail: {
        status: 'retain',
        retainUntil: '2033-11-22T05:00:00.000Z',
        graceUntil: graceEnds,
        ruleIds: ['us-ga-psychologist'],
        citations: ['Ga. Comp. R. & Regs. 510-5-.04(2)'],
      },
    });
    expect((await clinic.events()).at(-1)).toMatchObject({
      action: 'recording.delete',
      outcome: 'denied',
      actor: { id: 'a1' },
      patient: 'p1',
      reason: reason.reason,
      detail: { code: 'retention_active' },
    });
    expect((await clinic.get(id)).state).toBe('available');
  });

  it('is refused in the grace as well, to the last millisecond', async () => {
    const { id } = await clinic.available();
    clinic.clock.set(new Date(Date.parse(graceEnds) - 1));
    expect(await asked(id)).toMatchObject({ code: 'retention_active', detail: { status: 'warn' } });
  });

  it('is refused after the grace too, until people were warned and the notice has passed', async () => {
    const { id } = await clinic.available();
    clinic.clock.set(graceEnds);
    const refused = await asked(id);
    expect(refused).toMatchObject({ code: 'retention_active', detail: { status: 'warn', graceUntil: graceEnds } });
    expect(refused).toMatchObject({ detail: { explanation: expect.stringContaining('The warning is still to come') } });
    expect(refused).not.toHaveProperty('detail.deletableAt');
    expect((await clinic.events()).at(-1)).toMatchObject({ outcome: 'denied', detail: { code: 'retention_active' } });
    await clinic.recordings.sweep(clinic.scope);
    const deletableAt = '2034-03-22T05:00:00.000Z';
    expect(await asked(id)).toMatchObject({ code: 'retention_active', detail: { deletableAt } });
    clinic.clock.set(deletableAt);
    expect(await asked(id)).toMatchObject({ state: 'deleted' });
  });

  it('is refused where no rule is known, whatever the year', async () => {
    const elsewhere = clinic.another({
      retentionClass: { jurisdiction: 'CM', providerClass: 'physician', zone: 'Africa/Douala' },
    });
    await clinic.consent('s-2');
    const { id } = await elsewhere.start(
      {
        sessionId: 's-2',
        patient: 'p1',
        participants: [
          { id: 'p1', role: 'patient' },
          { id: 'd1', role: 'provider' },
        ],
        provider: 'twilio',
        providerRef: clinic.server.createRoom(),
      },
      clinic.doctor,
    );
    clinic.clock.set('2999-01-01T00:00:00Z');
    expect(await asked(id)).toMatchObject({ code: 'retention_active', detail: { status: 'unknown' } });
  });

  it('is refused under a hold, even after the grace, and works when the hold is released', async () => {
    const { id } = await clinic.available();
    const hold = await clinic.recordings.legalHold.place(
      { target: { recordingId: id }, matter: 'Doe v. Clinic', reason: 'Letter before action' },
      clinic.admin,
    );
    await clinic.warnedUntil(graceEnds);
    expect(await asked(id)).toMatchObject({ code: 'held' });
    expect((await clinic.events()).at(-1)).toMatchObject({ outcome: 'denied', detail: { code: 'held' } });
    await clinic.recordings.legalHold.release(hold.id, clinic.admin);
    expect(await asked(id)).toMatchObject({ state: 'deleted' });
  });

  it('removes every version once the grace has ended, and leaves a tombstone that says who, why and by which rule', async () => {
    const { id, objectPrefix, object } = await clinic.available();
    await clinic.objects.put(`${objectPrefix}thumbnail`, new Uint8Array(10), { contentType: 'image/png' });
    clinic.objects.addDeleteMarker(`${objectPrefix}media`);
    await clinic.warnedUntil(graceEnds);
    expect(await asked(id)).toMatchObject({
      state: 'deleted',
      tombstone: {
        deletedBy: 'a1',
        reason: reason.reason,
        ruleIds: ['us-ga-psychologist'],
        citations: ['Ga. Comp. R. & Regs. 510-5-.04(2)'],
        versionsDeleted: 3,
        bytesDeleted: 65_546,
        sha256: object?.sha256,
        provedEmptyAt: graceEnds,
        providerNote: expect.stringContaining('30 days'),
      },
    });
    expect(await clinic.versions(objectPrefix)).toBe(0);
    await expect(clinic.recordings.playbackUrl(id, clinic.patient)).rejects.toMatchObject({ code: 'gone' });
    expect(await asked(id)).toMatchObject({ code: 'gone' });
  });

  it('leaves events that say how long and how large the media was, from the upload to the end', async () => {
    const { id, durationSeconds, object } = await clinic.available();
    expect(durationSeconds).toBeGreaterThan(0);
    await clinic.recordings.playbackUrl(id, clinic.patient);
    await clinic.recordings.downloadUrl(id, clinic.doctor);
    await clinic.warnedUntil(graceEnds);
    await asked(id);
    const said = (await clinic.events())
      .filter(({ detail }) => detail?.durationSeconds !== undefined)
      .map(({ action, detail }) => [action, detail?.durationSeconds, detail?.bytes]);
    const actions = ['upload_completed', 'view', 'download', 'delete'];
    expect(said).toEqual(actions.map((action) => [`recording.${action}`, durationSeconds, object?.size]));
  });

  it('is for those who have the role, and wants a reason', async () => {
    const { id } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    for (const ctx of [clinic.doctor, clinic.patient, clinic.stranger])
      expect(await asked(id, ctx)).toMatchObject({ code: 'forbidden' });
    expect(await asked(id, clinic.outsider)).toMatchObject({ code: 'not_found' });
    await expect(clinic.recordings.delete(id, { reason: ' ' }, clinic.admin)).rejects.toMatchObject({
      code: 'invalid_input',
    });
    expect((await clinic.get(id)).state).toBe('archived');
  });

  it('takes a new treatment into account that no sweep has seen yet', async () => {
    const { id } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    await clinic.fact('treatment', '2034-02-19');
    expect(await asked(id)).toMatchObject({
      code: 'retention_active',
      detail: { retainUntil: '2041-02-20T05:00:00.000Z' },
    });
  });

  it('begins, and leaves the rest to the sweep, when the object store fails on the way', async () => {
    const { id, objectPrefix } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    clinic.fault = (method, when) => {
      if (method === 'objects.deleteVersions' && when === 'before') throw down();
    };
    expect(await asked(id)).toMatchObject({ state: 'deleting' });
    clinic.fault = undefined;
    clinic.clock.advance(5 * 60_000);
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ deleted: [id] });
    expect(await clinic.versions(objectPrefix)).toBe(0);
  });

  it('ends a failed recording of which nothing was ever stored, after review, unless it is held', async () => {
    const { id, providerRef } = await clinic.start();
    await clinic.ingest(
      clinic.server.callback('recording-failed', {
        RoomSid: providerRef,
        RecordingSid: 'RT1',
        FailedOperation: 'encode',
      }),
    );
    expect(await asked(id)).toMatchObject({ code: 'retention_active' });
    expect(clinic.server.left(providerRef).recordings).toHaveLength(2);
    clinic.server.loseTracks(providerRef);
    clinic.server.endRoom(providerRef);
    const hold = await clinic.recordings.legalHold.place(
      { target: { patient: 'p1' }, matter: 'm', reason: 'r' },
      clinic.admin,
    );
    expect(await asked(id)).toMatchObject({ code: 'held' });
    await clinic.recordings.legalHold.release(hold.id, clinic.admin);
    const ended = await asked(id);
    expect(ended).toMatchObject({ state: 'deleted', tombstone: { versionsDeleted: 0 } });
    expect(ended).not.toHaveProperty('tombstone.mediaExpired');
  });

  it('says in the tombstone that there was media, and that the provider had let it expire', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    clinic.server.outbox.splice(0);
    await clinic.ingest(
      clinic.server.callback('recording-failed', { RoomSid: providerRef, RecordingSid: 'RT1', FailedOperation: 'x' }),
    );
    await clinic.provider.discard(await clinic.get(id));
    expect(await asked(id)).toMatchObject({
      state: 'deleted',
      failure: { code: 'media_expired' },
      tombstone: { versionsDeleted: 0, mediaExpired: true },
    });
    expect((await clinic.events()).at(-1)).toMatchObject({
      action: 'recording.delete',
      detail: { mediaExpired: true },
    });
  });

  it.each(['known', 'not known'])(
    'says so when it expired while the failed recording was kept, and that was %s',
    async (what) => {
      const { id } = await clinic.uploading();
      if (what === 'not known') {
        clinic.server.fail({ on: 'media', empty: true });
        await clinic.recordings.transferDue(clinic.scope);
      }
      await clinic.provider.discard(await clinic.get(id));
      await clinic.recordings.transferDue(clinic.scope);
      expect((await clinic.get(id)).failure?.code).toBe(what === 'known' ? 'media_expired' : 'media_empty');
      await clinic.fact('treatment', '2026-11-21');
      await clinic.warnedUntil(graceEnds);
      expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ deleted: [id] });
      expect(await clinic.get(id)).toMatchObject({ tombstone: { versionsDeleted: 0, mediaExpired: true } });
    },
  );
});

describe('legalHold', () => {
  it('comes too late once deletion has begun, and says so in the log', async () => {
    const { id } = await clinic.available();
    await clinic.warnedUntil(graceEnds);
    await asked(id);
    await expect(
      clinic.recordings.legalHold.place({ target: { recordingId: id }, matter: 'm', reason: 'r' }, clinic.admin),
    ).rejects.toMatchObject({ code: 'too_late', detail: { recordingIds: [id] } });
    expect((await clinic.events()).at(-1)).toMatchObject({ action: 'hold.place', outcome: 'denied' });
  });

  it('may stand several times at once; the last release lets go', async () => {
    const { id } = await clinic.available();
    const place = (matter: string) =>
      clinic.recordings.legalHold.place({ target: { recordingId: id }, matter, reason: 'r' }, clinic.admin);
    const [one, two] = [await place('a'), await place('b')];
    await clinic.warnedUntil(graceEnds);
    await clinic.recordings.legalHold.release(one.id, clinic.admin);
    await clinic.recordings.legalHold.release(one.id, clinic.admin);
    expect(await asked(id)).toMatchObject({ code: 'held' });
    await clinic.recordings.legalHold.release(two.id, clinic.admin);
    expect(await clinic.recordings.legalHold.on(id, clinic.admin)).toMatchObject([
      { matter: 'a', releasedBy: 'a1' },
      { matter: 'b', releasedBy: 'a1' },
    ]);
    expect(await asked(id)).toMatchObject({ state: 'deleted' });
  });

  it('on a patient covers recordings still to come', async () => {
    await clinic.recordings.legalHold.place({ target: { patient: 'p1' }, matter: 'm', reason: 'r' }, clinic.admin);
    const { id } = await clinic.available();
    expect((await clinic.get(id)).holds).toBe(1);
  });

  it('is for those who have the role, and within the tenant', async () => {
    const { id } = await clinic.available();
    const input = { target: { recordingId: id }, matter: 'm', reason: 'r' };
    await expect(clinic.recordings.legalHold.place(input, clinic.doctor)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(clinic.recordings.legalHold.place(input, clinic.outsider)).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(clinic.recordings.legalHold.on(id, clinic.doctor)).rejects.toMatchObject({ code: 'forbidden' });
    const hold = await clinic.recordings.legalHold.place(input, clinic.admin);
    await expect(clinic.recordings.legalHold.release(hold.id, clinic.doctor)).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(clinic.recordings.legalHold.release(hold.id, clinic.outsider)).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

describe('noteFact', () => {
  it('takes a retry for the same fact, and refuses another under the same id', async () => {
    const fact = {
      id: '019aa7c4-0000-7000-8000-0000000000f1',
      patient: 'p1',
      type: 'treatment',
      date: '2026-11-05',
      zone: 'America/New_York',
    } as const;
    const first = await clinic.recordings.noteFact(fact, clinic.doctor);
    expect(await clinic.recordings.noteFact(fact, clinic.doctor)).toEqual(first);
    await expect(clinic.recordings.noteFact({ ...fact, date: '2026-11-06' }, clinic.doctor)).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  it('keeps a birth date out of the log', async () => {
    await clinic.fact('birth', '1971-03-04');
    expect(JSON.stringify(await clinic.events())).not.toContain('1971-03-04');
  });

  it.each([
    ['a day that does not exist', { date: '2027-02-29' }],
    ['a zone that does not exist', { zone: 'Mars/Olympus' }],
    ['a kind that is none', { type: 'rumour' as 'treatment' }],
    ['an id that is no UUID', { id: 'x' }],
  ])('refuses %s', async (_what, wrong) => {
    const fact = { patient: 'p1', type: 'treatment', date: '2026-11-05', zone: 'America/New_York', ...wrong } as const;
    await expect(clinic.recordings.noteFact(fact, clinic.doctor)).rejects.toMatchObject({ code: 'invalid_input' });
  });

  it('is refused to a patient', async () => {
    const fact = { patient: 'p1', type: 'treatment', date: '2026-11-05', zone: 'America/New_York' } as const;
    await expect(clinic.recordings.noteFact(fact, clinic.patient)).rejects.toMatchObject({ code: 'forbidden' });
  });
});
