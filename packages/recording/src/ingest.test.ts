import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic, webhook } from '../test/clinic.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

describe('ingest', () => {
  it('writes down from where a callback came, when it is told', async () => {
    const { providerRef } = await clinic.start();
    const at = clinic.clock.now().toISOString();
    const event = { provider: 'twilio', providerRef, type: 'capture_started', key: 'k1', at } as const;
    await clinic.recordings.ingest(event, clinic.scope, { ip: '192.0.2.9', requestId: 'r-1' });
    expect((await clinic.events()).findLast(({ action }) => action === 'recording.ingest')).toMatchObject({
      actor: { id: 'twilio', type: 'service' },
      source: { ip: '192.0.2.9', requestId: 'r-1' },
    });
  });

  it('follows a recording from its first track to its media', async () => {
    const { id, providerRef } = await clinic.start();
    const states: string[] = [];
    const takeAll = async (): Promise<void> => {
      for (const callback of clinic.server.outbox.splice(0)) {
        const result = await clinic.ingest(callback);
        states.push(`${callback.event} ${result.status} ${'recording' in result ? result.recording.state : ''}`);
      }
    };
    clinic.clock.advance(60_000);
    clinic.server.endRoom(providerRef);
    await takeAll();
    clinic.server.finishCompositions(providerRef);
    await takeAll();
    expect(states).toEqual([
      'recording-started noted recording',
      'recording-started noted recording',
      'recording-completed noted recording',
      'recording-completed noted recording',
      'room-ended applied processing',
      'composition-started noted processing',
      'composition-progress noted processing',
      'composition-available applied uploading',
    ]);
    expect(await clinic.get(id)).toMatchObject({
      endedAt: '2026-11-21T15:01:00.000Z',
      durationSeconds: 60,
      media: { contentType: 'video/mp4', size: 65_536 },
    });
  });

  it('takes in a repeated callback once', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    const [ended] = clinic.server.outbox.splice(-1);
    if (ended === undefined) throw new Error('no callback');
    expect((await clinic.ingest(ended)).status).toBe('applied');
    const before = [await clinic.get(id), clinic.stores.inspect.countEvents()];
    expect((await clinic.ingest(ended)).status).toBe('repeated');
    expect([await clinic.get(id), clinic.stores.inspect.countEvents()]).toEqual(before);
  });

  it('asks for one composition only, however often it hears that the room has ended', async () => {
    const { providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    const ended = clinic.server.outbox.at(-1);
    if (ended === undefined) throw new Error('no callback');
    for (let i = 0; i < 3; i++) await clinic.ingest(ended);
    expect(clinic.server.left(providerRef).compositions).toHaveLength(1);
  });

  it('asks for one only when it hears it twice at the same time', async () => {
    const { providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    const ended = clinic.server.outbox.at(-1);
    if (ended === undefined) throw new Error('no callback');
    await Promise.all([1, 2, 3].map(() => clinic.ingest(ended)));
    expect(clinic.server.left(providerRef).compositions).toHaveLength(1);
  });

  it('asks for one only when a stop and the end of the room meet, and at once when the room ends after the stop', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    const ended = clinic.server.outbox.at(-1);
    if (ended === undefined) throw new Error('no callback');
    await Promise.all([clinic.ingest(ended), clinic.recordings.stop(id, clinic.doctor)]);
    expect(clinic.server.left(providerRef).compositions).toHaveLength(1);
    const later = await clinic.start('s-2');
    await clinic.recordings.stop(later.id, clinic.doctor);
    expect(clinic.server.left(later.providerRef).compositions).toHaveLength(0);
    clinic.server.endRoom(later.providerRef);
    await clinic.ingest(clinic.server.outbox.at(-1) ?? ended);
    expect(clinic.server.left(later.providerRef).compositions).toHaveLength(1);
  });

  it('has stray media removed: what is made when ours is stored already, or deleted', async () => {
    const { id, providerRef } = await clinic.available();
    const before = clinic.server.log.filter(({ path }) => path === '/v1/Recordings').length;
    const stray = clinic.server.callback('composition-available', { RoomSid: providerRef, CompositionSid: 'CJstray' });
    expect(await clinic.ingest(stray)).toMatchObject({ status: 'noted', recording: { id, state: 'available' } });
    expect(clinic.server.log.filter(({ path }) => path === '/v1/Recordings')).toHaveLength(before + 2); // listed, and listed again to prove that nothing is left
  });

  it('asks for it with the repeat, when the first delivery died before it could', async () => {
    const { providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    const ended = clinic.server.outbox.at(-1);
    if (ended === undefined) throw new Error('no callback');
    for (let i = 0; i < 3; i++) clinic.server.fail({ on: 'api', status: 503 });
    expect(await clinic.ingest(ended)).toMatchObject({ status: 'applied', recording: { state: 'processing' } });
    expect(clinic.server.left(providerRef).compositions).toHaveLength(0);
    clinic.clock.advance(10 * 60_000);
    await clinic.ingest(ended);
    expect(clinic.server.left(providerRef).compositions).toHaveLength(1);
  });

  it('notes a late callback without moving anything back', async () => {
    const { providerRef } = await clinic.start();
    const late = clinic.server.outbox.shift();
    if (late === undefined) throw new Error('no callback');
    clinic.server.endRoom(providerRef);
    for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
    expect(await clinic.ingest(late)).toMatchObject({ status: 'noted', recording: { state: 'processing' } });
  });

  it('refuses a forged callback before it is read', async () => {
    const { providerRef } = await clinic.start();
    const forged = clinic.server.forged('room-ended', { RoomSid: providerRef });
    expect(clinic.provider.verify(webhook(forged))).toEqual({ ok: false, reason: 'signature_invalid' });
    const honest = clinic.server.callback('room-ended', { RoomSid: providerRef });
    const altered = { ...honest, body: honest.body.replace(providerRef, 'RMother') };
    expect(clinic.provider.verify(webhook(altered))).toEqual({ ok: false, reason: 'signature_invalid' });
  });

  it('knows nothing of another tenant’s recording, nor of a room that was never recorded', async () => {
    const { providerRef } = await clinic.start();
    const verified = clinic.provider.verify(webhook(clinic.server.callback('room-ended', { RoomSid: providerRef })));
    if (!verified.ok || verified.events[0] === undefined) throw new Error('not verified');
    expect(await clinic.recordings.ingest(verified.events[0], { tenant: 'elsewhere' })).toEqual({ status: 'unknown' });
    const stray = clinic.server.callback('room-ended', { RoomSid: clinic.server.createRoom() });
    expect(await clinic.ingest(stray)).toEqual({ status: 'unknown' });
  });

  it('changes nothing while the store is down, and works when it is told again', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    const ended = clinic.server.outbox.at(-1);
    if (ended === undefined) throw new Error('no callback');
    clinic.fault = (method, when) => {
      if (method === 'recordings.change' && when === 'before') throw down();
    };
    await expect(clinic.ingest(ended)).rejects.toMatchObject({ code: 'store_unavailable' });
    clinic.fault = undefined;
    expect(await clinic.get(id)).toMatchObject({ state: 'recording' });
    expect((await clinic.ingest(ended)).status).toBe('applied');
  });

  it('fails a recording of which the provider has nothing to make media from', async () => {
    const { id, providerRef } = await clinic.start();
    const basic = btoa(`${clinic.server.accountSid}:${clinic.server.authToken}`);
    for (const sid of clinic.server.left(providerRef).recordings)
      await fetch(`${clinic.server.url}/v1/Recordings/${sid}`, {
        method: 'DELETE',
        headers: { authorization: `Basic ${basic}` },
      });
    clinic.server.endRoom(providerRef);
    const ended = clinic.server.outbox.at(-1);
    if (ended === undefined) throw new Error('no callback');
    expect(await clinic.ingest(ended)).toMatchObject({ recording: { state: 'failed' } });
    expect(await clinic.get(id)).toMatchObject({ failure: { code: 'nothing_captured' } });
  });

  it('ends in the same state for any order and any repeats of the callbacks of one call', async () => {
    const { providerRef } = await clinic.start();
    clinic.clock.advance(60_000);
    clinic.server.endRoom(providerRef);
    await clinic.ingest(clinic.server.outbox.at(-1) ?? clinic.server.callback('room-ended', {}));
    clinic.server.finishCompositions(providerRef);
    const callbacks = [...clinic.server.outbox];
    expect(callbacks).toHaveLength(8);
    let serial = 0;
    await fc.assert(
      fc.asyncProperty(
        fc
          .array(fc.nat(7), { maxLength: 6 })
          .chain((repeats) =>
            fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, ...repeats], { minLength: 8 + repeats.length }),
          ),
        async (order) => {
          serial += 1;
          const one = await openRow(`RMcase${serial}`);
          for (const index of order) {
            const verified = clinic.provider.verify(webhook(callbacks[index] ?? clinic.server.callback('x', {})));
            if (!verified.ok || verified.events[0] === undefined) throw new Error('not verified');
            const { key } = verified.events[0];
            await clinic.recordings.ingest({ ...verified.events[0], providerRef: one.ref, key }, clinic.scope);
          }
          expect(await clinic.get(one.id)).toMatchObject({
            state: 'uploading',
            endedAt: '2026-11-21T15:01:00.000Z',
            durationSeconds: 60,
            media: { size: 65_536 },
          });
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** A recording straight in the store: what the property is about begins with the callbacks. */
async function openRow(ref: string): Promise<{ readonly id: string; readonly ref: string }> {
  const recordings = clinic.another({ providers: { twilio: { ...clinic.provider, start: async () => {} } } });
  await clinic.consent(ref);
  const { id } = await recordings.start(
    {
      sessionId: ref,
      patient: 'p1',
      participants: [
        { id: 'p1', role: 'patient' },
        { id: 'd1', role: 'provider' },
      ],
      provider: 'twilio',
      providerRef: ref,
    },
    clinic.doctor,
  );
  return { id, ref };
}
