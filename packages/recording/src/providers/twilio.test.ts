import type { Recording } from '@medzen/core';
import { startTwilioServer, type TwilioServer } from '@medzen/testing/twilio-server';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { webhook } from '../../test/clinic.ts';
import { type TwilioOptions, twilio } from './twilio.ts';

let server: TwilioServer;
beforeEach(async () => {
  server = await startTwilioServer();
});
afterEach(() => server.close());

const sleep = () => Promise.resolve();
const go = { tenant: 'north', mayBegin: () => Promise.resolve(true) };

function provider(more: Partial<TwilioOptions> = {}) {
  return twilio({
    accountSid: server.accountSid,
    authToken: server.authToken,
    baseUrl: server.url,
    allowLoopback: true,
    statusCallback: 'http://127.0.0.1/webhooks/twilio',
    sleep,
    ...more,
  });
}

function recording(providerRef: string, media?: Recording['media']): Recording {
  return {
    id: '019aa7c4-0000-7000-8000-000000000001',
    sessionId: 's',
    patient: 'p',
    participants: [],
    provider: 'twilio',
    providerRef,
    state: 'recording',
    stateAt: '2026-11-21T15:00:00.000Z',
    startedAt: '2026-11-21T15:00:00.000Z',
    objectPrefix: 't/2026/11/r/',
    retentionClass: { jurisdiction: 'US-GA', providerClass: 'psychologist', zone: 'America/New_York' },
    holds: 0,
    accessRequests: 0,
    views: 0,
    downloads: 0,
    revision: 0,
    ...(media === undefined ? {} : { media }),
  };
}

/** A room that was recorded, has ended and whose composition is ready. */
async function composed() {
  const room = server.createRoom();
  await provider().start(recording(room));
  server.endRoom(room);
  await provider().compose?.(recording(room), go);
  const [ref = ''] = server.finishCompositions(room);
  return recording(room, { ref, contentType: 'video/mp4' });
}

describe('verify', () => {
  it('reads the fields of a composition that is ready', () => {
    const callback = server.callback('composition-available', {
      RoomSid: 'RM1',
      CompositionSid: 'CJ1',
      MediaUri: '/v1/Compositions/CJ1/Media',
      Duration: '12',
      Size: '345',
    });
    expect(provider().verify(webhook(callback))).toMatchObject({
      ok: true,
      events: [
        {
          type: 'media_available',
          providerRef: 'RM1',
          key: 'twilio:composition-available:RM1:CJ1',
          media: { ref: 'CJ1', contentType: 'video/mp4', size: 345 },
          durationSeconds: 12,
        },
      ],
    });
  });

  it('gives each kind of callback its meaning, and none to participants and tracks', () => {
    const kinds = {
      'recording-started': 'capture_started',
      'recording-completed': 'capture_completed',
      'recording-failed': 'capture_failed',
      'room-ended': 'session_ended',
      'composition-enqueued': 'processing',
      'composition-started': 'processing',
      'composition-progress': 'processing',
      'composition-available': 'media_available',
      'composition-failed': 'media_failed',
      'composition-hook-failed': 'media_failed',
      'participant-connected': undefined,
      'track-added': undefined,
      'room-created': undefined,
      constructor: undefined,
    };
    const fields = { RoomSid: 'RM1', RecordingSid: 'RT1', CompositionSid: 'CJ1', HookSid: 'HK1', PercentageDone: '50' };
    for (const [kind, type] of Object.entries(kinds)) {
      const verified = provider().verify(webhook(server.callback(kind, fields)));
      expect([kind, verified.ok, verified.ok ? verified.events[0]?.type : '']).toEqual([kind, true, type]);
    }
  });

  it('tells two tracks, and two steps of progress, apart; and a repeat not', () => {
    const key = (event: string, fields: Record<string, string>) => {
      const verified = provider().verify(webhook(server.callback(event, { RoomSid: 'RM1', ...fields })));
      return verified.ok ? verified.events[0]?.key : 'refused';
    };
    expect(key('recording-started', { RecordingSid: 'RT1' })).not.toBe(
      key('recording-started', { RecordingSid: 'RT2' }),
    );
    expect(key('recording-started', { RecordingSid: 'RT1' })).toBe(key('recording-started', { RecordingSid: 'RT1' }));
    expect(key('composition-progress', { CompositionSid: 'CJ1', PercentageDone: '1' })).not.toBe(
      key('composition-progress', { CompositionSid: 'CJ1', PercentageDone: '2' }),
    );
  });

  it('accepts either token during a rotation, and no other', () => {
    const callback = webhook(server.callback('room-ended', { RoomSid: 'RM1' }));
    expect(provider({ authToken: ['new', server.authToken] }).verify(callback).ok).toBe(true);
    expect(provider({ authToken: ['new', 'newer'] }).verify(callback)).toEqual({
      ok: false,
      reason: 'signature_invalid',
    });
    expect(provider().verify({ ...callback, headers: new Headers() })).toEqual({
      ok: false,
      reason: 'signature_missing',
    });
  });

  it.each([
    ['another account', 'room-ended', { RoomSid: 'RM1', AccountSid: 'ACother' }],
    ['no room', 'room-ended', {}],
    ['a room that is a path', 'room-ended', { RoomSid: '../Compositions' }],
    ['no time', 'room-ended', { RoomSid: 'RM1', Timestamp: 'soon' }],
    ['no composition', 'composition-available', { RoomSid: 'RM1' }],
    ['a size that is none', 'composition-available', { RoomSid: 'RM1', CompositionSid: 'CJ1', Size: '-1' }],
    [
      'a size past all bounds',
      'composition-available',
      { RoomSid: 'RM1', CompositionSid: 'CJ1', Size: '9'.repeat(40) },
    ],
    ['no kind', '', { RoomSid: 'RM1' }],
  ])('refuses a signed callback with %s', (_what, event, fields) => {
    expect(provider().verify(webhook(server.callback(event, fields)))).toEqual({ ok: false, reason: 'body_malformed' });
  });

  it('never throws, whatever is signed', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), fc.string(), (fields, event) => {
        expect(typeof provider().verify(webhook(server.callback(event, fields))).ok).toBe('boolean');
      }),
    );
  });
});

describe('start and stop', () => {
  it('may each be repeated', async () => {
    const room = recording(server.createRoom());
    for (let i = 0; i < 2; i++) await provider().start(room);
    for (let i = 0; i < 2; i++) await provider().stop(room);
    expect(server.outbox.map(({ event }) => event)).toEqual([
      'recording-started',
      'recording-started',
      'recording-completed',
      'recording-completed',
    ]);
  });

  it('answer not_available for a room that is not in progress, and for an id that is none', async () => {
    for (const room of ['RMunknown', '../Compositions', 'a/b', ''])
      await expect(provider().start(recording(room))).rejects.toMatchObject({ code: 'not_available' });
    expect(server.log.every(({ path }) => path.startsWith('/v1/Rooms/RM'))).toBe(true);
  });

  it('try three times, and then say that Twilio is away', async () => {
    const room = recording(server.createRoom());
    server.fail({ on: 'api', status: 500 });
    server.fail({ on: 'api', status: 429 });
    await provider().start(room);
    for (let i = 0; i < 3; i++) server.fail({ on: 'api', status: 503 });
    await expect(provider().stop(room)).rejects.toMatchObject({ code: 'provider_unavailable', retryable: true });
  });

  it('do not try again with credentials that were refused', async () => {
    const room = recording(server.createRoom());
    await expect(provider({ authToken: 'wrong' }).start(room)).rejects.toMatchObject({
      code: 'provider_unavailable',
      retryable: false,
    });
    expect(server.log).toHaveLength(1);
  });

  it('say that Twilio is away when it does not answer in time, or not at all', async () => {
    const silent: typeof fetch = (_input, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      });
    for (const fetch of [silent, () => Promise.reject(new TypeError('ECONNREFUSED 10.0.0.1'))]) {
      const failure = await provider({ fetch, timeoutMs: 20 })
        .start(recording(server.createRoom()))
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: 'provider_unavailable',
        retryable: true,
        message: 'Twilio did not answer',
      });
    }
  });
});

describe('compose', () => {
  it("has the callbacks sent to the tenant's own address", async () => {
    const room = recording(server.createRoom());
    const statusCallback = (tenant: string) => `http://127.0.0.1/webhooks/twilio?tenant=${tenant}`;
    const north = provider({ statusCallback });
    await north.start(room);
    server.endRoom(room.providerRef);
    server.outbox.splice(0);
    await north.compose?.(room, go);
    server.finishCompositions(room.providerRef);
    expect(server.outbox.at(-1)?.url).toBe('http://127.0.0.1/webhooks/twilio?tenant=north');
  });

  it('waits for the end of the room, then begins one composition, however often it is asked', async () => {
    const room = recording(server.createRoom());
    await provider().start(room);
    expect(await provider().compose?.(room, go)).toBe('later');
    server.endRoom(room.providerRef);
    for (let i = 0; i < 3; i++) expect(await provider().compose?.(room, go)).toBe('begun');
    expect(server.left(room.providerRef).compositions).toHaveLength(1);
  });

  it('does not begin a second one when the answer to the first is lost', async () => {
    const room = recording(server.createRoom());
    await provider().start(room);
    server.endRoom(room.providerRef);
    server.fail({ on: 'api', hangUp: true, path: /^\/v1\/Compositions$/ });
    server.fail({ on: 'api', hangUp: true, path: /^\/v1\/Compositions$/ });
    await provider()
      .compose?.(room, go)
      .catch(() => {});
    await provider().compose?.(room, go);
    expect(server.left(room.providerRef).compositions).toHaveLength(1);
  });

  it('leaves it to another process that is about to', async () => {
    const room = recording(server.createRoom());
    await provider().start(room);
    server.endRoom(room.providerRef);
    expect(await provider().compose?.(room, { tenant: 'default', mayBegin: () => Promise.resolve(false) })).toBe(
      'begun',
    );
    expect(server.left(room.providerRef).compositions).toEqual([]);
  });

  it('says when there is nothing to compose', async () => {
    const room = server.createRoom();
    server.endRoom(room);
    await expect(provider().compose?.(recording(room), go)).rejects.toMatchObject({ code: 'not_available' });
  });
});

describe('media', () => {
  it('streams what was composed, with its type and size, and without our credentials', async () => {
    const media = await provider().media(await composed());
    expect([media.contentType, media.size]).toEqual(['video/mp4', 65_536]);
    expect((await new Response(media.body).arrayBuffer()).byteLength).toBe(65_536);
    // The stand-in's media host answers 400 to a request with credentials.
    expect(server.log.at(-1)).toMatchObject({ host: 'media', status: 200 });
  });

  it.each([
    'https://evil.example/media',
    'http://com-twilio-us1.s3.amazonaws.com/media',
    'https://user:secret@media.twilio.com/media',
    'https://media.twilio.com.evil.example/media',
    'https://media.twilio.com:8443/media',
    'https://127.0.0.1.evil.example/',
    'http://169.254.169.254/latest/meta-data/',
    'file:///etc/passwd',
    '/relative',
  ])('goes nowhere for a redirect to %s', async (to) => {
    const ready = await composed();
    server.fail({ on: 'redirect', to });
    const asked: string[] = [];
    const watching: typeof fetch = (input, init) => {
      asked.push(String(input));
      return fetch(input, init);
    };
    const failure = await provider({ fetch: watching })
      .media(ready)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'provider_unavailable', retryable: false });
    expect(String(failure)).not.toContain(to);
    expect(asked.every((url) => url.startsWith(server.url))).toBe(true);
  });

  it('goes to plain http on this machine only when told that it may', async () => {
    const ready = await composed();
    expect(() => twilio({ accountSid: 'AC', authToken: 't', baseUrl: server.url })).toThrowError(
      expect.objectContaining({ code: 'invalid_configuration' }),
    );
    const behindTls = twilio({
      accountSid: server.accountSid,
      authToken: server.authToken,
      sleep,
      fetch: (input, init) => fetch(String(input).replace('https://video.twilio.com', server.url), init),
    });
    await expect(behindTls.media(ready)).rejects.toMatchObject({ code: 'provider_unavailable', retryable: false });
  });

  it('is not available once it was removed', async () => {
    const ready = await composed();
    await provider().discard(ready);
    await expect(provider().media(ready)).rejects.toMatchObject({ code: 'not_available' });
  });

  it('never lets the address of the media into a failure', async () => {
    const ready = await composed();
    server.fail({ on: 'media', status: 403 });
    const failure = await provider()
      .media(ready)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'provider_unavailable' });
    expect(String(failure)).not.toContain('ticket');
  });
});

describe('look', () => {
  const look = (room: string, media?: Recording['media']) => provider().look(recording(room, media));

  it('tells a room that is captured from one that is not, while it goes on', async () => {
    const room = server.createRoom();
    expect(await look(room)).toMatchObject({ status: 'none', sessionOpen: true });
    await provider().start(recording(room));
    expect(await look(room)).toMatchObject({ status: 'running', startedAt: expect.any(String) });
    await provider().stop(recording(room));
    expect(await look(room)).toMatchObject({ status: 'ended', sessionOpen: true });
  });

  it('tells what became of a room that has ended', async () => {
    const empty = server.createRoom();
    server.endRoom(empty);
    expect(await look(empty)).toMatchObject({ status: 'none', sessionOpen: false, endedAt: expect.any(String) });
    const room = server.createRoom();
    await provider().start(recording(room));
    server.endRoom(room);
    expect(await look(room)).toMatchObject({ status: 'ended', sessionOpen: false });
    await provider().compose?.(recording(room), go);
    expect(await look(room)).toMatchObject({ status: 'processing' });
    server.finishCompositions(room, 'failed');
    expect(await look(room)).toMatchObject({ status: 'ended' });
    await provider().compose?.(recording(room), go);
    const [ref] = server.finishCompositions(room);
    expect(await look(room)).toMatchObject({
      status: 'media',
      media: { ref, contentType: 'video/mp4', size: 65_536 },
      durationSeconds: expect.any(Number),
    });
    await provider().discard(recording(room));
    expect(await look(room)).toMatchObject({ status: 'expired' });
  });

  it('says failed when every track is, and unknown of a room that Twilio does not know', async () => {
    const room = server.createRoom();
    await provider().start(recording(room));
    server.endRoom(room);
    server.failTracks(room);
    expect(await look(room)).toMatchObject({ status: 'failed', code: 'tracks_failed' });
    expect(await look('RM0123')).toEqual({ status: 'unknown' });
    expect(await look('../Rooms')).toEqual({ status: 'unknown' });
  });

  it('keeps to the media that is known already', async () => {
    const ready = await composed();
    server.fail({ on: 'api', status: 503 });
    await provider().compose?.(recording(ready.providerRef), go);
    expect(await look(ready.providerRef, ready.media)).toMatchObject({ media: { ref: ready.media?.ref } });
  });

  it('reads every page, and says nothing on the strength of half a list', async () => {
    const room = server.createRoom();
    for (let n = 0; n < 60; n++) {
      await provider().start(recording(room));
      await provider().stop(recording(room));
    }
    server.endRoom(room);
    expect(await look(room)).toMatchObject({ status: 'ended' });
    const lists = server.log.filter(({ path }) => path === '/v1/Recordings');
    expect(lists.length).toBeGreaterThan(1);
    for (let i = 0; i < 3; i++) server.fail({ on: 'api', status: 503, path: /Recordings$/ });
    await expect(look(room)).rejects.toMatchObject({ code: 'provider_unavailable' });
  });
});

describe('discard', () => {
  it('removes composition and sources, says what stays, and may be repeated', async () => {
    const ready = await composed();
    expect(server.left(ready.providerRef)).toMatchObject({
      recordings: [{}, {}].map(() => expect.any(String)),
      compositions: [expect.any(String)],
    });
    for (let i = 0; i < 2; i++) expect((await provider().discard(ready)).note).toContain('30 days');
    expect(server.left(ready.providerRef)).toEqual({ recordings: [], compositions: [] });
  });

  it('believes no answer to a deletion: what Twilio still lists is not removed', async () => {
    const ready = await composed();
    const liar: typeof fetch = (input, init) =>
      init?.method === 'DELETE' ? Promise.resolve(new Response(null, { status: 404 })) : fetch(input, init);
    await expect(provider({ fetch: liar }).discard(ready)).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(server.left(ready.providerRef)).toMatchObject({ recordings: [{}, {}], compositions: [{}] });
  });

  it('fails when something could not be removed', async () => {
    const ready = await composed();
    for (let i = 0; i < 3; i++) server.fail({ on: 'api', status: 500, path: /Recordings\/RT/ });
    await expect(provider().discard(ready)).rejects.toMatchObject({ code: 'provider_unavailable' });
  });

  it('follows the pages of a list, but not to another host', async () => {
    const pages: string[] = [];
    const paged: typeof fetch = (input) => {
      const url = new URL(String(input));
      pages.push(url.host + url.pathname + url.search);
      const next =
        url.pathname === '/v1/Compositions'
          ? url.searchParams.has('Page')
            ? 'https://evil.example/v1/Compositions?Page=2'
            : 'https://video.twilio.com/v1/Compositions?Page=1'
          : null;
      return Promise.resolve(Response.json({ meta: { next_page_url: next }, compositions: [], recordings: [] }));
    };
    const discarded = twilio({ accountSid: 'AC', authToken: 't', fetch: paged, sleep }).discard(recording('RM1'));
    // Half a list is not the whole: nothing may be called removed by it.
    await expect(discarded).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(pages.map((page) => page.split('?')[0])).toEqual([
      'video.twilio.com/v1/Compositions',
      'video.twilio.com/v1/Compositions',
    ]);
  });
});
