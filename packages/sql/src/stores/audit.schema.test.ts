import { type AuditEventDraft, type SealedEvent, sealEvent, uuidv7 } from '@medzen/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { pgWire, sqlStores } from '../index.ts';

const scope = { tenant: 'clinic-a' };

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());

function event(draft: Partial<AuditEventDraft> = {}, id?: string): SealedEvent {
  const ids = id === undefined ? {} : { ids: { uuid: () => id } };
  return sealEvent(
    {
      tenant: scope.tenant,
      action: 'recording.view',
      kind: 'read',
      outcome: 'success',
      actor: { id: 'provider-1', type: 'user' },
      patient: 'patient-1',
      target: { type: 'recording', id: 'recording-1' },
      purpose: 'TREAT',
      source: {},
      ...draft,
    },
    ids,
  );
}

describe('what an owner can do to the log without disabling a trigger', () => {
  beforeAll(async () => {
    const { audit, log } = sqlStores(pgWire(db.pool));
    const sealed = event();
    await audit.append(scope, [sealed]);
    const head = await log.head();
    const [row] = (await db.pool.query('SELECT leaf_hash FROM medzen.audit_event')).rows;
    await log.commitBatch({
      expectedSize: 0,
      expectedRoot: head.root,
      eventIds: [sealed.id],
      leafHashes: [row?.leaf_hash],
      tiles: [{ level: 0, index: 0, hashes: row?.leaf_hash }],
      root: row?.leaf_hash,
      checkpoint: 'one',
    });
  });

  const partition = `audit_event_${new Date().toISOString().slice(0, 7).replace('-', '_')}`;
  test.each([
    'UPDATE medzen.audit_event SET tenant = tenant',
    'UPDATE medzen.audit_event SET tenant = tenant WHERE false',
    'DELETE FROM medzen.audit_event',
    'TRUNCATE medzen.audit_event',
    `UPDATE medzen.${partition} SET body = body`,
    `DELETE FROM medzen.${partition}`,
    `TRUNCATE medzen.${partition}`,
    'TRUNCATE medzen.audit_event_default',
    'UPDATE medzen.audit_leaf SET leaf_index = 7',
    'DELETE FROM medzen.audit_leaf',
    'TRUNCATE medzen.audit_leaf',
    "UPDATE medzen.audit_checkpoint SET checkpoint = 'x'",
    'DELETE FROM medzen.audit_checkpoint',
    'TRUNCATE medzen.audit_checkpoint',
    "UPDATE medzen.audit_tile SET hashes = sha256('')",
    'UPDATE medzen.audit_tile SET index = 7',
    'DELETE FROM medzen.audit_tile',
    'TRUNCATE medzen.audit_tile',
    'DELETE FROM medzen.audit_head',
    'TRUNCATE medzen.audit_head',
  ])('not: %s', async (sql) => {
    await expect(db.pool.query(sql)).rejects.toMatchObject({ code: expect.stringMatching(/^(MZ0(04|22)|0A000)$/) });
  });

  test('says that a leaf hash cannot be given', async () => {
    await expect(
      db.pool.query("INSERT INTO medzen.audit_event (id, body, leaf_hash) VALUES (gen_random_uuid(), 'x', 'y')"),
    ).rejects.toMatchObject({ code: '428C9' });
  });
});

describe('what each role can do', () => {
  const tables = [
    'audit_event',
    'audit_event_default',
    'audit_pending',
    'audit_head',
    'audit_leaf',
    'audit_tile',
    'rate_limit',
  ];

  test.each(['medzen_app', 'medzen_sequencer', 'medzen_auditor'])(
    '%s writes no table, and services read none',
    async (role) => {
      const pool = db.open({ options: `-c role=${role}` });
      for (const table of tables) {
        if (role !== 'medzen_auditor')
          await expect(pool.query(`SELECT FROM medzen.${table}`)).rejects.toMatchObject({ code: '42501' });
        await expect(pool.query(`DELETE FROM medzen.${table}`)).rejects.toMatchObject({ code: '42501' });
      }
    },
  );

  test('the service appends and searches, and does not sequence', async () => {
    const { audit, log, limits } = sqlStores(pgWire(db.open({ options: '-c role=medzen_app' })));
    await audit.append(scope, [event()]);
    await audit.search(scope, {});
    await limits.consume(scope, [{ key: 'k', rate: 1, periodMs: 1000, burst: 1, cost: 1 }]);
    await expect(log.readBatch(1)).rejects.toMatchObject({ code: 'invalid_configuration' });
  });

  test('the sequencer sequences, and neither appends nor searches', async () => {
    const { audit, log } = sqlStores(pgWire(db.open({ options: '-c role=medzen_sequencer' })));
    await log.head();
    await log.readBatch(1);
    await expect(audit.append(scope, [event()])).rejects.toMatchObject({ code: 'invalid_configuration' });
    await expect(audit.search(scope, {})).rejects.toMatchObject({ code: 'invalid_configuration' });
  });

  test('the auditor reads the log and its tree, and writes nothing', async () => {
    const { audit, log } = sqlStores(pgWire(db.open({ options: '-c role=medzen_auditor' })));
    await audit.search(scope, {});
    await log.readLeaves(0, 10);
    await expect(audit.append(scope, [event()])).rejects.toMatchObject({ code: 'invalid_configuration' });
    await expect(log.readBatch(1)).rejects.toMatchObject({ code: 'invalid_configuration' });
  });
});

describe('the columns that searches use', () => {
  test('come from the body', async () => {
    const { audit } = sqlStores(pgWire(db.pool));
    const sealed = event({ outcome: 'denied', purpose: 'BTG', reason: 'unconscious' });
    await audit.append(scope, [sealed]);
    const { rows } = await db.pool.query(
      `SELECT tenant, actor, patient, action, outcome, purpose, target_type, target_id, stray,
         medzen.format_instant(at) AS at, xid IS NOT NULL AS has_xid FROM medzen.audit_event WHERE id = $1`,
      [sealed.id],
    );
    expect(rows).toEqual([
      {
        tenant: 'clinic-a',
        actor: 'provider-1',
        patient: 'patient-1',
        action: 'recording.view',
        outcome: 'denied',
        purpose: 'BTG',
        target_type: 'recording',
        target_id: 'recording-1',
        stray: false,
        at: JSON.parse(new TextDecoder().decode(sealed.body)).at,
        has_xid: true,
      },
    ]);
  });

  test('find texts that no index entry could hold, and tell two of them apart', async () => {
    const { audit } = sqlStores(pgWire(db.pool));
    const [long, longer] = ['ä'.repeat(9000), `${'ä'.repeat(9000)}!`];
    const sealed = event({ patient: long, target: { type: 'x'.repeat(5000), id: longer } });
    await audit.append(scope, [sealed]);
    const find = (query: object): Promise<string[]> =>
      audit.search(scope, query).then(({ events }) => events.map(({ id }) => id));
    expect(await find({ patient: long })).toEqual([sealed.id]);
    expect(await find({ patient: longer })).toEqual([]);
    expect(await find({ targetId: longer, targetType: 'x'.repeat(5000) })).toEqual([sealed.id]);
  });

  test('let a body with a NUL in it be stored as it is', async () => {
    const { audit } = sqlStores(pgWire(db.pool));
    const sealed = event({ reason: 'a\u0000b', patient: 'p\u0000q', detail: { path: 'C:\\u0000' } });
    await audit.append(scope, [sealed]);
    const { rows } = await db.pool.query('SELECT body, patient FROM medzen.audit_event WHERE id = $1', [sealed.id]);
    expect(rows).toEqual([{ body: Buffer.from(sealed.body), patient: 'p\ufffdq' }]);
  });

  test('are those that it would have among others, when an event comes alone', async () => {
    const { audit } = sqlStores(pgWire(db.pool));
    const at = new Date('2026-03-04T05:06:07.890Z');
    const made = (offset: number, draft: Partial<AuditEventDraft> = {}): SealedEvent => {
      const id = uuidv7({ now: () => new Date(at.getTime() + offset) });
      return sealEvent(
        {
          tenant: scope.tenant,
          action: 'recording.view',
          kind: 'read',
          outcome: 'success',
          actor: { id: 'provider-1', type: 'user' },
          source: {},
          ...draft,
        },
        { ids: { uuid: () => id }, clock: { now: () => at } },
      );
    };
    // The least id of its millisecond, which is the last one within the minute.
    const least = made(60_000);
    const leastId = `${least.id.slice(0, 13)}-0000-0000-000000000000`;
    const text = new TextDecoder().decode(least.body).replace(least.id, leastId);
    const events = [
      ...[-86_400_000, -60_001, -60_000, -59_999, -59_001, -59_000, 0, 59_000, 59_999, 60_000, 60_001].map((offset) =>
        made(offset),
      ),
      { id: leastId, body: new TextEncoder().encode(text) },
      made(1, {
        outcome: 'denied',
        purpose: 'BTG',
        reason: 'unconscious\u0000',
        patient: 'p\u0000',
        target: { type: 't', id: 'ü' },
      }),
    ];
    for (const sealed of events) {
      await audit.append(scope, [sealed]);
      const { rows } = await db.pool.query(
        `SELECT to_jsonb(d) AS among, to_jsonb(e) - '{xid,written_at,leaf_hash}'::text[] AS alone
         FROM medzen.audit_event e, medzen.derive_events($1, ARRAY[$2], $3) d WHERE e.id = d.id`,
        [scope.tenant, sealed.id, new TextDecoder().decode(sealed.body)],
      );
      expect(rows).toHaveLength(1);
      expect(rows[0]?.alone).toEqual(rows[0]?.among);
    }
    const { rows } = await db.pool.query(
      'SELECT id::text FROM medzen.audit_event WHERE stray AND id = ANY ($1) ORDER BY at, id',
      [events.map(({ id }) => id)],
    );
    const strays = events.filter((_, i) => [0, 1, 9, 10].includes(i)).map(({ id }) => id);
    expect(rows.map(({ id }) => id)).toEqual(strays.sort());
  });

  test('find by time an event whose id tells another time', async () => {
    const { audit } = sqlStores(pgWire(db.pool));
    const own = { tenant: 'clinic-of-strays' };
    const past = event({ tenant: own.tenant }, uuidv7({ now: () => new Date('2001-01-01') }));
    const future = event({ tenant: own.tenant }, uuidv7({ now: () => new Date('2090-01-01') }));
    const usual = event({ tenant: own.tenant });
    await audit.append(own, [past, usual, future]);
    const day = 86_400_000;
    const found = await audit.search(own, { from: new Date(Date.now() - day), to: new Date(Date.now() + day) });
    expect(found.events.map(({ id }) => id)).toEqual([future.id, usual.id, past.id]);
    const none = await audit.search(own, { from: new Date('2089-12-01') });
    expect(none.events).toEqual([]);
    const { rows } = await db.pool.query(
      'SELECT tableoid::regclass::text AS home FROM medzen.audit_event WHERE tenant = $1 AND stray',
      [own.tenant],
    );
    expect(rows.map(({ home }) => home)).toEqual(['medzen.audit_event_default', 'medzen.audit_event_default']);
  });
});

describe('partitions', () => {
  test('are made ahead once, and a month that came before its partition stays where it is', async () => {
    const fresh = await freshDatabase({ test: true });
    try {
      const { audit } = sqlStores(pgWire(fresh.pool));
      const made = async (): Promise<number> =>
        (await fresh.pool.query('SELECT medzen.make_audit_partitions() AS n')).rows[0]?.n;
      expect(await made()).toBe(0);
      await fresh.pool.query("SELECT medzen.set_test_clock('2040-05-31T23:59:59.000Z', true)");
      const early = event({}, uuidv7({ now: () => new Date('2040-07-04T00:00:00Z') }));
      await audit.append(scope, [early]);
      expect(await made()).toBe(6); // May to November without July
      expect(await made()).toBe(0);
      const { rows } = await fresh.pool.query("SELECT to_regclass('medzen.audit_event_2040_07') AS july");
      expect(rows).toEqual([{ july: null }]);
      await expect(fresh.pool.query('TRUNCATE medzen.audit_event_2040_06')).rejects.toMatchObject({ code: 'MZ004' });
      expect((await audit.search(scope, {})).events.map(({ id }) => id)).toEqual([early.id]);
    } finally {
      await fresh.drop();
    }
  });

  test('let nobody wait for long behind a transaction that is not done with the log', async () => {
    const fresh = await freshDatabase({ test: true });
    try {
      const made = (months: number): Promise<number> =>
        fresh.pool.query('SELECT medzen.make_audit_partitions($1) AS n', [months]).then(({ rows }) => rows[0]?.n);
      const reader = await fresh.connect();
      await reader.query('BEGIN; SELECT count(*) FROM medzen.audit_event');
      expect(await made(8)).toBe(0);
      await fresh.pool.query("SELECT medzen.set_test_clock('2040-05-31T23:59:59.000Z', true)");
      await expect(made(8)).rejects.toMatchObject({ code: '55P03' });
      await reader.query('COMMIT');
      expect(await made(8)).toBe(9);
      const { rows } = await fresh.pool.query('SHOW lock_timeout');
      expect(rows).toEqual([{ lock_timeout: '0' }]);
    } finally {
      await fresh.drop();
    }
  });
});

describe('what is not the bytes of one event', () => {
  const written = (sealed: SealedEvent, write: (text: string) => string): SealedEvent => ({
    id: sealed.id,
    body: new TextEncoder().encode(write(new TextDecoder().decode(sealed.body))),
  });
  const append = (...events: SealedEvent[]): Promise<unknown> => sqlStores(pgWire(db.pool)).audit.append(scope, events);

  test('is refused where a part of it would be left out', async () => {
    const [first, second] = [event(), event()];
    const another = written(second, (text) => text.replace('patient-1', 'patient-2'));
    const joined = written(first, (text) => `${text}\n${new TextDecoder().decode(another.body)}`);
    await expect(append(joined)).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(append(joined, second)).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(append(written(first, (text) => `${text}\n`))).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('is refused where the log would later take it for altered', async () => {
    const sealed = event();
    await expect(append(written(sealed, (text) => text.replace(',"id":', ', "id":')))).rejects.toMatchObject({
      code: 'invalid_input',
    });
    const bare = sealed.id.replaceAll('-', '');
    // Postgres takes each of these for the same UUID.
    for (const id of [
      bare,
      sealed.id.toUpperCase(),
      `${bare.slice(0, 4)}-${bare.slice(4, 12)}-${bare.slice(12, 24)}-${bare.slice(24, 28)}-${bare.slice(28)}`,
    ]) {
      const other = { ...written(sealed, (text) => text.replace(sealed.id, id)), id };
      await expect(append(other)).rejects.toMatchObject({ code: 'invalid_input' });
      await expect(append(other, event())).rejects.toMatchObject({ code: 'invalid_input' });
    }
    for (const write of [
      (text: string) => text.replace('"v":1', '"v":2'),
      (text: string) => text.replace('clinic-a', 'clinic-b'),
      (text: string) => text.replace('"action":"recording.view"', '"action":null'),
      (text: string) => text.replace('"outcome":"success",', ''),
      (text: string) => text.replace('"id":"provider-1",', ''),
      (text: string) => text.replace(/"at":"[^"]*"/, '"at":"yesterday"'),
      (text: string) => text.replace(/"at":"[^"]*"/, '"at":"2026-13-01T00:00:00.000Z"'),
      (text: string) => `[${text}]`,
      (text: string) => text.slice(1),
    ]) {
      const wrong = written(sealed, write);
      expect(wrong.body).not.toEqual(sealed.body);
      // Alone, and among others.
      await expect(append(wrong)).rejects.toMatchObject({ code: 'invalid_input' });
      await expect(append(wrong, event())).rejects.toMatchObject({ code: 'invalid_input' });
    }
    await append(sealed);
  });
});

test('a search between dates that are none is refused, and not taken for a store that is down', async () => {
  const { audit } = sqlStores(pgWire(db.pool));
  for (const query of [{ from: new Date('yesterday') }, { to: new Date('yesterday') }])
    await expect(audit.search(scope, query)).rejects.toMatchObject({ code: 'invalid_input' });
});
