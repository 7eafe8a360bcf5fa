import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { supabaseObjects } from '@medzen/adapters-supabase';
import type { AuditEvent, Recording } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import { createSamples } from '@medzen/testing';
import { createClient } from '@supabase/supabase-js';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { type SupabaseProject, supabaseProject } from '../../../test/postgrest-stand-in-contexts.ts';
import { type StorageStandIn, startStorage } from '../../../test/storage-stand-in.ts';
import { deno, type RunningFunction, runFunction } from './edge-runtime.ts';
import { type Gateway, startGateway } from './gateway.ts';

const scope = { tenant: 'default' };
const names = ['my-recordings', 'playback', 'twilio'] as const;
const twilio = { accountSid: `AC${'0'.repeat(32)}`, authToken: 'a token of this test' };
const app = 'https://app.clinic.example';
const firebaseKeys = await generateKeyPair('RS256');
const jwk = { ...(await exportJWK(firebaseKeys.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
const samples = createSamples();

let db: FreshDatabase;
let project: SupabaseProject;
let storage: StorageStandIn;
let gateway: Gateway;
/** In Google's place. */
let keyServer: Server;
let anonKey: string;
let available: Recording;
const running = new Map<string, RunningFunction>();

beforeAll(async () => {
  db = await freshDatabase();
  // Of the config that hosts copy.
  const config = await readFile(new URL('../supabase/config.toml', import.meta.url), 'utf8');
  const schemas = JSON.parse(/^schemas = (\[.*\])$/m.exec(config)?.[1] ?? '') as string[]; // a list of names in JSON's notation too
  const maxRows = Number(/^max_rows = (\d+)$/m.exec(config)?.[1]);
  project = await supabaseProject(db.url, { schemas, maxRows, jwks: { keys: [jwk] } });
  const jwtSecret = new TextEncoder().encode('a secret of this test run, of 32 bytes or more');
  storage = await startStorage({ jwtSecret, buckets: { recordings: {} } });
  keyServer = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] })));
  await new Promise<void>((resolve) => keyServer.listen(0, '127.0.0.1', resolve));
  gateway = await startGateway(() => ({
    '/rest/v1/': { to: project.standIn.url, strip: '' },
    '/storage/v1/': { to: storage.url, strip: '' },
    ...Object.fromEntries(
      [...running].map(([name, { url }]) => [`/functions/v1/${name}`, { to: url, strip: '/functions/v1' }]),
    ),
  }));
  anonKey = await project.key('anon');
  const env = {
    SUPABASE_URL: gateway.url,
    SUPABASE_ANON_KEY: anonKey,
    SUPABASE_SERVICE_ROLE_KEY: await project.key('service_role'),
    FIREBASE_PROJECT: 'clinic-prod',
    FIREBASE_KEYS_URL: `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/keys`, // it listens on TCP
    ALLOWED_ORIGINS: app,
    PUBLIC_ORIGIN: gateway.url,
    MEDIA_BUCKET: 'recordings',
    TENANT: 'default',
    LIMIT_SECRET: '0f'.repeat(32),
    // A busy machine is given time: what is tried here is not how long a guard waits.
    GUARD_PATIENCE_MS: '20000',
    TWILIO_ACCOUNT_SID: twilio.accountSid,
    TWILIO_AUTH_TOKEN: twilio.authToken,
  };
  for (const [i, started] of (await Promise.all(names.map((name) => runFunction(name, env)))).entries())
    running.set(names[i] ?? '', started);
  available = await recorded();
}, 120_000);

afterAll(async () => {
  await Promise.all([...running.values()].map((one) => one.stop()));
  gateway.close();
  keyServer.close();
  await storage.close();
  await project.close();
  await db.drop();
});

/** A recording of Ama by Dr Kofi, whose media lies in Storage. */
async function recorded(): Promise<Recording> {
  const { recordings } = sqlStores(pgWire(db.pool));
  const row = samples.newRecording({
    patient: 'ama',
    participants: [
      { id: 'ama', role: 'patient', location: 'US-GA' },
      { id: 'dr-kofi', role: 'provider' },
    ],
  });
  const service = createClient(gateway.url, await project.key('service_role'), { auth: { persistSession: false } });
  const objects = supabaseObjects(service, { bucket: 'recordings' });
  const media = new TextEncoder().encode('the media of a recording');
  const head = await objects.put(`${row.objectPrefix}media`, media, { contentType: 'video/webm' });
  const { key, versionId, size, contentType } = head;
  const placed = { ...row, storage: objects.location };
  const started = await recordings.start(scope, placed, [], samples.event({ action: 'recording.start' }));
  if (started.status !== 'started') throw new Error(started.status);
  let { recording } = started;
  for (const to of ['processing', 'uploading', 'available'] as const) {
    const object = to === 'available' ? { object: samples.object({ key, versionId, size, contentType }) } : {};
    const change = { expectedRevision: recording.revision, at: new Date().toISOString(), to, ...object };
    const changed = await recordings.change(scope, row.id, change, samples.event({ action: 'recording.status' }));
    if (changed.status !== 'changed') throw new Error(changed.status);
    recording = changed.recording;
  }
  return recording;
}

/** As Firebase makes them, with the custom claims that the host gives. */
function tokenOf(sub: string, roles: readonly string[], claims: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT({ role: 'authenticated', roles, auth_time: Math.floor(Date.now() / 1000) - 60, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'JWT' })
    .setIssuer('https://securetoken.google.com/clinic-prod')
    .setAudience('clinic-prod')
    .setSubject(sub)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(firebaseKeys.privateKey);
}

/** As the front end calls: the project's key for the gateway, the person's token beside it. */
function ask(path: string, token?: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${gateway.url}/functions/v1/${path}`, {
    headers: {
      authorization: `Bearer ${anonKey}`,
      ...(token === undefined ? {} : { 'x-firebase-token': token }),
      ...headers,
    },
  });
}

async function events(action: string): Promise<readonly AuditEvent[]> {
  const { rows } = await db.pool.query<{ body: string }>(
    `SELECT convert_from(body, 'UTF8') AS body FROM medzen.audit_event ORDER BY id`,
  );
  return rows.map(({ body }) => JSON.parse(body) as AuditEvent).filter((event) => event.action === action); // sealed ones
}

describe('my-recordings, in Deno', () => {
  test('shows a person what they take part in, asked as that person, and the reading is in the log under their name', async () => {
    const answer = await ask('my-recordings', await tokenOf('ama', ['patient']), { origin: app });
    expect(answer.headers.get('access-control-allow-origin')).toBe(app);
    expect(await answer.json()).toMatchObject({ status: 'ok', recordings: [{ id: available.id }] });
    expect(answer.status).toBe(200);
    const outsider = await ask('my-recordings', await tokenOf('dr-esi', ['provider']));
    expect(await outsider.json()).toEqual({ status: 'ok', recordings: [] });
    const [event] = await events('recording.list');
    expect(event).toMatchObject({ actor: { id: 'ama', type: 'user' }, patient: 'ama', outcome: 'success' });
  });

  test('is 401 without a token, with a key in its place, and with one of another issuer; denials are written down', async () => {
    const foreign = await tokenOf('ama', ['patient'], { iss: 'https://securetoken.google.com/another' });
    const service = await project.key('service_role', { sub: 'ama' });
    for (const token of [undefined, anonKey, service, foreign.replace(/.$/, '!'), 'sb_secret_abc'])
      expect((await ask('my-recordings', token)).status).toBe(401);
    await expect.poll(async () => (await events('request.denied')).length).toBeGreaterThan(0);
  });

  test('says nothing of what is wrong in the project, and does not step in as a service', async () => {
    const before = (await events('service.access')).length;
    const roleless = await ask('my-recordings', await tokenOf('ama', ['patient'], { role: undefined }));
    expect(roleless.status).toBe(500);
    expect(await roleless.text()).not.toMatch(/Firebase|role/);
    expect(running.get('my-recordings')?.log()).toMatch(/let Firebase add role: "authenticated"/); // the operator is told
    expect(await events('service.access')).toHaveLength(before);
  });

  test('answers the preflight of a browser, with the headers that functions.invoke of supabase-js sends', async () => {
    const wanted = ['apikey', 'authorization', 'content-type', 'x-client-info', 'x-firebase-token'];
    const answer = await fetch(`${gateway.url}/functions/v1/my-recordings`, {
      method: 'OPTIONS',
      headers: {
        origin: app,
        'access-control-request-method': 'GET',
        'access-control-request-headers': wanted.join(','),
      },
    });
    expect(answer.ok).toBe(true);
    const allowed = answer.headers.get('access-control-allow-headers')?.split(', ');
    expect(allowed).toEqual(expect.arrayContaining(wanted));
  });

  test('refuses origins that are not listed', async () => {
    const answer = await ask('my-recordings', await tokenOf('ama', ['patient']), { origin: 'https://evil.example' });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('playback, in Deno', () => {
  test('gives a link that plays to whoever takes part, once the service and the viewing are in the log', async () => {
    const answer = await ask(`playback/${available.id}`, await tokenOf('dr-kofi', ['provider']));
    expect(answer.status).toBe(200);
    const { url } = (await answer.json()) as { url: string };
    expect(await (await fetch(url)).text()).toBe('the media of a recording');
    const [access] = await events('service.access');
    expect(access).toMatchObject({ actor: { id: 'playback', type: 'service', onBehalfOf: 'dr-kofi' } });
    expect(access?.reason).toContain('signed by the service');
    const [view] = await events('recording.view');
    expect(view).toMatchObject({ actor: { id: 'dr-kofi' }, patient: 'ama', outcome: 'success' });
  });

  test('is refused to others, and 429 when asked too often', async () => {
    const token = await tokenOf('dr-esi', ['provider']);
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await ask(`playback/${available.id}`, token)).status);
    expect(statuses).toEqual([403, 403, 403, 403, 403, 429]);
    const views = (await events('recording.view')).filter(({ actor }) => actor.id === 'dr-esi');
    expect(views.map(({ outcome }) => outcome)).toEqual(Array(5).fill('denied'));
    await expect.poll(() => events('rate_limit.exceeded')).toMatchObject([{ actor: { id: 'dr-esi' } }]);
  });
});

describe('twilio, in Deno', () => {
  const call = (fields: Readonly<Record<string, string>>, authToken: string): Promise<Response> => {
    const url = `${gateway.url}/functions/v1/twilio`;
    const text = Object.keys(fields)
      .sort()
      .map((name) => name + fields[name]); // as Twilio documents it
    const signature = createHmac('sha1', authToken)
      .update(url + text.join(''), 'utf8')
      .digest('base64');
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature };
    return fetch(url, { method: 'POST', headers, body: new URLSearchParams(fields).toString() });
  };

  test('takes what Twilio signed for the address that it knows, and nothing else', async () => {
    const { recordings } = sqlStores(pgWire(db.pool));
    const row = samples.newRecording({ participants: [{ id: 'ama', role: 'patient' }], patient: 'ama' });
    await recordings.start(scope, row, [], samples.event({ action: 'recording.start' }));
    const fields = {
      AccountSid: twilio.accountSid,
      RoomSid: row.providerRef ?? '',
      RecordingSid: `RT${'1'.repeat(32)}`,
      StatusCallbackEvent: 'recording-completed',
      Timestamp: new Date().toISOString(),
    };
    expect((await call(fields, 'another token')).status).toBe(401);
    await expect.poll(() => events('webhook.reject')).toHaveLength(1);
    const answer = await call(fields, twilio.authToken);
    expect([answer.status, await answer.json()]).toEqual([200, { results: ['noted'] }]);
    expect((await events('service.access')).at(-1)).toMatchObject({ actor: { id: 'twilio', type: 'service' } });
  });
});

test('the functions are right by the types of Deno too', async () => {
  const files = names.map((name) => `supabase/functions/${name}/index.ts`);
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  await promisify(execFile)(deno, ['check', '--quiet', ...files], { cwd, env: { ...process.env, NO_COLOR: '1' } });
}, 60_000);
