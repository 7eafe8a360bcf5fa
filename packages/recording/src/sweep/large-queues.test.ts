import { MedzenError, type Recording, type RecordingChange, type RecordingState } from '@medzen/core';
import { createSamples, type Samples } from '@medzen/testing';
import { sampleMp4 } from '@medzen/testing/twilio-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic } from '../../test/clinic.ts';
import { copyRemains } from '../deletion/discard.ts';
import type { Provider } from '../provider.ts';
import type { Recordings, RecordingsDeps } from '../recordings.ts';

/** Rows that fail for ever stand before the healthy ones in every queue; every third has a provider that nobody configured. */
const failing = 900;
const healthy = 60;
const limit = 100;
/** Runs after which every row was looked at once. */
const rounds = Math.ceil((failing + healthy) / limit) + 1;

const minute = 60_000;
const media = { ref: 'CJ1', contentType: 'video/mp4' } as const;
const bytes = sampleMp4(60, 1000);

let clinic: Clinic;
let mine: Samples;
/** Calls to the outside by recording, or by patient. */
let calls: Map<string, number>;
beforeEach(async () => {
  clinic = await openClinic();
  mine = createSamples({ scope: clinic.scope, clock: clinic.clock });
  calls = new Map();
});
afterEach(() => clinic.close());

function count(name: string): void {
  calls.set(name, (calls.get(name) ?? 0) + 1);
  if (name.startsWith('bad')) throw new MedzenError('provider_unavailable', 'Always', { retryable: true });
}

const provider: Provider = {
  name: 'twilio',
  verify: () => ({ ok: false, reason: 'signature_invalid' }),
  start: async () => {},
  stop: async ({ providerRef }) => count(providerRef),
  look: async ({ providerRef }) => {
    count(providerRef);
    return { status: 'running' };
  },
  media: async ({ providerRef }) => {
    count(providerRef);
    return { body: new Blob([Uint8Array.from(bytes)]).stream(), contentType: media.contentType, size: bytes.length };
  },
  discard: async ({ providerRef }) => {
    count(providerRef);
    return {};
  },
};

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function app(more: Partial<RecordingsDeps> = {}): Recordings {
  return clinic.another({ providers: { twilio: provider }, logger: quiet, ...more });
}

type Kind = 'bad' | 'gone' | 'good';

/** A row that was brought to a state, the older the earlier it is made. */
async function made(kind: Kind, state: RecordingState, more: Partial<RecordingChange> = {}): Promise<Recording> {
  clinic.clock.advance(1);
  const given = mine.newRecording();
  const names = { patient: `${kind}-${given.id}`, providerRef: `${kind}-${given.id}` };
  const who = { participants: [{ id: names.patient, role: 'patient' as const }] };
  const row = {
    ...given,
    ...names,
    ...who,
    provider: kind === 'gone' ? 'gone' : 'twilio',
    storage: clinic.objects.location,
  };
  const { recordings } = clinic.stores;
  const started = await recordings.start(clinic.scope, row, [], mine.event());
  if (started.status !== 'started') throw new Error(started.status);
  let recording = started.recording;
  const ways = {
    starting: [],
    recording: ['recording'],
    uploading: ['uploading'],
    available: ['uploading', 'available'],
  };
  for (const to of (ways as Partial<Record<RecordingState, RecordingState[]>>)[state] ?? []) {
    const at = clinic.clock.now().toISOString();
    const change = { expectedRevision: recording.revision, to, at, ...(to === state ? more : {}) };
    const result = await recordings.change(clinic.scope, recording.id, change, mine.event());
    if (result.status !== 'changed') throw new Error(result.status);
    recording = result.recording;
  }
  return recording;
}

/** The failing rows first. */
async function queue(
  make: (kind: Kind) => Promise<Recording>,
  kinds: readonly Kind[] = ['bad', 'bad', 'gone'],
): Promise<Recording[]> {
  for (let i = 0; i < failing; i++) await make(kinds[i % kinds.length] ?? 'bad');
  const rows: Recording[] = [];
  for (let i = 0; i < healthy; i++) rows.push(await make('good'));
  return rows;
}

/** Runs a worker until every row had its turn, and goes on for as long again: that changes nothing for the healthy rows. */
async function run(work: () => Promise<unknown>, apart: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await work();
    clinic.clock.advance(apart);
  }
}

function mostCalls(): number {
  return Math.max(...[...calls].filter(([name]) => name.startsWith('bad')).map(([, times]) => times));
}

/** Attempts within a time when the n-th waits n² minutes for the next, `most` at most. */
function attemptsWithin(ms: number, most = Number.POSITIVE_INFINITY): number {
  let attempts = 1;
  for (let passed = 0; ; attempts++) {
    passed += Math.min(attempts * attempts * minute, most);
    if (passed > ms) return attempts;
  }
}

async function statesOf(rows: readonly Recording[]): Promise<string[]> {
  const states = await Promise.all(rows.map(async ({ id }) => (await clinic.get(id)).state));
  return [...new Set(states)];
}

describe('a queue of which most rows fail for ever', () => {
  it('of stops lets every other capture be stopped within as many runs as it is long', async () => {
    const good = await queue(async (kind) => {
      const recording = await made(kind, 'recording');
      const { sessionId, patient } = recording;
      const withdrawal = mine.consent({ sessionId, participant: patient, decision: 'withdrawn' });
      await clinic.stores.consents.record(clinic.scope, withdrawal, mine.event());
      return recording;
    });
    const worker = app();
    await run(() => worker.stopWithdrawn(clinic.scope, { limit }), 5000);
    expect(await statesOf(good)).toEqual(['processing']);
    expect(mostCalls()).toBeLessThanOrEqual(attemptsWithin(rounds * 5000, 5 * minute));
  });

  it('of questions lets every other row be asked about', async () => {
    const good = await queue((kind) => made(kind, 'starting'));
    clinic.clock.advance(minute);
    const worker = app();
    await run(() => worker.reconcile(clinic.scope, { limit }), minute);
    expect(await statesOf(good)).toEqual(['recording']);
    expect([...calls.values()].reduce((sum, times) => sum + times, 0)).toBeLessThanOrEqual(rounds * limit);
    expect(mostCalls()).toBeLessThanOrEqual(rounds);
  });

  it('of transfers lets all other media come home', async () => {
    const good = await queue((kind) => made(kind, 'uploading', { media }));
    const worker = app();
    await run(() => worker.transferDue(clinic.scope, { limit }), minute);
    expect(await statesOf(good)).toEqual(['available']);
    // A healthy row is fetched once, and its copy is removed once.
    expect(mostCalls()).toBeLessThanOrEqual(attemptsWithin(rounds * minute));
  });

  it('of copies at the provider lets all others be removed', async () => {
    const failure = { code: copyRemains, at: '2026-11-21T15:00:00.000Z', attempts: 0 };
    const good = await queue((kind) => made(kind, 'available', { failure, object: mine.object() }));
    const worker = app();
    await run(() => worker.sweep(clinic.scope, { limit }), minute);
    for (const { id } of good) expect(await clinic.get(id)).not.toHaveProperty('failure');
    expect(mostCalls()).toBeLessThanOrEqual(attemptsWithin(rounds * minute));
  });

  it('of warnings lets everybody else be warned', async () => {
    const good = await queue((kind) => made(kind, 'available', { object: mine.object() }), ['bad']);
    clinic.clock.set('2070-01-01T00:00:00.000Z');
    const worker = app({ notifier: { retentionWarning: async ({ patient }) => count(patient) } });
    await run(() => worker.sweep(clinic.scope, { limit }), minute);
    for (const { id, patient } of good) {
      expect(await clinic.get(id)).toHaveProperty('deletableAt');
      expect(calls.get(patient)).toBe(1);
    }
    expect(mostCalls()).toBeLessThanOrEqual(attemptsWithin(rounds * minute));
  });

  it('of deletions lets everything else be deleted', async () => {
    const object = { size: 7, contentType: media.contentType };
    const good = await queue(
      async (kind) => {
        const { key, versionId } = await clinic.objects.put(`${kind}/${mine.ids.uuid()}`, new Uint8Array(7), object);
        return made(kind, 'available', { object: mine.object({ key, versionId, size: 7 }) });
      },
      ['bad'],
    );
    clinic.clock.set('2070-01-01T00:00:00.000Z');
    const bad = new Set<string>();
    for (const { id, objectPrefix } of (await all()).filter(({ patient }) => patient.startsWith('bad'))) {
      bad.add(objectPrefix);
      calls.set(`bad-${id}`, 0);
    }
    const byPrefix = new Map((await all()).map((row) => [row.objectPrefix, row]));
    const worker = app({
      objects: {
        ...clinic.objects,
        listVersions: async (prefix, options) => {
          const row = byPrefix.get(prefix);
          if (row !== undefined) calls.set(row.patient, (calls.get(row.patient) ?? 0) + 1);
          if (bad.has(prefix)) throw down();
          const key = row?.object?.key;
          return key === undefined ? { versions: [] } : clinic.objects.listVersions(key, options);
        },
      },
    });
    for (let i = 0; i < 2; i++) await worker.sweep(clinic.scope, { limit: 1000 });
    clinic.clock.advance(91 * 24 * 60 * minute);
    await run(() => worker.sweep(clinic.scope, { limit }), minute);
    expect(await statesOf(good)).toEqual(['deleted']);
    expect(mostCalls()).toBeLessThanOrEqual(attemptsWithin(rounds * minute));
  });
});

async function all(): Promise<readonly Recording[]> {
  const found: Recording[] = [];
  let cursor: string | undefined;
  do {
    const page = await clinic.stores.recordings.list(clinic.scope, {
      limit: 200,
      ...(cursor === undefined ? {} : { cursor }),
    });
    found.push(...page.recordings);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}
