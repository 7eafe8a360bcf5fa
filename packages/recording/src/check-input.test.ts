import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acknowledged, type Clinic, openClinic, startInput } from '../test/clinic.ts';
import type { ProviderEvent } from './provider.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

const long = (length: number): string => 'x'.repeat(length);
const halfPair = '\ud83d';

/** Refused before anything is asked of a store: a database would answer with an error that nobody can read. */
async function expectRefused(promise: Promise<unknown>, pointer: string | undefined): Promise<void> {
  await expect(promise).rejects.toMatchObject({
    code: 'invalid_input',
    ...(pointer === undefined ? {} : { pointers: [pointer] }),
  });
  expect(clinic.stores.inspect.countEvents()).toBe(0);
}

describe('what a caller writes', () => {
  const consent = {
    sessionId: 's-1',
    patient: 'p1',
    acknowledgements: acknowledged,
    textVersion: '2026-01',
    text: 'May we record this visit?',
    language: 'en',
    method: 'click',
    location: 'US-GA',
  } as const;

  it.each([
    ['/sessionId', { sessionId: long(257) }],
    ['/sessionId', { sessionId: `s${halfPair}` }],
    ['/participant', { participant: long(257) }],
    ['/patient', { patient: long(257) }],
    ['/patient', { patient: '' }],
    ['/textVersion', { textVersion: long(257) }],
    ['/text', { text: halfPair }],
    ['/language', { language: long(65) }],
    ['/location', { location: long(17) }],
    ['/location', { location: '' }],
    ['/acknowledgements', { acknowledgements: undefined as unknown as typeof acknowledged }],
  ])('of consent is bounded: %s', async (pointer, wrong) => {
    await expectRefused(clinic.recordings.consent.give({ ...consent, ...wrong }, clinic.doctor), pointer);
  });

  it('of consent comes from an address that is one', async () => {
    const ctx = { ...clinic.patient, source: { ip: long(65) } };
    await expectRefused(clinic.recordings.consent.give(consent, ctx), undefined);
  });

  it.each([
    ['/sessionId', { sessionId: long(257) }],
    ['/patient', { patient: long(257) }],
    ['/providerRef', { providerRef: long(257) }],
    ['/providerRef', { providerRef: `RM${halfPair}` }],
    ['/participants', { participants: [{ id: 'p1', role: 'patient', location: long(17) }] as const }],
    ['/participants', { participants: [{ id: long(257), role: 'patient' }] as const }],
    ['/retentionClass/jurisdiction', { retentionClass: { jurisdiction: long(65), providerClass: 'c', zone: 'UTC' } }],
    ['/retentionClass/providerClass', { retentionClass: { jurisdiction: 'US-GA', providerClass: '', zone: 'UTC' } }],
    ['/retentionClass/zone', { retentionClass: { jurisdiction: 'US-GA', providerClass: 'c', zone: long(65) } }],
  ])('of a start is bounded: %s', async (pointer, wrong) => {
    await expectRefused(clinic.recordings.start({ ...startInput('RM1'), ...wrong }, clinic.doctor), pointer);
  });

  it.each([
    ['/patient', { patient: long(257) }],
    ['/zone', { zone: `2026-01-01T00:00[America/New_York]${long(65)}` }],
    [undefined, { zone: '2026-01-01T00:00:00.000000000+00:00[Africa/Douala]' }],
  ])('of a fact is bounded: %s', async (pointer, wrong) => {
    const fact = { patient: 'p1', type: 'treatment', date: '2026-11-21', zone: 'America/New_York' } as const;
    await expectRefused(clinic.recordings.noteFact({ ...fact, ...wrong }, clinic.admin), pointer);
  });

  it.each([
    ['/matter', { matter: long(257) }],
    ['/reason', { reason: long(2049) }],
    ['/reason', { reason: 'a\0b' }],
    ['/reason', { reason: halfPair }],
    ['/target/patient', { target: { patient: long(257) } }],
    ['/target', { target: { patient: 'p1', recordingId: '019aa7c4-0000-7000-8000-000000000001' } }],
    ['/target', { target: {} as { patient: string } }],
  ])('of a hold is bounded: %s', async (pointer, wrong) => {
    const hold = { target: { patient: 'p1' }, matter: 'm', reason: 'first\nsecond line' };
    await expectRefused(clinic.recordings.legalHold.place({ ...hold, ...wrong }, clinic.admin), pointer);
  });

  it.each([long(2049), 'a\0b', halfPair, ' '])('as a reason for a deletion is bounded', async (reason) => {
    const id = '019aa7c4-0000-7000-8000-000000000001';
    await expectRefused(clinic.recordings.delete(id, { reason }, clinic.admin), '/reason');
  });

  it.each([
    ['/sessionId', { sessionId: long(257) }],
    ['/patient', { patient: halfPair }],
    ['/limit', { limit: 201 }],
  ])('to list by is bounded: %s', async (pointer, query) => {
    await expectRefused(clinic.recordings.list(query, clinic.admin), pointer);
  });

  it.each<Partial<ProviderEvent>>([{ key: long(513) }, { failureCode: long(129) }, { durationSeconds: -1 }])(
    'as a provider is bounded too',
    async (wrong) => {
      const event = {
        provider: 'twilio',
        providerRef: 'RM1',
        type: 'media_failed',
        key: 'k',
        at: '2026-11-21T15:00:00.000Z',
      } as const;
      await expectRefused(clinic.recordings.ingest({ ...event, ...wrong }, clinic.scope), undefined);
    },
  );
});
