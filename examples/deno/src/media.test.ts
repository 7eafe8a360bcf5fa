import { supabaseObjects, supabaseStores } from '@medzen/adapters-supabase';
import type { CallContext } from '@medzen/core';
import {
  createRecordings,
  createRetention,
  georgiaPsychologist,
  type Provider,
  retentionRules,
} from '@medzen/recording';
import { createSamples, fakeClock } from '@medzen/testing';
import { sampleWebm } from '@medzen/testing/twilio-server';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { type SupabaseProject, supabaseProject } from '../../../test/postgrest-stand-in-contexts.ts';
import { type StorageStandIn, startStorage } from '../../../test/storage-stand-in.ts';
import { type Gateway, startGateway } from './gateway.ts';

const scope = { tenant: 'default' };
const day = 86_400_000;
const media = sampleWebm(60, 3_000_000);

let db: FreshDatabase;
let project: SupabaseProject;
let storage: StorageStandIn;
let gateway: Gateway;
beforeAll(async () => {
  db = await freshDatabase({ test: true });
  project = await supabaseProject(db.url);
  const jwtSecret = new TextEncoder().encode('a secret of this test run, of 32 bytes or more');
  storage = await startStorage({ jwtSecret, buckets: { recordings: {} } });
  gateway = await startGateway(() => ({
    '/rest/v1/': { to: project.standIn.url, strip: '' },
    '/storage/v1/': { to: storage.url, strip: '' },
  }));
}, 120_000);
afterAll(async () => {
  gateway.close();
  await storage.close();
  await project.close();
  await db.drop();
});

/** Has the media of every recording, until it is told to let go of it. */
function provider(discarded: string[]): Provider {
  const never = (): Promise<never> => Promise.reject(new Error('not in this test'));
  return {
    name: 'local',
    verify: () => ({ ok: false, reason: 'signature_missing' }),
    start: never,
    look: never,
    stop: never,
    media: async () => ({
      body: new Blob([Uint8Array.from(media)]).stream(),
      contentType: 'video/webm',
      size: media.length,
    }),
    discard: async ({ id }) => {
      discarded.push(id);
      return {};
    },
  };
}

test('media lives and ends in Storage: copied whole, played, kept for seven years and the grace, and gone for good', async () => {
  const clock = fakeClock('2026-01-15T12:00:00.000Z');
  const samples = createSamples({ clock });
  const service = createClient(gateway.url, await project.key('service_role'), { auth: { persistSession: false } });
  const stores = supabaseStores(service);
  const discarded: string[] = [];
  const warned: string[] = [];
  const objects = supabaseObjects(service, { bucket: 'recordings' });
  const recordings = createRecordings({
    stores,
    objects,
    providers: { local: provider(discarded) },
    retention: createRetention({ rules: retentionRules, policies: [georgiaPsychologist] }),
    notifier: { retentionWarning: async ({ recordingId }) => void warned.push(recordingId) },
    clock,
  });
  const ctx: CallContext = {
    scope,
    actor: { id: 'provider-1', type: 'user', roles: ['provider'], tenant: 'default' },
    source: {},
  };

  /** Both clocks: the sweep refuses to run ahead of the database. */
  const pass = async (days: number): Promise<void> => {
    clock.advance(days * day);
    await db.pool.query('SELECT medzen.set_test_clock($1, false)', [clock.now().toISOString()]);
  };
  await pass(0);

  const row = samples.newRecording({ provider: 'local', storage: objects.location });
  const event = () => samples.event({ action: 'recording.status' });
  const started = await stores.recordings.start(scope, row, [], event());
  if (started.status !== 'started') throw new Error(started.status);
  let { revision } = started.recording;
  for (const to of ['processing', 'uploading'] as const) {
    const change = { expectedRevision: revision, at: clock.now().toISOString(), to };
    const changed = await stores.recordings.change(scope, row.id, change, event());
    if (changed.status !== 'changed') throw new Error(changed.status);
    revision = changed.recording.revision;
  }
  await recordings.transfer(row.id, scope);
  expect(discarded).toEqual([row.id]);
  const { url } = await recordings.playbackUrl(row.id, ctx);
  expect(new Uint8Array(await (await fetch(url)).arrayBuffer())).toEqual(media);

  const about = { patient: row.patient, zone: 'America/New_York' };
  await recordings.noteFact({ ...about, type: 'birth', date: '1980-05-04' }, ctx);
  await recordings.noteFact({ ...about, type: 'treatment', date: '2026-01-15' }, ctx);
  expect((await recordings.sweep(scope)).archived).toEqual([]);
  await pass(7 * 365 + 3);
  expect((await recordings.sweep(scope)).archived).toEqual([row.id]);
  await pass(65);
  expect((await recordings.sweep(scope)).warned).toEqual([row.id]);
  expect(warned).toEqual([row.id]);
  expect(storage.objects.size).toBe(2); // the bytes and their mark, to the last day
  await pass(31); // from the warning, which came a little after its day
  const last = await recordings.sweep(scope);
  expect([last.deleted, last.versions, last.bytes]).toEqual([[row.id], 1, media.length]);
  expect(storage.objects.size).toBe(0);
  expect(await stores.recordings.get(scope, row.id)).toMatchObject({ state: 'deleted' });
});
