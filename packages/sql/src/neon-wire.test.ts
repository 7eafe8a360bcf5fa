import { inspect } from 'node:util';
import type { Wire } from '@medzen/core';
import { brokenWires, registerBroken, registerCases, type WireContext, wireCases, wireEchoSql } from '@medzen/testing';
import { neon, neonConfig } from '@neondatabase/serverless';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NeonStandIn, neonStandIn } from '../../../test/neon-stand-in.ts';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { neonWire } from './index.ts';
import { echoFunctions as functions, sqlstateOf } from './wire-contract.fixture.ts';

// The driver is Neon's; the endpoint is not, but a stand-in over the run's Postgres.
let db: FreshDatabase;
let endpoint: NeonStandIn;
let address: string;
beforeAll(async () => {
  db = await freshDatabase();
  await db.pool.query(wireEchoSql('medzen'));
  endpoint = await neonStandIn();
  address = `http://127.0.0.1:${endpoint.port}/sql`;
  neonConfig.fetchEndpoint = () => address;
}, 120_000);
afterAll(async () => {
  await endpoint.close();
  await db.drop();
});

describe.each([
  ['as it comes', {}],
  ["with a host's own settings", { arrayMode: true, fullResults: true, types: { getTypeParser: () => () => 'wrong' } }],
] as const)(
  "neonWire over the real driver and a stand-in of Neon's endpoint, %s",
  {
    meta: { carrier: 'Neon stand-in' },
  },
  (_name, settings) => {
    const options = {
      test,
      skip: test.skip,
      capabilities: ['concurrency', 'deadline'],
      async createContext(): Promise<WireContext> {
        await db.pool.query('TRUNCATE medzen.contract_note');
        const client = neon(db.url, settings);
        const impatient = (): Wire => neonWire(client, { functions, deadlineMs: 100 });
        return { wire: neonWire(client, { functions }), sqlstateOf, impatient };
      },
    };
    registerCases(wireCases, options);
    registerBroken(wireCases, brokenWires, options);
  },
);

describe("neonWire over the real driver and a stand-in of Neon's endpoint", () => {
  test('hands on, as the cause, what the server said, but none of the values it quoted', async () => {
    await db.pool.query("CREATE TABLE medzen.short (name text CHECK (name <> 'Ada Lovelace'), day date)");
    await db.pool.query(`CREATE FUNCTION medzen.contract_short(p_name text, p_day text) RETURNS jsonb LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO medzen.short VALUES (p_name, p_day::date); RETURN '{}'; END $$`);
    const short = { contract_short: { migration: 'this test', args: { name: 'text', day: 'text' } } };
    const wire = neonWire(neon(db.url), { functions: short });
    const checked = await wire.call('contract_short', { name: 'Ada Lovelace', day: '2026-11-21' }).catch(inspect);
    expect(checked).toMatch(/23514/);
    expect(checked).toMatch(/short_name_check/);
    const parsed = await wire.call('contract_short', { name: 'x', day: 'Ada Lovelace' }).catch(inspect);
    expect(parsed).toMatch(/22007/);
    expect(`${checked}${parsed}`).not.toContain('Lovelace');
  });

  test('says that an endpoint which is not there, or whose database is not, is unavailable', async () => {
    const gone = { code: 'store_unavailable', retryable: true };
    const nowhere = new URL(db.url);
    nowhere.port = '1';
    await expect(neonWire(neon(nowhere.href), { functions }).call('contract_notes', {})).rejects.toMatchObject(gone);
    address = 'http://127.0.0.1:1/sql';
    await expect(neonWire(neon(db.url), { functions }).call('contract_notes', {})).rejects.toMatchObject(gone);
    address = `http://127.0.0.1:${endpoint.port}/sql`;
  });

  test('does not print a connection string that the driver cannot read', async () => {
    const wire = neonWire(neon('postgresql://app:secret@:x:y/clinic'), { functions });
    const failed = await wire.call('contract_notes', {}).catch(inspect);
    expect(failed).toMatch(/store_unavailable/);
    expect(failed).not.toContain('secret');
  });
});

test.each([
  [{}, { query: 'SELECT 1', params: [] }],
  [{ 'neon-raw-text-output': 'true' }, { query: 'SELECT 1', params: [] }],
  [
    { 'neon-raw-text-output': 'true', 'neon-array-mode': 'true' },
    { query: 'SELECT 1', params: [1] },
  ],
  [{ 'neon-raw-text-output': 'true', 'neon-array-mode': 'true' }, { queries: [] }],
])('the stand-in refuses what it does not speak: %j %j', async (headers, body) => {
  const request = {
    method: 'POST',
    headers: { 'neon-connection-string': db.url, ...headers },
    body: JSON.stringify(body),
  };
  expect((await fetch(address, request)).status).toBe(400);
});
