import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic } from '../test/clinic.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

function play(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return Promise.resolve(clinic.objects.fetch(new Request(url, { headers })));
}

describe('playbackUrl', () => {
  it('gives those who took part a link that plays, for an hour', async () => {
    const { id } = await clinic.available();
    for (const ctx of [clinic.patient, clinic.doctor]) {
      const { url, expiresAt, size } = await clinic.recordings.playbackUrl(id, ctx);
      expect([expiresAt.toISOString(), size]).toEqual(['2026-11-21T16:01:00.000Z', 65_536]);
      const whole = await play(url);
      expect([whole.status, whole.headers.get('content-type'), (await whole.arrayBuffer()).byteLength]).toEqual([
        200,
        'video/mp4',
        65_536,
      ]);
      expect((await play(url, { range: 'bytes=0-9' })).status).toBe(206);
    }
    expect(await clinic.get(id)).toMatchObject({ views: 2, downloads: 0 });
  });

  it('gives a link that does not work when altered, nor after its hour', async () => {
    const { id } = await clinic.available();
    const { url } = await clinic.recordings.playbackUrl(id, clinic.patient);
    const last = url.at(-1) === 'a' ? 'b' : 'a';
    expect((await play(url.slice(0, -1) + last)).status).toBe(403);
    clinic.clock.advance(3_600_001);
    expect((await play(url)).status).toBe(403);
  });

  it('names the file neutrally, in both forms of the header', async () => {
    const { id } = await clinic.available();
    const { url } = await clinic.recordings.downloadUrl(id, clinic.patient);
    const disposition = (await play(url)).headers.get('content-disposition') ?? '';
    const name = `recording-${id.slice(-12)}.mp4`;
    expect(disposition).toBe(`attachment; filename="${name}"; filename*=UTF-8''${name}`);
  });

  it('pins the version: a later put under the same key is not what plays', async () => {
    const { id, object } = await clinic.available();
    await clinic.objects.put(object?.key ?? '', new Uint8Array([1]), { contentType: 'video/mp4' });
    const { url } = await clinic.recordings.playbackUrl(id, clinic.patient);
    expect((await (await play(url)).arrayBuffer()).byteLength).toBe(65_536);
  });

  it('writes the event before the link exists', async () => {
    const { id } = await clinic.available();
    let eventsAtSigning = -1;
    const before = clinic.stores.inspect.countEvents();
    clinic.fault = (method, when) => {
      if (method === 'objects.presignGet' && when === 'before') eventsAtSigning = clinic.stores.inspect.countEvents();
    };
    await clinic.recordings.playbackUrl(id, clinic.patient);
    expect(eventsAtSigning).toBe(before + 1);
    expect((await clinic.events()).at(-1)).toMatchObject({
      action: 'recording.view',
      kind: 'read',
      outcome: 'success',
      actor: { id: 'p1', role: 'patient' },
      patient: 'p1',
      target: { type: 'recording', id },
      purpose: 'TREAT',
      source: { ip: '192.0.2.7' },
    });
  });

  it('never lets a link, or a part of one, into the log', async () => {
    const { id } = await clinic.available();
    const { url } = await clinic.recordings.playbackUrl(id, clinic.patient);
    const secret = new URL(url).search.slice(1);
    expect(JSON.stringify(await clinic.events())).not.toContain(secret);
    expect(JSON.stringify(await clinic.events())).not.toContain('media?');
  });

  it.each(['recordings.get', 'recordings.noteAccess'])(
    'gives no link while the store is down at %s',
    async (method) => {
      const { id } = await clinic.available();
      const views = (await clinic.get(id)).views;
      let signed = false;
      clinic.fault = (called, when) => {
        if (called === 'objects.presignGet') signed = true;
        if (called === method && when === 'before') throw down();
      };
      await expect(clinic.recordings.playbackUrl(id, clinic.patient)).rejects.toMatchObject({
        code: 'store_unavailable',
      });
      expect([signed, (await clinic.get(id)).views]).toEqual([false, views]);
    },
  );

  it('is refused to strangers, and the attempt is audited under the patient', async () => {
    const { id } = await clinic.available();
    await expect(clinic.recordings.playbackUrl(id, clinic.stranger)).rejects.toMatchObject({ code: 'forbidden' });
    expect((await clinic.events()).at(-1)).toMatchObject({
      action: 'recording.view',
      outcome: 'denied',
      actor: { id: 's1' },
      patient: 'p1',
      detail: { code: 'forbidden' },
    });
    expect((await clinic.get(id)).views).toBe(0);
  });

  it('does not exist for another tenant, nor for an identity of another tenant in this one’s scope', async () => {
    const { id } = await clinic.available();
    await expect(clinic.recordings.playbackUrl(id, clinic.outsider)).rejects.toMatchObject({ code: 'not_found' });
    const reaching = { ...clinic.outsider, scope: clinic.scope };
    await expect(clinic.recordings.playbackUrl(id, reaching)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is allowed to those who see everything of the tenant', async () => {
    const { id } = await clinic.available();
    expect((await clinic.recordings.playbackUrl(id, clinic.admin)).url).toContain('http');
  });

  it('does not know an id that is none', async () => {
    for (const id of ['019aa7c4-0000-7000-8000-000000000001', '', "'; drop table", '../x'])
      await expect(clinic.recordings.playbackUrl(id, clinic.patient)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is not available before the media is, and the attempt is in the log', async () => {
    const { id } = await clinic.uploading();
    await expect(clinic.recordings.playbackUrl(id, clinic.patient)).rejects.toMatchObject({
      code: 'not_available',
      detail: { state: 'uploading' },
    });
    expect((await clinic.events()).at(-1)).toMatchObject({ action: 'recording.view', outcome: 'failed' });
  });

  it('lasts an hour at most, a download five minutes', async () => {
    const { id } = await clinic.available();
    for (const expiresInSeconds of [0, 3601, 1.5, Number.NaN])
      await expect(clinic.recordings.playbackUrl(id, clinic.patient, { expiresInSeconds })).rejects.toMatchObject({
        code: 'invalid_input',
      });
    await expect(clinic.recordings.downloadUrl(id, clinic.patient, { expiresInSeconds: 301 })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    const { expiresAt } = await clinic.recordings.downloadUrl(id, clinic.patient);
    expect(expiresAt.getTime() - clinic.clock.now().getTime()).toBe(300_000);
    expect((await clinic.get(id)).downloads).toBe(1);
  });
});

describe('status and list', () => {
  it('show a participant its own, staff all of the tenant, a stranger nothing', async () => {
    const { id } = await clinic.available();
    expect((await clinic.recordings.status(id, clinic.patient)).state).toBe('available');
    await expect(clinic.recordings.status(id, clinic.stranger)).rejects.toMatchObject({ code: 'forbidden' });
    const ids = async (ctx: typeof clinic.patient) =>
      (await clinic.recordings.list({}, ctx)).recordings.map((recording) => recording.id);
    expect([
      await ids(clinic.patient),
      await ids(clinic.admin),
      await ids(clinic.stranger),
      await ids(clinic.outsider),
    ]).toEqual([[id], [id], [], []]);
  });

  it('do not let a caller widen its view by naming somebody else', async () => {
    await clinic.available();
    const { recordings } = await clinic.recordings.list({ participant: 'p1', patient: 'p1' }, clinic.stranger);
    expect(recordings).toEqual([]);
  });

  it('are in the log under the patient before they answer, and answer nothing while the log is down', async () => {
    const { id } = await clinic.available();
    await clinic.recordings.list({}, clinic.doctor);
    await clinic.recordings.status(id, clinic.doctor);
    expect((await clinic.events()).slice(-2)).toMatchObject([
      { action: 'recording.list', patient: 'p1', detail: { count: 1 } },
      { action: 'recording.status', patient: 'p1' },
    ]);
    clinic.fault = (method) => {
      if (method === 'audit.append') throw down();
    };
    await expect(clinic.recordings.list({}, clinic.doctor)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(clinic.recordings.status(id, clinic.doctor)).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
