import { MedzenError, type ObjectCallOptions, type ObjectStore } from '@medzen/core';
import { sampleMp4 } from '@medzen/testing/twilio-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, openClinic } from '../../test/clinic.ts';
import type { Provider, ProviderMediaStream } from '../provider.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

const media = sampleMp4(60);
/** Short only for what never answers; everything else either answers at once or has the usual time, so that no load makes a difference. */
const short = 60;
const never = new Promise<never>(() => {});

/** Twilio, but with a body of our own for its media. */
function sending(body: () => ReadableStream<Uint8Array>): Provider {
  return {
    ...clinic.provider,
    media: async (recording, signal): Promise<ProviderMediaStream> => {
      const given = await clinic.provider.media(recording, signal);
      await given.body.cancel();
      return { ...given, body: body() };
    },
  };
}

/** The media in pieces; before each the clock moves on. */
function inPieces(count: number, before: () => Promise<void> | void): ReadableStream<Uint8Array> {
  let sent = 0;
  const size = Math.ceil(media.length / count);
  return new ReadableStream({
    pull: async (controller) => {
      await before();
      controller.enqueue(media.subarray(sent * size, (sent + 1) * size));
      sent += 1;
      if (sent === count) controller.close();
    },
  });
}

describe('a transfer', () => {
  it('that takes many times its lease keeps it, and no other worker begins', async () => {
    const { id } = await clinic.uploading();
    const others: unknown[] = [];
    const slow = sending(() =>
      inPieces(16, async () => {
        clinic.clock.advance(600);
        const claims = await clinic.stores.recordings.claimTransfers(clinic.scope, { limit: 1, leaseMs: 1000, id });
        others.push(...claims);
      }),
    );
    const report = await clinic.another({ providers: { twilio: slow } }).transferDue(clinic.scope, { leaseMs: 1000 });
    expect(report).toMatchObject({ available: [id], retrying: [], failed: [] });
    expect(others).toEqual([]);
  });

  it.each(['put', 'head'] as const)('keeps its lease while the store reads all bytes back in %s', async (method) => {
    const { id } = await clinic.uploading();
    const others: unknown[] = [];
    const readBack = async (options: ObjectCallOptions | undefined): Promise<void> => {
      for (let i = 0; i < 16; i++) {
        clinic.clock.advance(600);
        options?.moved?.();
        await new Promise(setImmediate); // the renewal is on its way
        others.push(...(await clinic.stores.recordings.claimTransfers(clinic.scope, { limit: 1, leaseMs: 1000, id })));
      }
    };
    const objects: ObjectStore = {
      ...clinic.objects,
      put: async (key, body, options) => {
        const head = await clinic.objects.put(key, body, options);
        if (method === 'put') await readBack(options);
        return head;
      },
      head: async (key, versionId, options) => {
        if (method === 'head') await readBack(options);
        return clinic.objects.head(key, versionId, options);
      },
    };
    const report = await clinic.another({ objects }).transferDue(clinic.scope, { leaseMs: 1000 });
    expect(report).toMatchObject({ available: [id], retrying: [], failed: [] });
    expect(others).toEqual([]);
  });

  it('that has lost its lease ends at once, and leaves nothing of it in the store', async () => {
    const { id, objectPrefix } = await clinic.uploading();
    let taken = false;
    const slow = sending(() =>
      inPieces(16, async () => {
        clinic.clock.advance(600);
        if (taken) return;
        // The process stood still for a while.
        clinic.clock.advance(10_000);
        taken =
          (await clinic.stores.recordings.claimTransfers(clinic.scope, { limit: 1, leaseMs: 60_000, id })).length > 0;
      }),
    );
    const report = await clinic
      .another({ providers: { twilio: slow } })
      .transferDue(clinic.scope, { leaseMs: 1000, limit: 1 });
    expect(report).toMatchObject({ available: [], retrying: [{ id, code: 'lease_lost' }] });
    expect(taken).toBe(true);
    expect(await clinic.versions(objectPrefix)).toBe(0);
    expect(await clinic.get(id)).toMatchObject({ state: 'uploading' });
  });

  it.each(['abortUploads', 'put', 'head', 'listVersions', 'deleteVersions'] as const)(
    'comes back from an object store that never answers %s',
    async (method) => {
      const { id } = await clinic.uploading();
      const timeouts = method === 'put' ? { stallMs: short } : { objectsMs: short };
      const hanging = clinic.another({ timeouts, objects: { ...clinic.objects, [method]: () => never } });
      const report = await hanging.transferDue(clinic.scope);
      const afterwards = method === 'listVersions' || method === 'deleteVersions';
      expect(report).toMatchObject(afterwards ? { available: [id] } : { available: [], retrying: [{ id }] });
      clinic.clock.advance(3 * 60_000);
      await clinic.recordings.transferDue(clinic.scope);
      expect(await clinic.get(id)).toMatchObject({ state: 'available' });
    },
  );

  it.each(['media', 'body', 'discard'] as const)('comes back from a provider that never answers: %s', async (what) => {
    const { id } = await clinic.uploading();
    const silent: Provider = {
      ...clinic.provider,
      media: async () => ({
        body: what === 'body' ? new ReadableStream({ pull: () => never }) : new Blob([Uint8Array.from(media)]).stream(),
        contentType: 'video/mp4',
        size: media.length,
      }),
      ...(what === 'body' ? {} : { [what]: () => never }),
    };
    const timeouts = what === 'body' ? { stallMs: short } : { providerMs: short };
    const report = await clinic.another({ timeouts, providers: { twilio: silent } }).transferDue(clinic.scope);
    expect(report).toMatchObject(
      what === 'discard' ? { notDiscarded: [id] } : { retrying: [{ id, code: 'provider_unavailable' }] },
    );
  });

  it('that an operator ends stands still in the middle of its body, is no failure, and is taken up again', async () => {
    const { id } = await clinic.uploading();
    const abort = new AbortController();
    const slow = sending(() => inPieces(16, () => abort.abort()));
    const report = await clinic
      .another({ providers: { twilio: slow } })
      .transferDue(clinic.scope, { signal: abort.signal });
    expect(report).toMatchObject({ available: [], failed: [] });
    expect((await clinic.recordings.transferDue(clinic.scope)).available).toEqual([id]);
  });
});

describe('calls that never answer', () => {
  it.each(['start', 'stop', 'look', 'compose'] as const)('of a provider end: %s', async (method) => {
    const app = clinic.another({
      timeouts: { providerMs: short },
      providers: {
        twilio: {
          ...clinic.provider,
          look: async () => ({ status: 'ended', sessionOpen: false }),
          [method]: () => never,
        },
      },
    });
    if (method === 'start') {
      await clinic.consent();
      const room = clinic.server.createRoom();
      const { startInput } = await import('../../test/clinic.ts');
      await expect(app.start(startInput(room), clinic.doctor)).rejects.toMatchObject({
        code: 'provider_unavailable',
        detail: { state: 'starting' },
      });
      return;
    }
    const { id, providerRef } = await clinic.start();
    if (method === 'stop')
      return expect(app.stop(id, clinic.doctor)).rejects.toMatchObject({ code: 'provider_unavailable' });
    clinic.server.endRoom(providerRef);
    clinic.clock.advance(11 * 60_000);
    const report = await app.reconcile(clinic.scope);
    expect(report.asked).toBe(1);
    expect((await clinic.get(id)).state).toBe(method === 'look' ? 'recording' : 'processing');
  });
});

describe('timeouts', () => {
  it.each([{ providerMs: 0 }, { objectsMs: 1.5 }, { stallMs: 3_600_001 }])('refuse %j', (given) => {
    expect(() => clinic.another({ timeouts: given })).toThrow(MedzenError);
  });
});
