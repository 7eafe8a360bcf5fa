import { sampleMp4, sampleWebm } from '@medzen/testing/twilio-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, openClinic } from '../../test/clinic.ts';
import type { Provider } from '../provider.ts';
import { mayBegin } from './media-kind.ts';
import { tooShort } from './plausible.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

/** Twilio with other bytes, of which it states no size. */
function serving(bytes: Uint8Array, contentType?: string): Provider {
  return {
    ...clinic.provider,
    media: async (recording, signal) => {
      const { size: _, ...given } = await clinic.provider.media(recording, signal);
      await given.body.cancel();
      return {
        ...given,
        body: new Blob([Uint8Array.from(bytes)]).stream(),
        ...(contentType === undefined ? {} : { contentType }),
      };
    },
  };
}

async function uploadingWithoutSize() {
  const { id, providerRef, objectPrefix } = await clinic.start();
  clinic.clock.advance(30 * 60_000);
  clinic.server.endRoom(providerRef);
  for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
  const [sid = ''] = clinic.server.finishCompositions(providerRef);
  clinic.server.outbox.splice(0);
  await clinic.ingest(clinic.server.callback('composition-available', { RoomSid: providerRef, CompositionSid: sid }));
  return { id, providerRef, objectPrefix };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const whole = sampleMp4(1800);
const implausible: [string, Uint8Array, string][] = [
  ['an error page', text('<!DOCTYPE html><html>Service unavailable</html>'), 'not_media'],
  ['an error in JSON', text('{"code": 20404, "message": "not found"}'), 'not_media'],
  ['an error of S3', text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), 'not_media'],
  ['another container', sampleWebm(1800), 'not_media'],
  ['zeroes', new Uint8Array(32_768), 'not_media'],
  ['media cut in the middle', whole.subarray(0, 32_768), 'truncated'],
  ['media of five seconds', sampleMp4(5), 'too_short'],
];

describe('media that cannot be what was captured', () => {
  it.each(implausible)('is refused, and the provider keeps its copy: %s', async (_what, bytes, why) => {
    const { id, providerRef, objectPrefix } = await uploadingWithoutSize();
    const odd = clinic.another({ providers: { twilio: serving(bytes) } });
    expect((await odd.transferDue(clinic.scope)).failed).toEqual([{ id, code: 'media_implausible' }]);
    expect(await clinic.get(id)).toMatchObject({ state: 'failed', failure: { code: 'media_implausible' } });
    expect((await clinic.get(id)).object).toBeUndefined();
    expect(await clinic.versions(objectPrefix)).toBe(0);
    expect(clinic.server.left(providerRef)).toMatchObject({ recordings: [{}, {}], compositions: [{}] });
    expect((await clinic.events()).at(-1)).toMatchObject({
      action: 'recording.failed',
      outcome: 'failed',
      detail: { code: 'media_implausible', why },
    });
    // Whole again: a retry mends it.
    await clinic.recordings.retryTransfer(id, clinic.admin);
    expect(await clinic.recordings.transfer(id, clinic.scope)).toMatchObject({ state: 'available' });
  });

  it('may be a WebM cut in half of which nobody states the size, if it states its own', async () => {
    const { id } = await uploadingWithoutSize();
    const half = sampleWebm(1800, 65_536, 'declared').subarray(0, 32_768);
    const odd = clinic.another({ providers: { twilio: serving(half, 'video/webm') } });
    expect((await odd.transferDue(clinic.scope)).failed).toEqual([{ id, code: 'media_implausible' }]);
    expect((await clinic.events()).at(-1)).toMatchObject({ detail: { why: 'truncated' } });
  });

  it.each([
    ['whole', sampleWebm(1800, 65_536, 'declared')],
    ['unknown', sampleWebm(1800)],
  ] as const)('is not media whose end nobody states; the event says that it is %s', async (wholeness, bytes) => {
    const { id } = await uploadingWithoutSize();
    const live = clinic.another({ providers: { twilio: serving(bytes, 'video/webm') } });
    expect((await live.transferDue(clinic.scope)).available).toEqual([id]);
    const done = (await clinic.events()).find(({ action }) => action === 'recording.upload_completed');
    expect(done).toMatchObject({ detail: { wholeness } });
  });

  it('is taken when a person accepts it, who says why, and not for longer than that media', async () => {
    const { id, providerRef } = await uploadingWithoutSize();
    const short = clinic.another({ providers: { twilio: serving(sampleMp4(5)) } });
    await short.transferDue(clinic.scope);
    await short.retryTransfer(id, clinic.admin, { acceptImplausible: 'The patient left after five seconds' });
    expect((await clinic.events()).at(-1)).toMatchObject({
      action: 'recording.retry',
      reason: 'The patient left after five seconds',
      detail: { accepted: 'media_implausible' },
    });
    expect((await short.transferDue(clinic.scope)).available).toEqual([id]);
    expect(await clinic.get(id)).toMatchObject({ state: 'available', media: { acceptedBy: clinic.admin.actor.id } });
    expect(clinic.server.left(providerRef)).toEqual({ recordings: [], compositions: [] });
    await expect(short.retryTransfer(id, clinic.admin, { acceptImplausible: ' ' })).rejects.toMatchObject({
      code: 'invalid_input',
    });
  });

  it('is never empty, whoever accepts it', async () => {
    const { id } = await uploadingWithoutSize();
    const empty = clinic.another({ providers: { twilio: serving(new Uint8Array(0)) } });
    await empty.transferDue(clinic.scope);
    await empty.retryTransfer(id, clinic.admin, { acceptImplausible: 'Let it go' });
    expect((await empty.transferDue(clinic.scope)).failed).toEqual([{ id, code: 'media_empty' }]);
    expect(await clinic.get(id)).toMatchObject({ failure: { code: 'media_empty' } });
  });

  it('may be as short as the host says', async () => {
    const { id } = await uploadingWithoutSize();
    const short = { ...serving(sampleMp4(900)), plausibility: {} };
    const lenient = clinic.another({ providers: { twilio: short }, plausibility: { minCapturedShare: 0.4 } });
    expect((await lenient.transferDue(clinic.scope)).available).toEqual([id]);
    for (const share of [-0.1, 1.1, Number.NaN])
      expect(() => clinic.another({ plausibility: { minSessionShare: share } })).toThrow('minSessionShare');
  });

  it('is not a call in which nobody spoke for most of the time: what was captured counts, not how long the room was open', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.clock.advance(60_000);
    await clinic.recordings.stop(id, clinic.doctor);
    clinic.clock.advance(3 * 3_600_000);
    clinic.server.endRoom(providerRef);
    for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
    await clinic.recordings.reconcile(clinic.scope);
    clinic.server.finishCompositions(providerRef);
    for (const callback of clinic.server.outbox.splice(0)) await clinic.ingest(callback);
    expect(await clinic.recordings.transfer(id, clinic.scope)).toMatchObject({ state: 'available' });
  });
});

describe('tooShort', () => {
  const session = { startedAt: '2026-11-21T15:00:00.000Z', endedAt: '2026-11-21T16:00:00.000Z' };
  const facts = (seconds?: number) => ({ seconds });

  it('compares with what was captured, or else with the session, and holds nothing against what is not known', () => {
    expect(tooShort(session, facts(3300), { capturedSeconds: 3600 }, {})).toBeUndefined();
    expect(tooShort(session, facts(3000), { capturedSeconds: 3600 }, {})).toBe('too_short');
    expect(tooShort(session, facts(600), { capturedSeconds: 620 }, {})).toBeUndefined();
    expect(tooShort(session, facts(1750), {}, {})).toBeUndefined();
    expect(tooShort(session, facts(1700), {}, {})).toBe('too_short');
    expect(tooShort(session, facts(1700), {}, { minSessionShare: 0 })).toBeUndefined();
    expect(tooShort(session, facts(), {}, {})).toBeUndefined();
    expect(tooShort(session, facts(), { durationSeconds: 10, capturedSeconds: 3600 }, {})).toBe('too_short');
    expect(tooShort({ ...session, durationSeconds: 3600 }, facts(100), { capturedSeconds: 100 }, {})).toBe('too_short');
    expect(tooShort({ startedAt: session.startedAt }, facts(1), {}, {})).toBeUndefined();
  });
});

describe('mayBegin', () => {
  it('knows the containers by their signatures, and takes what it does not know unless it is text', () => {
    const bytes = (...values: number[]) => Uint8Array.from([...values, ...new Uint8Array(32)]);
    const riff = text('RIFF....WAVEfmt ');
    const cases: [string, Uint8Array, boolean][] = [
      ['video/mp4; codecs="avc1"', whole, true],
      ['VIDEO/MP4', whole, true],
      ['audio/ogg', text('OggS'), true],
      ['audio/ogg', text('RIFF'), false],
      ['audio/wav', riff, true],
      ['audio/mpeg', bytes(0xff, 0xfb), true],
      ['audio/mpeg', text('ID3'), true],
      ['audio/mpeg', text('<html>'), false],
      ['audio/x-matroska', sampleWebm(1), true],
      ['video/x-unheard-of', bytes(1, 2, 3), true],
      ['video/x-unheard-of', text('  <html>'), false],
      ['application/octet-stream', text('{"error": 1}'), false],
      ['text/html', text('hello'), false],
    ];
    for (const [type, head, fits] of cases) expect([type, mayBegin(type, head.subarray(0, 512))]).toEqual([type, fits]);
  });
});
