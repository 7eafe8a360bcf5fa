import { type AuditEventDraft, canonicalize, type Json, openEvent, sealEvent } from '@medzen/core';
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { freshDatabase } from '../../../test/postgres.ts';

const db = await freshDatabase();
afterAll(() => db.drop());

/** One row of one query. */
async function row(sql: string, values: readonly unknown[]): Promise<Record<string, unknown>> {
  const { rows } = await db.pool.query<Record<string, unknown>>(sql, [...values]);
  return rows[0] ?? {};
}

const jcs = async (text: string): Promise<unknown> => (await row('SELECT medzen.jcs($1::jsonb) AS t', [text])).t;

/** What no jsonb can hold: NUL. Lone surrogates no JSON text in UTF-8 can. */
const character = fc.oneof(
  fc.constantFrom('"', '\\', '/', '\n', '\t', '\u0001', '\u001f', '\u007f', '\u2028', '\u2029', '<', '\u0080'),
  fc.constantFrom('\ud7ff', '\ue000', '\uffff', '\ufffd', '\u{10000}', '\u{1f600}', '\u{10ffff}', '\u{10fffe}'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((one) => one !== '\0'),
);
const text = fc.string({ unit: character, maxLength: 12 });
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(
    1e21,
    1e-7,
    -0,
    5e-324,
    2 ** 53,
    2 ** 68,
    1e23,
    2e23,
    123456789012345680000,
    0.000001,
    1e300,
    -1.5e-9,
  ),
  // Doubles between which decimals of fewer digits lie exactly half-way.
  fc.tuple(fc.bigInt(2n ** 52n, 2n ** 53n), fc.integer({ min: 1, max: 85 })).map(([m, e]) => Number(m) * 2 ** e),
);
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(text, number, fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(text, tie('value'), { maxKeys: 5 }),
  ),
}));

describe('medzen.jcs', () => {
  test('writes any value as canonicalize does', async () => {
    await fc.assert(
      fc.asyncProperty(value, async (one) => {
        expect(await jcs(JSON.stringify(one))).toBe(canonicalize(JSON.parse(JSON.stringify(one))));
      }),
      { numRuns: 1000 },
    );
  });

  test('writes numbers as ECMAScript does, whatever precision the session prints', async () => {
    const numbers = fc.sample(number, 20_000);
    const client = await db.connect();
    await client.query('SET extra_float_digits = -10');
    const { rows } = await client.query<{ t: string }>(
      'SELECT medzen.jcs(n.value) AS t FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS n (value, at) ORDER BY n.at',
      [JSON.stringify(numbers)],
    );
    expect(rows.map(({ t }) => t)).toEqual(numbers.map((one) => canonicalize(one)));
  });

  test.each([
    '9007199254740993',
    '1e-400',
    '-1e-400',
    '3e-324',
    '2.4e-324',
    '1.10',
    '100e-2',
    '-0.0',
    '1E2',
    '12345678901234567890123',
  ])('reads %s as JSON.parse does', async (literal) => {
    expect(await jcs(literal)).toBe(canonicalize(JSON.parse(literal)));
  });

  test('refuses a number past every double, as canonicalize does', async () => {
    await expect(jcs('{"a":1e400}')).rejects.toMatchObject({ code: 'MZ001' });
    expect(() => canonicalize(JSON.parse('{"a":1e400}'))).toThrowError();
  });

  test('takes nesting of 128 and refuses more', async () => {
    const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(await jcs(deep(129))).toBe(canonicalize(JSON.parse(deep(129))));
    await expect(jcs(deep(130))).rejects.toMatchObject({ code: 'MZ001' });
  });
});

describe('medzen.jcs_event', () => {
  const seal = async (draft: unknown, client: pg.Pool | pg.Client = db.pool): Promise<{ id: string; body: Buffer }> => {
    const { rows } = await client.query<{ id: string; body: Buffer }>('SELECT * FROM medzen.jcs_event($1::jsonb)', [
      JSON.stringify(draft),
    ]);
    return rows[0] ?? { id: '', body: Buffer.of() };
  };
  /** What sealEvent makes of the same draft with the id, time and nonce that the database chose. */
  const sealedHere = (draft: AuditEventDraft, body: Uint8Array): string => {
    const { id, at, nonce } = openEvent(body);
    const sealed = sealEvent(draft, {
      clock: { now: () => new Date(at) },
      ids: { uuid: () => id },
      random: { bytes: () => Buffer.from(nonce, 'hex') },
    });
    return Buffer.from(sealed.body).toString();
  };
  const some = (max: number): fc.Arbitrary<string> => fc.string({ unit: character, minLength: 1, maxLength: max });
  const drafts: fc.Arbitrary<AuditEventDraft> = fc.record(
    {
      action: fc.constantFrom('table.write', 'recording.view', 'a.b_c.d1'),
      kind: fc.constantFrom('create', 'read', 'update', 'delete', 'execute'),
      outcome: fc.constantFrom('success', 'denied', 'failed'),
      tenant: fc.constant('default'),
      actor: fc.record(
        { id: some(20), type: fc.constantFrom('user', 'service', 'system'), role: text, name: text },
        { requiredKeys: ['id', 'type'] },
      ),
      source: fc.record(
        {
          ip: text,
          userAgent: fc.oneof(text, fc.string({ unit: character, minLength: 500, maxLength: 520 })),
          requestId: text,
        },
        { requiredKeys: [] },
      ),
      patient: text,
      target: fc.record({ type: text, id: text }),
      fields: fc.array(text, { maxLength: 4 }),
      purpose: fc.constantFrom('TREAT', 'HPAYMT'),
      reason: text,
      detail: fc.dictionary(text, value, { maxKeys: 3 }),
    },
    { requiredKeys: ['action', 'kind', 'outcome', 'tenant', 'actor', 'source'] },
  );

  test('gives the bytes that sealEvent gives for the same event', async () => {
    await fc.assert(
      fc.asyncProperty(drafts, async (draft) => {
        const plain: AuditEventDraft = JSON.parse(JSON.stringify(draft)) as AuditEventDraft; // -0 and prototypes do not travel
        const { id, body } = await seal(plain);
        expect(openEvent(body).id).toBe(id);
        expect(body.toString()).toBe(sealedHere(plain, body));
      }),
      { numRuns: 500 },
    );
  });

  test('takes time and id from one instant, and each id and nonce once', async () => {
    const { rows } = await db.pool.query<{ id: string; body: Buffer }>(
      `SELECT e.* FROM generate_series(1, 2000) g, medzen.jcs_event(jsonb_build_object('action', 'a.b', 'kind', 'read',
        'outcome', 'success', 'tenant', 'default', 'actor', '{"id":"u","type":"user"}'::jsonb, 'source', '{}'::jsonb, 'detail', jsonb_build_object('g', g))) e`,
    );
    const events = rows.map(({ body }) => openEvent(body));
    for (const { id, at, nonce } of events) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(Date.parse(at));
      expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(nonce).toMatch(/^[0-9a-f]{32}$/);
    }
    expect(new Set(events.map(({ id }) => id.slice(14))).size).toBe(events.length);
    expect(new Set(events.map(({ nonce }) => nonce)).size).toBe(events.length);
    // Every digit of a nonce takes every value: none is fixed by the version of a UUID.
    for (let at = 0; at < 32; at++) expect(new Set(events.map(({ nonce }) => nonce[at])).size).toBe(16);
  });

  const good = {
    action: 'a.b',
    kind: 'read',
    outcome: 'success',
    tenant: 'default',
    actor: { id: 'u', type: 'user' },
    source: {},
  } as const;
  test.each<[string, object]>([
    ['no action', { action: undefined }],
    ['an action without a dot', { action: 'view' }],
    ['an action that is no text', { action: 7 }],
    ['an action past 128 characters', { action: `a.${'b'.repeat(127)}` }],
    ['an action that ends in a line feed', { action: 'a.b\n' }],
    ['an unknown kind', { kind: 'peek' }],
    ['an unknown outcome', { outcome: 'maybe' }],
    ['no actor', { actor: undefined }],
    ['an actor without an id', { actor: { id: '', type: 'user' } }],
    ['an actor with a long id', { actor: { id: '🩺'.repeat(129), type: 'user' } }],
    ['an unknown actor type', { actor: { id: 'u', type: 'robot' } }],
    ['no source', { source: undefined }],
    ['break-glass without a reason', { purpose: 'BTG' }],
    ['emergency with an empty reason', { purpose: 'ETREAT', reason: ' \t\u00a0\u3000\ufeff' }],
    ['a reason past 2048 characters', { reason: 'x'.repeat(2049) }],
    ['a body past the bound', { detail: { fill: 'x'.repeat(65_535) } }],
  ])('refuses %s, as sealEvent does', async (_, change) => {
    expect(() => sealEvent({ ...good, ...change })).toThrowError(expect.objectContaining({ code: 'invalid_input' }));
    await expect(seal({ ...good, ...change })).rejects.toMatchObject({ code: 'MZ001' });
  });
});
