import { sha256, toHex } from '@medzen/core';
import { sampleMp4 } from '@medzen/testing/twilio-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic } from '../test/clinic.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

/** What the stand-in serves of a session of a minute. */
const media = sampleMp4(60);
const minutes = (n: number): number => n * 60_000;

async function transferFails(id: string): Promise<unknown> {
  return clinic.recordings.transfer(id, clinic.scope).then(
    () => 'no failure',
    (error: unknown) => error,
  );
}

describe('transfer', () => {
  it('copies the media, verifies it, makes it available, and then has the provider forget', async () => {
    const { id, objectPrefix, providerRef } = await clinic.uploading();
    const recording = await clinic.recordings.transfer(id, clinic.scope);
    expect(recording).toMatchObject({
      state: 'available',
      object: { key: `${objectPrefix}media`, size: 65_536, sha256: toHex(sha256(media)), contentType: 'video/mp4' },
    });
    expect(recording.failure).toBeUndefined();
    const stored = await clinic.objects.get(`${objectPrefix}media`);
    expect(new Uint8Array(await new Response(stored?.body).arrayBuffer())).toEqual(media);
    expect(clinic.server.left(providerRef)).toEqual({ recordings: [], compositions: [] });
    expect((await clinic.events()).map(({ action }) => action)).toEqual(
      expect.arrayContaining(['recording.upload_completed', 'recording.provider_delete']),
    );
  });

  it('keeps our credentials from the media host', async () => {
    await clinic.available();
    expect(clinic.server.log.filter(({ host }) => host === 'media')).toMatchObject([{ status: 200 }]);
  });

  it('notes the session as a treatment and decides at once how long to keep it', async () => {
    await clinic.fact('birth', '1980-05-01');
    const { id } = await clinic.available();
    const { facts } = await clinic.stores.recordings.facts(clinic.scope, 'p1');
    expect(facts).toContainEqual(expect.objectContaining({ id, type: 'treatment', date: '2026-11-21' }));
    expect((await clinic.get(id)).decision).toMatchObject({ retainUntil: '2033-11-22T05:00:00.000Z' });
  });

  it('is not stopped by somebody’s fact under the recording’s id', async () => {
    const { id } = await clinic.uploading();
    const fact = { id, patient: 'p2', type: 'treatment', date: '2020-01-01', zone: 'UTC' } as const;
    await clinic.recordings.noteFact(fact, clinic.stranger);
    expect(await clinic.recordings.transfer(id, clinic.scope)).toMatchObject({ state: 'available' });
    const { facts } = await clinic.stores.recordings.facts(clinic.scope, 'p1');
    expect(facts).toMatchObject([{ type: 'treatment', date: '2026-11-21' }]);
  });

  it.each([
    ['the API is away', { on: 'api', status: 503, path: /Media$/ } as const, 3],
    ['the media host is away', { on: 'media', status: 503 } as const, 1],
    ['the connection is cut in mid-transfer', { on: 'media', cutAfter: 20_000 } as const, 1],
  ])('is offered again when %s, with nothing half-available', async (_what, fault, times) => {
    const { id, objectPrefix } = await clinic.uploading();
    for (let i = 0; i < times; i++) clinic.server.fail(fault);
    expect(await transferFails(id)).toMatchObject({ code: 'provider_unavailable', retryable: true });
    expect(await clinic.get(id)).toMatchObject({ state: 'uploading' });
    expect(await clinic.versions(objectPrefix)).toBe(0);
    clinic.clock.advance(minutes(2));
    expect(await clinic.recordings.transfer(id, clinic.scope)).toMatchObject({ state: 'available' });
  });

  it('follows a redirect to no other host, and does not retry what will not change', async () => {
    const { id } = await clinic.uploading();
    clinic.server.fail({ on: 'redirect', to: 'https://evil.example/steal' });
    expect(await transferFails(id)).toMatchObject({ code: 'provider_unavailable', retryable: false });
  });

  it('refuses media of another size than the callback stated', async () => {
    const { id, objectPrefix } = await clinic.uploading();
    const other = clinic.another({
      providers: {
        twilio: {
          ...clinic.provider,
          media: async (recording, signal) => ({ ...(await clinic.provider.media(recording, signal)), size: 65_535 }),
        },
      },
    });
    await expect(other.transfer(id, clinic.scope)).rejects.toMatchObject({ code: 'checksum_mismatch' });
    expect(await clinic.versions(objectPrefix)).toBe(0);
  });

  it('refuses a stored object that is not what was sent, and removes it', async () => {
    const { id, objectPrefix } = await clinic.uploading();
    const lying = clinic.another({
      objects: {
        ...clinic.objects,
        head: async (key, version) => {
          const head = await clinic.objects.head(key, version);
          return head === undefined ? undefined : { ...head, sha256: new Uint8Array(32) };
        },
      },
    });
    await expect(lying.transfer(id, clinic.scope)).rejects.toMatchObject({ code: 'checksum_mismatch' });
    expect(await clinic.versions(objectPrefix)).toBe(0);
    expect(await clinic.get(id)).toMatchObject({ state: 'uploading' });
  });

  it.each(['objects.abortUploads', 'objects.put', 'objects.head', 'recordings.noteFact', 'recordings.change'])(
    'converges when it dies before or after %s',
    async (method) => {
      for (const when of ['before', 'after'] as const) {
        const { id, objectPrefix } = await clinic.uploading();
        let armed = true;
        clinic.fault = (called, moment) => {
          if (!armed || called !== method || moment !== when) return;
          armed = false;
          throw down();
        };
        await transferFails(id);
        clinic.fault = undefined;
        clinic.clock.advance(minutes(30));
        if ((await clinic.get(id)).state === 'uploading') await clinic.recordings.transfer(id, clinic.scope);
        await clinic.recordings.sweep(clinic.scope);
        expect(await clinic.get(id)).toMatchObject({ state: 'available', object: { size: 65_536 } });
        expect((await clinic.get(id)).failure).toBeUndefined();
        const head = await clinic.objects.head(`${objectPrefix}media`, (await clinic.get(id)).object?.versionId);
        expect(head?.size).toBe(65_536);
        // What came before the row was changed must not have been taken for the copy.
        if (when === 'before') expect(await clinic.versions(objectPrefix)).toBe(1);
        const uploaded = (await clinic.events()).filter(
          ({ action, target }) => action === 'recording.upload_completed' && target?.id === id,
        );
        expect(uploaded).toHaveLength(1);
        await clinic.close();
        clinic = await openClinic();
      }
    },
  );

  it('keeps a recording available when the provider cannot forget yet, and the sweep makes it forget', async () => {
    const { id, providerRef } = await clinic.uploading();
    for (let i = 0; i < 9; i++) clinic.server.fail({ on: 'api', status: 503, path: /Recordings\/RT/ });
    const report = await clinic.recordings.transferDue(clinic.scope);
    expect(report).toMatchObject({ available: [id], notDiscarded: [id], bytes: 65_536 });
    expect(await clinic.get(id)).toMatchObject({ state: 'available', failure: { code: 'provider_copy_remains' } });
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ discarded: [id] });
    expect(clinic.server.left(providerRef)).toEqual({ recordings: [], compositions: [] });
    expect((await clinic.get(id)).failure).toBeUndefined();
  });

  it('moves to failed when the provider no longer has the media, and says so', async () => {
    const { id, providerRef } = await clinic.uploading();
    await clinic.provider.discard(await clinic.get(id));
    expect(clinic.server.left(providerRef).compositions).toEqual([]);
    expect(await clinic.recordings.transferDue(clinic.scope)).toMatchObject({
      failed: [{ id, code: 'media_expired' }],
    });
    expect(await clinic.get(id)).toMatchObject({ state: 'failed', failure: { code: 'media_expired' } });
  });

  it('ends when the provider has media without a byte, whatever size it states, and is mended while it has it', async () => {
    const { id, providerRef, media } = await clinic.uploading();
    expect(media?.size).toBe(65_536);
    clinic.server.fail({ on: 'media', empty: true });
    expect(await clinic.recordings.transferDue(clinic.scope)).toMatchObject({
      retrying: [],
      failed: [{ id, code: 'media_empty' }],
    });
    expect(await clinic.get(id)).toMatchObject({ state: 'failed', failure: { code: 'media_empty' } });
    expect((await clinic.events()).at(-1)).toMatchObject({ detail: { code: 'media_empty', why: 'empty' } });
    expect(clinic.server.left(providerRef)).toMatchObject({ recordings: [{}, {}], compositions: [{}] });
    await clinic.recordings.retryTransfer(id, clinic.doctor);
    expect(await clinic.recordings.transfer(id, clinic.scope)).toMatchObject({ state: 'available' });
  });

  it('that cannot be tried again, because the provider deleted its copy meanwhile, says so from then on', async () => {
    const { id } = await clinic.uploading();
    clinic.server.fail({ on: 'media', empty: true });
    await clinic.recordings.transferDue(clinic.scope);
    await clinic.provider.discard(await clinic.get(id));
    await expect(clinic.recordings.retryTransfer(id, clinic.doctor)).rejects.toMatchObject({
      code: 'invalid_transition',
      detail: { provider: 'expired' },
    });
    expect(await clinic.get(id)).toMatchObject({ state: 'failed', failure: { code: 'media_expired' } });
  });

  it('gives up after ten attempts, each later than the one before, and goes round again when a person asks', async () => {
    const { id } = await clinic.uploading();
    let tried = 0;
    for (let hour = 0; hour < 24 * 12 && (await clinic.get(id)).state === 'uploading'; hour++) {
      for (let i = 0; i < 3; i++) clinic.server.fail({ on: 'api', status: 500, path: /Media$/ });
      const { retrying, failed } = await clinic.recordings.transferDue(clinic.scope);
      tried += retrying.length + failed.length;
      clinic.clock.advance(minutes(60));
    }
    expect([tried, (await clinic.get(id)).state]).toEqual([10, 'failed']);
    const again = await clinic.recordings.retryTransfer(id, clinic.doctor);
    expect(again).toMatchObject({ state: 'uploading' });
    expect(await clinic.recordings.retryTransfer(id, clinic.doctor)).toEqual(again);
  });

  it('is retried by those who take part and have the role, and only when it failed', async () => {
    const { id } = await clinic.available();
    await expect(clinic.recordings.retryTransfer(id, clinic.doctor)).rejects.toMatchObject({
      code: 'invalid_transition',
    });
    for (const ctx of [clinic.patient, clinic.stranger])
      await expect(clinic.recordings.retryTransfer(id, ctx)).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('is done once by two workers at once', async () => {
    const { id, objectPrefix } = await clinic.uploading();
    const reports = await Promise.all([
      clinic.recordings.transferDue(clinic.scope),
      clinic.another().transferDue(clinic.scope),
    ]);
    expect(reports.flatMap(({ available }) => available)).toEqual([id]);
    expect(await clinic.versions(objectPrefix)).toBe(1);
  });

  it('lets the worker win that has the lease, and removes what the slow one stored', async () => {
    const { id, objectPrefix } = await clinic.uploading();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached = (): void => {};
    const arrived = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const slow = clinic.another({
      objects: {
        ...clinic.objects,
        head: async (key, version) => {
          reached();
          await held;
          return clinic.objects.head(key, version);
        },
      },
    });
    const first = slow.transferDue(clinic.scope, { leaseMs: 60_000 });
    await arrived;
    clinic.clock.advance(minutes(30));
    expect(await clinic.recordings.transferDue(clinic.scope)).toMatchObject({ available: [id] });
    release();
    expect(await first).toMatchObject({ available: [] });
    expect(await clinic.versions(objectPrefix)).toBe(1);
    expect(await clinic.objects.head(`${objectPrefix}media`, (await clinic.get(id)).object?.versionId)).toBeDefined();
  });

  it('removes what a slow worker stored after the other had finished', async () => {
    const { id, objectPrefix } = await clinic.uploading();
    const taken = clinic.another({
      objects: {
        ...clinic.objects,
        put: async (...args) => {
          clinic.clock.advance(minutes(30));
          expect(await clinic.recordings.transferDue(clinic.scope)).toMatchObject({ available: [id] });
          return clinic.objects.put(...args);
        },
      },
    });
    expect(await taken.transferDue(clinic.scope)).toMatchObject({ available: [] });
    expect(await clinic.versions(objectPrefix)).toBe(1);
    expect(await clinic.objects.head(`${objectPrefix}media`, (await clinic.get(id)).object?.versionId)).toBeDefined();
  });

  it('says what it is waiting for', async () => {
    const { id } = await clinic.start();
    expect(await transferFails(id)).toMatchObject({ code: 'invalid_transition', detail: { state: 'recording' } });
    expect(await transferFails('019aa7c4-0000-7000-8000-000000000001')).toMatchObject({ code: 'not_found' });
  });

  it('gives a row back without a failure when the operator stops it', async () => {
    const { id } = await clinic.uploading();
    const stop = new AbortController();
    const stopping = clinic.another({
      providers: {
        twilio: {
          ...clinic.provider,
          media: async (recording, signal) => {
            stop.abort();
            return clinic.provider.media(recording, signal);
          },
        },
      },
    });
    await stopping.transferDue(clinic.scope, { signal: stop.signal });
    expect(await clinic.recordings.transferDue(clinic.scope)).toMatchObject({ available: [id] });
  });
});
