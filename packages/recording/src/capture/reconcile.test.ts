import { MedzenError, type Recording } from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic, startInput } from '../../test/clinic.ts';
import type { Provider } from '../provider.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

const minute = 60_000;
const hour = 60 * minute;

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );
}

/** An hour of the jobs that a host runs every minute. */
async function jobs(minutes = 60, app = clinic.recordings): Promise<void> {
  for (let passed = 0; passed < minutes; passed++) {
    clinic.clock.advance(minute);
    await app.stopWithdrawn(clinic.scope);
    await app.reconcile(clinic.scope);
    await app.transferDue(clinic.scope);
  }
}

/** Twilio makes what was asked for, and nobody hears of it. */
function finishSilently(room: string): void {
  clinic.server.finishCompositions(room);
  clinic.server.outbox.splice(0);
}

async function rows(): Promise<readonly Recording[]> {
  return (await clinic.stores.recordings.list(clinic.scope, {})).recordings;
}

async function stops(): Promise<readonly unknown[]> {
  return (await clinic.events()).filter(({ action, outcome }) => action === 'recording.stop' && outcome === 'success');
}

/** Whether Twilio captures in the room now. */
async function captures(room: string): Promise<boolean> {
  return (await clinic.provider.look({ ...((await rows())[0] as Recording), providerRef: room })).status === 'running';
}

/** A provider whose start takes effect and whose answers are lost, as many as are said; after that it answers. */
function losing(method: 'start' | 'stop' | 'look', times: number): Provider {
  let left = times;
  return {
    ...clinic.provider,
    [method]: async (recording: Recording, signal?: AbortSignal) => {
      const answer = await clinic.provider[method](recording, signal);
      if (left-- > 0) throw new MedzenError('provider_unavailable', 'Lost');
      return answer;
    },
  };
}

describe('callbacks that are lost', () => {
  const kinds = ['recording-started', 'recording-completed', 'room-ended', 'composition-available'] as const;
  for (let mask = 0; mask < 2 ** kinds.length; mask++) {
    const lost = kinds.filter((_, bit) => (mask & (1 << bit)) !== 0);
    it.each(['a person stops', 'the room ends'])(
      `end with the media at home: ${lost.join(', ') || 'none'}; %s`,
      async (how) => {
        const { id, providerRef } = await clinic.start();
        const deliver = async () => {
          for (const callback of clinic.server.outbox.splice(0))
            if (!lost.some((kind) => kind === callback.event)) await clinic.ingest(callback);
        };
        clinic.clock.advance(30 * minute);
        if (how === 'a person stops') await clinic.recordings.stop(id, clinic.doctor);
        clinic.server.endRoom(providerRef);
        await deliver();
        for (let round = 0; round < 4; round++) {
          await jobs(15);
          clinic.server.finishCompositions(providerRef);
          await deliver();
        }
        expect(await clinic.get(id)).toMatchObject({ state: 'available', endedAt: expect.any(String) });
        expect(clinic.server.left(providerRef)).toEqual({ recordings: [], compositions: [] });
        expect(await stops()).toHaveLength(1);
        expect(
          clinic.server.log.filter(({ method, path }) => method === 'POST' && path === '/v1/Compositions'),
        ).toHaveLength(1);
      },
    );
  }

  it('are made up for when the composition failed: it is made again, and after three the recording says so', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    for (let round = 0; round < 4; round++) {
      await jobs(30);
      clinic.server.finishCompositions(providerRef, 'failed');
      clinic.server.outbox.splice(0);
    }
    await jobs(60);
    expect(await clinic.get(id)).toMatchObject({ state: 'failed', failure: { code: 'composition_failed' } });
    expect(
      clinic.server.log.filter(({ method, path }) => method === 'POST' && path === '/v1/Compositions'),
    ).toHaveLength(3);
  });

  it('say what became of it when nothing was captured, or what was is gone or unusable', async () => {
    const cases: [string, (room: string) => void][] = [
      ['nothing_captured', () => {}],
      ['tracks_failed', (room) => clinic.server.failTracks(room)],
    ];
    for (const [code, spoil] of cases) {
      const { id, providerRef } = await clinic.start(code);
      if (code === 'nothing_captured') clinic.server.loseTracks(providerRef);
      spoil(providerRef);
      clinic.server.endRoom(providerRef);
      spoil(providerRef);
      clinic.server.outbox.splice(0);
      await jobs(30);
      expect(await clinic.get(id)).toMatchObject({ state: 'failed', failure: { code }, endedAt: expect.any(String) });
    }
    const { id, providerRef } = await clinic.start('expired');
    clinic.server.endRoom(providerRef);
    clinic.server.outbox.splice(0);
    await clinic.provider.discard(await clinic.get(id));
    await jobs(30);
    expect(await clinic.get(id)).toMatchObject({ state: 'failed', failure: { code: 'media_expired' } });
  });
});

describe('an answer that could not be acted on', () => {
  it('is asked for again: the store was away between the answer and the change', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    await jobs(10);
    finishSilently(providerRef);
    let away = true;
    clinic.fault = (method, when) => {
      if (away && method === 'recordings.change' && when === 'before') throw down();
    };
    clinic.clock.advance(15 * minute);
    const report = await clinic.recordings.reconcile(clinic.scope);
    expect(report).toMatchObject({ moved: [], retrying: [{ id, code: 'store_unavailable' }] });
    away = false;
    await jobs(10);
    expect(await clinic.get(id)).toMatchObject({ state: 'available' });
  });
});

describe('a provider whose clock is years ahead', () => {
  const ahead = '2029-01-01T00:00:00.000Z';
  const hasEnded = async (id: string, providerRef: string) => {
    clinic.server.finishCompositions(providerRef);
    clinic.server.outbox.splice(0);
    await jobs(30);
    const row = await clinic.get(id);
    expect(row).toMatchObject({ state: 'available' });
    expect(Date.parse(row.endedAt ?? ahead)).toBeLessThanOrEqual(clinic.clock.now().getTime());
    const { facts } = await clinic.stores.recordings.facts(clinic.scope, 'p1');
    expect(facts).toMatchObject([{ type: 'treatment', date: '2026-11-21' }]);
  };

  it('says in a callback that the session ended in the future: it has ended now', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.clock.advance(minute);
    clinic.server.endRoom(providerRef);
    clinic.server.outbox.splice(0);
    const event = { provider: 'twilio', providerRef, type: 'session_ended', key: 'k', at: ahead } as const;
    await clinic.recordings.ingest(event, clinic.scope);
    expect(await clinic.get(id)).toMatchObject({ endedAt: clinic.clock.now().toISOString() });
    await hasEnded(id, providerRef);
  });

  it('says so when it is asked: the same', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    clinic.server.outbox.splice(0);
    const look: Provider['look'] = async (...asked) => ({ ...(await clinic.provider.look(...asked)), endedAt: ahead });
    await jobs(20, clinic.another({ providers: { twilio: { ...clinic.provider, look } } }));
    await hasEnded(id, providerRef);
  });
});

describe('a start whose answer is lost', () => {
  it('becomes recording when the provider says that it runs, and a withdrawal ends it', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    const app = clinic.another({ providers: { twilio: losing('start', 1) } });
    const error = await failure(app.start(startInput(room), clinic.doctor));
    const [row] = await rows();
    expect(error).toMatchObject({
      code: 'provider_unavailable',
      retryable: true,
      detail: { recordingId: row?.id, state: 'starting' },
    });
    await jobs(2);
    expect(await clinic.get(row?.id ?? '')).toMatchObject({ state: 'recording' });
    await clinic.recordings.consent.withdraw({ sessionId: 's-1', patient: 'p1' }, clinic.patient);
    expect(await captures(room)).toBe(false);
    expect(await stops()).toHaveLength(1);
  });

  it('is stopped by a withdrawal while nobody knows, even when the provider is away for hours', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    const app = clinic.another({ providers: { twilio: losing('start', 1) } });
    await failure(app.start(startInput(room), clinic.doctor));
    for (let i = 0; i < 3; i++) clinic.server.fail({ on: 'api', status: 503 });
    await failure(clinic.recordings.consent.withdraw({ sessionId: 's-1', patient: 'p1' }, clinic.patient));
    expect(await captures(room)).toBe(true);
    await jobs(10);
    expect(await captures(room)).toBe(false);
    const [row] = await rows();
    expect(row).toMatchObject({ state: 'processing', endedAt: expect.any(String) });
  });

  it('is stopped again when it takes effect only after the stop', async () => {
    const { id, providerRef } = await clinic.start();
    await clinic.recordings.stop(id, clinic.doctor);
    await clinic.provider.start(await clinic.get(id));
    clinic.server.outbox.splice(0);
    expect(await captures(providerRef)).toBe(true);
    await jobs(2);
    expect(await captures(providerRef)).toBe(false);
  });

  it('goes on with the same id by asking, and starts again only when nothing runs', async () => {
    await clinic.consent();
    const input = { ...startInput(clinic.server.createRoom()), id: '019aa7c4-0000-7000-8000-000000000001' };
    let starts = 0;
    const counting: Provider = { ...losing('start', 1) };
    const app = clinic.another({
      providers: {
        twilio: {
          ...counting,
          start: (recording, signal) => {
            starts += 1;
            return counting.start(recording, signal);
          },
        },
      },
    });
    await failure(app.start(input, clinic.doctor));
    expect(await app.start(input, clinic.doctor)).toMatchObject({ id: input.id, state: 'recording' });
    expect(starts).toBe(1);
  });

  it('goes on when the process died before it asked, without an id as well once nobody can be asking any more', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    const dead = clinic.another({
      providers: { twilio: { ...clinic.provider, start: () => Promise.reject(new Error('killed')) } },
    });
    await failure(dead.start(startInput(room), clinic.doctor));
    const [row] = await rows();
    expect(await failure(clinic.recordings.start(startInput(room), clinic.doctor))).toMatchObject({
      code: 'conflict',
      detail: { recordingId: row?.id, state: 'starting' },
    });
    clinic.clock.advance(31_000);
    expect(await clinic.recordings.start(startInput(room), clinic.doctor)).toMatchObject({
      id: row?.id,
      state: 'recording',
    });
    expect(await captures(room)).toBe(true);
  });

  it('fails when nothing was begun, so that the session can be recorded again', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    const dead = clinic.another({
      providers: { twilio: { ...clinic.provider, start: () => Promise.reject(new Error('killed')) } },
    });
    await failure(dead.start(startInput(room), clinic.doctor));
    await jobs(3);
    expect(await rows()).toMatchObject([{ state: 'failed', failure: { code: 'not_started' } }]);
    expect(await clinic.recordings.start(startInput(room), clinic.doctor)).toMatchObject({ state: 'recording' });
    expect(await stops()).toEqual([]);
  });

  it('comes back under control when it takes effect after it was believed failed', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    const dead = clinic.another({
      providers: { twilio: { ...clinic.provider, start: () => Promise.reject(new Error('killed')) } },
    });
    await failure(dead.start(startInput(room), clinic.doctor));
    await jobs(3);
    const [row] = await rows();
    clinic.clock.advance(minute);
    await clinic.provider.start(row as Recording);
    for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
    expect(await clinic.get(row?.id ?? '')).toMatchObject({ state: 'recording' });
    expect((await clinic.get(row?.id ?? '')).failure).toBeUndefined();
  });

  it('is stopped when it takes effect after it was believed failed and consent was taken back', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    clinic.server.fail({ on: 'api', status: 404 });
    await failure(clinic.recordings.start(startInput(room), clinic.doctor));
    const [row] = await rows();
    await clinic.recordings.consent.withdraw({ sessionId: 's-1', patient: 'p1' }, clinic.patient);
    clinic.clock.advance(minute);
    await clinic.provider.start(row as Recording);
    clinic.server.outbox.splice(0); // no callback comes
    expect(await captures(room)).toBe(true);
    await jobs(10);
    expect(await captures(room)).toBe(false);
  });

  it.each([1, 30])(
    'is said to have stopped once when it takes effect after it was believed failed and ends before anybody sees it run: %i minutes',
    async (minutes) => {
      await clinic.consent();
      const room = clinic.server.createRoom();
      const dead = clinic.another({
        providers: { twilio: { ...clinic.provider, start: () => Promise.reject(new Error('killed')) } },
      });
      await failure(dead.start(startInput(room), clinic.doctor));
      await jobs(3);
      const [row] = await rows();
      expect(row).toMatchObject({ state: 'failed', failure: { code: 'not_started' } });
      await clinic.provider.start(row as Recording);
      clinic.clock.advance(minutes * minute);
      await clinic.provider.stop(row as Recording);
      clinic.server.outbox.splice(0); // no callback comes
      await jobs(10);
      clinic.server.endRoom(room);
      await jobs(5);
      finishSilently(room);
      await jobs();
      expect(await rows()).toMatchObject([{ state: 'available' }]);
      expect(await stops()).toHaveLength(1);
    },
  );

  it('is said to have stopped when what it captured is gone before anybody asks', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    const gone = clinic.another({
      providers: {
        twilio: {
          ...clinic.provider,
          start: () => Promise.reject(new Error('killed')),
          look: async () => ({ status: 'expired' }),
        },
      },
    });
    await failure(gone.start(startInput(room), clinic.doctor));
    await jobs(5, gone);
    expect(await rows()).toMatchObject([{ state: 'failed', failure: { code: 'media_expired' } }]);
    expect(await stops()).toHaveLength(1);
  });

  it('fails for good only on a refusal that proves it, and not on one after an attempt that was lost', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    clinic.server.fail({ on: 'api', hangUp: true, path: /RecordingRules/ });
    clinic.server.fail({ on: 'api', status: 404, path: /RecordingRules/ });
    expect(await failure(clinic.recordings.start(startInput(room), clinic.doctor))).toMatchObject({
      code: 'provider_unavailable',
      detail: { state: 'starting' },
    });
    await jobs(2);
    expect(await rows()).toMatchObject([{ state: 'recording' }]);
  });
});

describe('a process whose clock is years off', () => {
  it.each(['2016-11-21T15:00:00.000Z', '2036-11-21T15:00:00.000Z'])(
    'dates its changes by the store, so that nobody gives up on them, or waits, too long: %s',
    async (wrong) => {
      const off = clinic.another({ clock: fakeClock(wrong) });
      const { id, providerRef } = await clinic.start();
      clinic.clock.advance(minute);
      const at = clinic.clock.now().toISOString();
      clinic.server.endRoom(providerRef);
      clinic.server.outbox.splice(0);
      await off.ingest({ provider: 'twilio', providerRef, type: 'session_ended', key: 'the end', at }, clinic.scope);
      expect(await clinic.get(id)).toMatchObject({ state: 'processing', stateAt: at });
      const away = clinic.another({ providers: { twilio: losing('look', Number.POSITIVE_INFINITY) } });
      await jobs(10, away);
      expect(await clinic.get(id)).toMatchObject({ state: 'processing', stateAt: at });
      await jobs(20);
      finishSilently(providerRef);
      await jobs();
      expect(await clinic.get(id)).toMatchObject({ state: 'available' });
    },
  );
});

describe('the queue', () => {
  it('does not let calls that go on, or a provider that is not configured, keep others waiting', async () => {
    const other: Provider = { ...clinic.provider, name: 'other' };
    const both = clinic.another({ providers: { twilio: clinic.provider, other } });
    for (let n = 0; n < 30; n++) {
      await clinic.consent(`other-${n}`);
      const input = { ...startInput(clinic.server.createRoom(), `other-${n}`), provider: 'other' };
      await both.start(input, clinic.doctor);
    }
    for (let n = 0; n < 30; n++) await clinic.start(`live-${n}`);
    const ended = await clinic.start('ended');
    clinic.server.endRoom(ended.providerRef);
    clinic.clock.advance(11 * minute);
    const reports = [];
    for (let n = 0; n < 4; n++) reports.push(await clinic.recordings.reconcile(clinic.scope, { limit: 10 }));
    expect(reports.flatMap(({ setAside }) => setAside)).toHaveLength(30);
    expect((await clinic.get(ended.id)).state).toBe('processing');
    expect(clinic.server.left(ended.providerRef).compositions).toHaveLength(1);
  });

  it('fails what cannot be asked about for a week, and mends it when the provider is back', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    clinic.server.outbox.splice(0);
    const away = clinic.another({ providers: {} });
    for (let day = 0; day < 8; day++) {
      clinic.clock.advance(24 * hour);
      await away.reconcile(clinic.scope);
    }
    expect(await clinic.get(id)).toMatchObject({ state: 'failed', failure: { code: 'provider_not_configured' } });
    for (let day = 0; day < 2; day++) {
      clinic.clock.advance(24 * hour);
      await clinic.recordings.reconcile(clinic.scope);
      finishSilently(providerRef);
    }
    clinic.clock.advance(24 * hour);
    await clinic.recordings.reconcile(clinic.scope);
    await clinic.recordings.transferDue(clinic.scope);
    expect(await clinic.get(id)).toMatchObject({ state: 'available' });
  });

  it('ends between two rows when it is aborted, and gives back what it had claimed', async () => {
    await clinic.start();
    clinic.clock.advance(11 * minute);
    const abort = new AbortController();
    const hanging: Provider = {
      ...clinic.provider,
      look: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new MedzenError('provider_unavailable', 'Aborted')));
          abort.abort();
        }),
    };
    const report = await clinic
      .another({ providers: { twilio: hanging } })
      .reconcile(clinic.scope, { signal: abort.signal });
    expect(report).toMatchObject({ moved: [], retrying: [{ code: 'provider_unavailable' }] });
    clinic.clock.advance(1000);
    expect((await clinic.recordings.reconcile(clinic.scope)).asked).toBe(1);
  });
});

describe('clocks', () => {
  it('of process and store that were years behind at the start are corrected by the provider, and retention counts from that', async () => {
    const [began, over] = ['2026-11-21T15:00:00.000Z', '2026-11-21T15:30:00.000Z'];
    clinic.clock.set('2018-11-21T15:00:00.000Z');
    await clinic.fact('birth', '1980-05-01');
    const { id, providerRef } = await clinic.start();
    clinic.clock.set('2026-11-21T15:40:00.000Z');
    clinic.server.endRoom(providerRef);
    clinic.server.outbox.splice(0);
    const knowing: Provider = {
      ...clinic.provider,
      look: async (...asked) => ({ ...(await clinic.provider.look(...asked)), startedAt: began, endedAt: over }),
    };
    const app = clinic.another({
      providers: { twilio: knowing },
      plausibility: { minSessionShare: 0, minCapturedShare: 0 },
    });
    await app.reconcile(clinic.scope);
    expect(await clinic.get(id)).toMatchObject({
      startedAt: '2018-11-21T15:00:00.000Z',
      capturedAt: began,
      endedAt: over,
    });
    expect((await clinic.events()).filter(({ detail }) => detail?.capturedAt !== undefined)).toMatchObject([
      { action: 'recording.reconcile', detail: { startedAt: '2018-11-21T15:00:00.000Z', capturedAt: began } },
    ]);
    finishSilently(providerRef);
    await jobs(10, app);
    const home = await clinic.get(id);
    expect(home).toMatchObject({ state: 'available', capturedAt: began });
    expect(home.decision?.retainUntil).toBe('2033-11-22T05:00:00.000Z');
  });

  it('that agree leave the row as it is, also when the session had begun long before', async () => {
    const room = clinic.server.createRoom();
    clinic.clock.advance(3 * hour);
    const { id } = await clinic.start('s-1', room);
    clinic.server.endRoom(room);
    clinic.server.outbox.splice(0);
    await jobs(20);
    finishSilently(room);
    await jobs(20);
    expect((await clinic.get(id)).state).toBe('available');
    expect(await clinic.get(id)).not.toHaveProperty('capturedAt');
  });

  it.each(['2018-11-21T15:00:00.000Z', '2026-11-20T14:00:00.000Z', '2036-01-01T00:00:00.000Z'])(
    'of a process that says %s do not date a recording',
    async (wrong) => {
      await clinic.consent();
      const app = clinic.another({ clock: fakeClock(wrong) });
      const { startedAt } = await app.start(startInput(clinic.server.createRoom()), clinic.doctor);
      expect(Math.abs(Date.parse(startedAt) - clinic.clock.now().getTime())).toBeLessThan(5 * minute);
    },
  );
});
