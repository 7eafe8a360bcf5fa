import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, openClinic, startInput } from '../test/clinic.ts';
import type { Provider } from './provider.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

/** Two recordings of one room: the first could not be started, the second runs. */
async function failedThenRunning() {
  const room = clinic.server.createRoom();
  await clinic.consent();
  clinic.server.fail({ on: 'api', status: 404 });
  await clinic.recordings.start(startInput(room), clinic.doctor).catch(() => {});
  const [failed] = (await clinic.stores.recordings.list(clinic.scope, {})).recordings;
  clinic.clock.advance(1000);
  const running = await clinic.recordings.start(startInput(room), clinic.doctor);
  clinic.clock.advance(60_000);
  return { room, failed: failed?.id ?? '', running: running.id };
}

/** The room ends and its media is made. */
async function finish(room: string): Promise<void> {
  clinic.server.endRoom(room);
  for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
  clinic.server.finishCompositions(room);
  for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
}

/** Twilio that answers with no bytes. */
function servingNothing(): Provider {
  return {
    ...clinic.provider,
    media: async (recording, signal) => {
      const { size: _, ...given } = await clinic.provider.media(recording, signal);
      await given.body.cancel();
      return { ...given, body: new Blob([]).stream() };
    },
  };
}

describe('two recordings of one room', () => {
  it('do not lose their media when the one that failed is deleted first', async () => {
    const { room, failed, running } = await failedThenRunning();
    clinic.server.endRoom(room);
    const deleted = await clinic.recordings.delete(failed, { reason: 'never began' }, clinic.admin);
    expect(deleted).toMatchObject({
      state: 'deleted',
      tombstone: { providerNote: expect.stringContaining('another') },
    });
    expect(clinic.server.left(room).recordings).toHaveLength(2);
    await finish(room);
    expect(await clinic.recordings.transfer(running, clinic.scope)).toMatchObject({ state: 'available' });
    expect(clinic.server.left(room)).toEqual({ recordings: [], compositions: [] });
  });

  it('give the media to the one that waits for it, when the later one is deleted already', async () => {
    const room = clinic.server.createRoom();
    const first = await clinic.start('s-1', room);
    await clinic.recordings.stop(first.id, clinic.doctor);
    clinic.clock.advance(60_000);
    clinic.server.fail({ on: 'api', status: 404 });
    await clinic.recordings.start(startInput(room), clinic.doctor).catch(() => {});
    const [second] = (await clinic.stores.recordings.list(clinic.scope, {})).recordings;
    await clinic.recordings.delete(second?.id ?? '', { reason: 'never began' }, clinic.admin);
    await finish(room);
    expect(await clinic.get(first.id)).toMatchObject({ state: 'uploading' });
    expect(await clinic.recordings.transfer(first.id, clinic.scope)).toMatchObject({ state: 'available' });
  });

  it('leave the media of the room at the provider until the one whose transfer failed has it too', async () => {
    const room = clinic.server.createRoom();
    const first = await clinic.start('s-1', room);
    clinic.clock.advance(10 * 60_000);
    await clinic.recordings.stop(first.id, clinic.doctor);
    clinic.clock.advance(60_000);
    const second = await clinic.recordings.start(startInput(room), clinic.doctor);
    clinic.clock.advance(10 * 60_000);
    await finish(room);
    clinic.clock.advance(3_600_000);
    await clinic.recordings.reconcile(clinic.scope);
    for (const { id } of [first, second]) expect(await clinic.get(id)).toMatchObject({ state: 'uploading' });
    const odd = clinic.another({ providers: { twilio: servingNothing() } });
    await expect(odd.transfer(first.id, clinic.scope)).rejects.toMatchObject({ code: 'not_available' });
    expect(await clinic.recordings.transfer(second.id, clinic.scope)).toMatchObject({ state: 'available' });
    expect(clinic.server.left(room).compositions).toHaveLength(1);
    await clinic.recordings.retryTransfer(first.id, clinic.admin);
    expect(await clinic.recordings.transfer(first.id, clinic.scope)).toMatchObject({ state: 'available' });
    expect(clinic.server.left(room)).toEqual({ recordings: [], compositions: [] });
  });

  it('are of one session: a room is made into media as a whole, and must not carry one patient’s visit to another', async () => {
    const room = clinic.server.createRoom();
    const first = await clinic.start('s-1', room);
    await clinic.recordings.stop(first.id, clinic.doctor);
    await clinic.consent('s-2');
    await expect(clinic.recordings.start(startInput(room, 's-2'), clinic.doctor)).rejects.toMatchObject({
      code: 'conflict',
    });
    expect((await clinic.events()).at(-1)).toMatchObject({ action: 'recording.start', outcome: 'failed' });
  });
});
