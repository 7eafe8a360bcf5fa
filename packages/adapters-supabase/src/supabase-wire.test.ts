import { inspect } from 'node:util';
import { manifest, type SqlFunction, sqlstates } from '@medzen/sql';
import {
  brokenWires,
  registerBroken,
  registerCases,
  type WireContext,
  wireCases,
  wireEchoFunctions,
  wireEchoSql,
} from '@medzen/testing';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { type SupabaseProject, supabaseClient, supabaseProject } from '../../../test/postgrest-stand-in-contexts.ts';
import { type SupabaseAnswer, type SupabaseClientLike, supabaseWire } from './index.ts';

const functions: Readonly<Record<string, SqlFunction>> = Object.fromEntries(
  wireEchoFunctions.map(({ name, args, returns }) => {
    const types = Object.fromEntries(args.map((arg) => [arg.name.replace(/^p_/, ''), arg.type]));
    const columns =
      returns === 'jsonb' ? returns : Object.fromEntries(returns.map((column) => [column.name, column.type]));
    return [name, { migration: 'wire contract', args: types, returns: columns }];
  }),
);

let db: FreshDatabase;
let project: SupabaseProject;
let service: SupabaseClientLike;
beforeAll(async () => {
  db = await freshDatabase();
  project = await supabaseProject(db.url);
  service = await project.client('service_role');
  await db.pool.query(wireEchoSql('medzen'));
  await db.pool.query('GRANT SELECT, INSERT ON medzen.contract_note TO service_role');
}, 120_000);
afterAll(async () => {
  await project.close();
  await db.drop();
});

describe('supabaseWire, through supabase-js and a stand-in for PostgREST', {
  meta: { carrier: 'Supabase stand-in' },
}, () => {
  const options = {
    test,
    skip: test.skip,
    capabilities: ['deadline'],
    async createContext(): Promise<WireContext> {
      await db.pool.query('TRUNCATE medzen.contract_note');
      return {
        wire: supabaseWire(service, { functions }),
        sqlstateOf: (code) => sqlstates[code],
        impatient: () => supabaseWire(service, { functions, deadlineMs: 100 }),
      };
    },
  };
  const { skipped } = registerCases(wireCases, options);
  const unseen = registerBroken(wireCases, brokenWires, options);

  test("leaves out the cases of a host's transaction, which a request cannot take part in, and no others", () => {
    expect(skipped.map(({ id }) => id)).toEqual([
      'wire.transaction.commit',
      'wire.transaction.rollback',
      'wire.transaction.root',
      'wire.transaction.busy',
      'wire.deadline.cancel',
      'wire.root.reserve',
    ]);
    const missing = skipped.flatMap((one) => one.missing);
    expect(new Set(missing)).toEqual(
      new Set(['host-transaction', 'concurrency', 'one-connection', 'cancel', 'reserve']),
    );
    // Faults of wires inside such a transaction; every other broken wire is noticed.
    expect(unseen).toEqual([
      'wire.root_inside',
      'wire.hides_transaction',
      'wire.escapes',
      'wire.late_goes_on',
      'wire.waits_for_pool',
    ]);
  });

  test('refuses an answer that PostgREST cut short', async () => {
    const short = await supabaseProject(db.url, { maxRows: 1000 });
    try {
      const wire = supabaseWire(await short.client('service_role'), { functions });
      expect(await wire.call('contract_rows', { count: 1000 })).toHaveLength(1000);
      await expect(wire.call('contract_rows', { count: 1001 })).rejects.toMatchObject({
        code: 'invalid_configuration',
        message: expect.stringContaining('Max rows'),
      });
    } finally {
      await short.close();
    }
  });
});

describe('what went wrong', () => {
  const secret = 'https://someone:secret@127.0.0.1:1/rest/v1/rpc/x?token=secret';

  test('is a migration when the function is missing, is overloaded, or has other arguments', async () => {
    const wire = supabaseWire(service);
    await db.pool.query('ALTER FUNCTION medzen.audit_lag RENAME TO audit_lag_gone');
    await expect(wire.call('audit_lag', {})).rejects.toMatchObject({
      code: 'migration_missing',
      message: expect.stringContaining(manifest.audit_lag?.migration ?? '?'),
    });
    await db.pool.query('ALTER FUNCTION medzen.audit_lag_gone RENAME TO audit_lag');
    await db.pool.query(`
      CREATE FUNCTION medzen.twice(p_value text) RETURNS jsonb LANGUAGE sql AS $$ SELECT '1'::jsonb $$;
      CREATE FUNCTION medzen.twice(p_value int4) RETURNS jsonb LANGUAGE sql AS $$ SELECT '2'::jsonb $$;`);
    const twice = { twice: { migration: 'this test', args: { value: 'text' }, returns: 'jsonb' } };
    await expect(supabaseWire(service, { functions: twice }).call('twice', { value: 'a' })).rejects.toMatchObject({
      code: 'migration_drift',
    });
  });

  test('is the configuration when the role may not call, the schema is not exposed, or the key is refused', async () => {
    const wrong = { code: 'invalid_configuration', retryable: false };
    for (const role of ['anon', 'authenticated'])
      await expect(supabaseWire(await project.client(role)).call('read_head', {})).rejects.toMatchObject(wrong);
    await db.pool.query('CREATE SCHEMA hidden');
    await expect(supabaseWire(service, { schema: 'hidden' }).call('read_head', {})).rejects.toMatchObject({
      ...wrong,
      message: expect.stringContaining('expose'),
    });
    const forged = supabaseClient(project.standIn.url, `${await project.key('service_role')}x`);
    await expect(supabaseWire(forged).call('read_head', {})).rejects.toMatchObject(wrong);
    const elsewhere = supabaseClient(`${project.standIn.url}/elsewhere`, await project.key('service_role'));
    await expect(supabaseWire(elsewhere).call('read_head', {})).rejects.toMatchObject(wrong);
  });

  test('passes when nothing answers, and says neither where it looked nor with which key', async () => {
    const nowhere = createClient('http://127.0.0.1:1', 'a.secret.key', { auth: { persistSession: false } });
    const failed: unknown = await supabaseWire(nowhere)
      .call('read_head', {})
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'store_unavailable', retryable: true });
    expect(inspect(failed, { depth: 9 })).not.toMatch(/127\.0\.0\.1|secret/);
  });

  test.each([
    [502, '<html>Bad gateway of 127.0.0.1, token=secret</html>', 'store_unavailable'],
    [503, '{"code":"PGRST001","message":"secret","details":null,"hint":null}', 'store_unavailable'],
    [504, '{"code":"PGRST003","message":"secret","details":null,"hint":null}', 'store_unavailable'],
    [429, 'slow down, secret', 'store_unavailable'],
    [401, '{"message":"Invalid API key: secret"}', 'invalid_configuration'],
    [404, '', 'store_unavailable'],
    [404, '{"message":"no Route matched with secret"}', 'invalid_configuration'],
    [413, 'too large, secret', 'internal'],
    [200, 'not JSON, secret', 'internal'],
    [200, '{"not":"rows"}', 'internal'],
  ])('of a gateway that answers %i %s is %3$s, and quotes nothing', async (status, body, code) => {
    const client = createClient('http://gateway.test', 'key', {
      auth: { persistSession: false },
      global: { fetch: async () => new Response(body, { status }) },
    });
    const failed: unknown = await supabaseWire(client)
      .call('read_head', {})
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code, retryable: code === 'store_unavailable' });
    expect(inspect(failed, { depth: 9 })).not.toMatch(/127\.0\.0\.1|secret/);
  });

  test('of a client that throws is no different', async () => {
    const throwing: SupabaseClientLike = {
      schema: () => ({ rpc: () => Promise.reject<SupabaseAnswer>(new TypeError(`fetch failed: ${secret}`)) }),
    };
    const failed: unknown = await supabaseWire(throwing)
      .call('read_head', {})
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'store_unavailable' });
    expect(inspect(failed, { depth: 9 })).not.toContain('secret');
  });

  test('in a constraint or a form reaches the cause without the values that Postgres quoted', async () => {
    await db.pool.query(`
      CREATE TABLE medzen.short (name text CHECK (name <> 'Ada Lovelace'), day date);
      GRANT INSERT ON medzen.short TO service_role;
      CREATE FUNCTION medzen.contract_short(p_name text, p_day text) RETURNS jsonb LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO medzen.short VALUES (p_name, p_day::date); RETURN '{}'; END $$`);
    const short = {
      contract_short: { migration: 'this test', args: { name: 'text', day: 'text' }, returns: 'jsonb' },
    };
    const wire = supabaseWire(service, { functions: short });
    const checked = await wire.call('contract_short', { name: 'Ada Lovelace', day: '2026-11-21' }).catch(inspect);
    expect(checked).toMatch(/23514/);
    const parsed = await wire.call('contract_short', { name: 'x', day: 'Ada Lovelace' }).catch(inspect);
    expect(parsed).toMatch(/22007/);
    expect(`${checked}${parsed}`).not.toContain('Lovelace');
  });

  test('refuses a schema name that is not one', () => {
    expect(() => supabaseWire(service, { schema: 'a.b' })).toThrow(/plain/);
  });
});
