import { openEvent } from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { type SupabaseProject, supabaseProject } from '../../../test/postgrest-stand-in-contexts.ts';
import { type AsServiceOptions, asService, supabaseStores } from './index.ts';

const scope = { tenant: 'default' };

let db: FreshDatabase;
let project: SupabaseProject;
let options: AsServiceOptions;
beforeAll(async () => {
  db = await freshDatabase();
  project = await supabaseProject(db.url);
  options = { client: await project.client('service_role'), service: 'playback', ctx: { scope } };
}, 120_000);
afterAll(async () => {
  await project.close();
  await db.drop();
});

async function accesses() {
  const { stores } = await asService('the test looks', { ...options, service: 'reader' });
  const { events } = await stores.audit.search(scope, { action: 'service.access', actor: 'playback' });
  return events.map(({ body }) => openEvent(body));
}

test('each call writes one event with its reason, and gives the stores and the wire', async () => {
  const before = await accesses();
  const clock = fakeClock();
  const { stores, wire } = await asService('links are signed by the service', {
    ...options,
    clock,
    ctx: {
      scope,
      actor: { id: 'provider-1', type: 'user', roles: ['provider'], tenant: 'default' },
      source: { requestId: 'r-1' },
    },
  });
  expect(Object.keys(stores)).toContain('recordings');
  expect(await wire.call('read_head', {})).toHaveLength(1);
  const after = await accesses();
  expect(after).toHaveLength(before.length + 1);
  expect(after[0]).toMatchObject({
    action: 'service.access',
    kind: 'execute',
    outcome: 'success',
    tenant: 'default',
    actor: { id: 'playback', type: 'service', onBehalfOf: 'provider-1' },
    reason: 'links are signed by the service',
    source: { requestId: 'r-1' },
    at: clock.now().toISOString(),
  });
});

test('with stores that were made before, the event is all that is sent', async () => {
  let requests = 0;
  const client = createClient(project.standIn.url, await project.key('service_role'), {
    auth: { persistSession: false, autoRefreshToken: false },
    global: {
      fetch: (input, init) => {
        requests += 1;
        return fetch(input, init);
      },
    },
  });
  const stores = supabaseStores(client);
  await asService('why', { ...options, client, stores });
  expect(requests).toBe(2); // the ledger, once
  expect((await asService('why', { ...options, client, stores })).stores).toBe(stores);
  expect(requests).toBe(3);
});

test('without a reason, or with one past the bounds, there are no stores', async () => {
  const before = await accesses();
  for (const reason of ['', '  ', 'x'.repeat(2049)])
    await expect(asService(reason, options)).rejects.toMatchObject({ code: 'invalid_input' });
  for (const service of ['', ' ', 'x'.repeat(257)])
    await expect(asService('why', { ...options, service })).rejects.toMatchObject({ code: 'invalid_input' });
  expect(await accesses()).toHaveLength(before.length);
});

test('when the event cannot be written, there are no stores', async () => {
  await db.pool.query(`
    CREATE FUNCTION medzen.contract_full() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER contract_full BEFORE INSERT ON medzen.audit_pending FOR EACH ROW EXECUTE FUNCTION medzen.contract_full()`);
  await expect(asService('why', options)).rejects.toMatchObject({ code: 'store_unavailable' });
  await db.pool.query('DROP TRIGGER contract_full ON medzen.audit_pending');
  expect((await asService('why', options)).stores).toBeDefined();
});

test('stores inside a transaction, whose event may be rolled back, are not handed out', async () => {
  const own = supabaseStores(options.client);
  const joined = (status: 'durable' | 'pending-commit') => ({
    ...own,
    audit: {
      ...own.audit,
      append: async (...call: Parameters<typeof own.audit.append>) => {
        expect(call[2]).toEqual({ durability: 'independent' });
        return { status };
      },
    },
  });
  await expect(asService('why', { ...options, stores: joined('pending-commit') })).rejects.toMatchObject({
    code: 'invalid_configuration',
  });
  expect((await asService('why', { ...options, stores: joined('durable') })).stores).toBeDefined();
});

test("a person's client gets no stores, nor does one with the key of anon", async () => {
  for (const role of ['anon', 'authenticated']) {
    const client = await project.client(role, { sub: 'patient-ama' });
    await expect(asService('why', { ...options, client })).rejects.toMatchObject({ code: 'invalid_configuration' });
  }
});
