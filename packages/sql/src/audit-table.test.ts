import { type AuditEvent, canonicalize, openEvent } from '@medzen/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { installSql } from './index.ts';

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());
beforeEach(() => db.pool.query('DROP SCHEMA IF EXISTS host CASCADE; CREATE SCHEMA host'));

/**
 * Runs statements, all in one transaction, and gives the events that they left, in order of patient. Each is canonical, filed by what its
 * body says, and queued for the sequencer.
 */
async function eventsOf(sql: string, schema = 'medzen'): Promise<readonly AuditEvent[]> {
  const client = await db.pool.connect();
  try {
    await client.query(`BEGIN; ${sql}`);
    const { rows } = await client.query<{ id: string; body: Buffer; filed: boolean; queued: boolean }>(
      `SELECT id, body, ${schema}.is_filed(e) AS filed,
        EXISTS (SELECT FROM ${schema}.audit_pending p WHERE (p.xid, p.event_id, p.written_at) = (e.xid, e.id, e.written_at)) AS queued
       FROM ${schema}.audit_event e WHERE xid = pg_current_xact_id() ORDER BY patient, id`,
    );
    return rows.map(({ id, body, filed, queued }) => {
      const event = openEvent(body);
      expect({ filed, queued }).toEqual({ filed: true, queued: true });
      expect(event.id).toBe(id);
      expect(body.toString()).toBe(canonicalize(event));
      return event;
    });
  } finally {
    await client.query('COMMIT').finally(() => client.release());
  }
}

const audit = (table: string, patient: string | null = 'patient', granularity = 'patient'): Promise<unknown> =>
  db.pool.query('SELECT medzen.audit_table($1::regclass, $2, $3)', [table, patient, granularity]);

describe('a table of notes', () => {
  beforeEach(async () => {
    await db.pool.query(`CREATE TABLE host.note (id int PRIMARY KEY, patient text, text text, n numeric, j json,
      twice int GENERATED ALWAYS AS (id * 2) STORED)`);
    await db.pool.query(
      `INSERT INTO host.note VALUES (1, 'p1', 'a', 1), (2, 'p1', 'b', 2), (3, 'p2', 'c', 3), (4, NULL, 'd', 4)`,
    );
    await audit('host.note');
  });

  test('leaves one event for each patient that a statement touched, with the names of what changed and no value', async () => {
    const events = await eventsOf(`UPDATE host.note SET text = 'SECRET' || id WHERE id <= 3`);
    expect(events).toMatchObject([
      {
        action: 'table.write',
        kind: 'update',
        outcome: 'success',
        patient: 'p1',
        fields: ['text'],
        detail: { rows: 2 },
        purpose: 'TREAT',
      },
      { patient: 'p2', fields: ['text'], target: { type: 'host.note', id: '3' }, tenant: 'default', source: {} },
    ]);
    expect(events[0]?.target).toEqual({ type: 'host.note' });
    expect(events[1]).not.toHaveProperty('detail');
    expect(JSON.stringify(events)).not.toContain('SECRET');
    expect(new Set(events.map(({ nonce }) => nonce)).size).toBe(2);
    expect(events[0]?.id.slice(0, 13)).toBe(events[1]?.id.slice(0, 13));
  });

  test('names what an insert gave, and nothing of what a delete took', async () => {
    expect(await eventsOf(`INSERT INTO host.note (id, patient) VALUES (9, 'p9')`)).toMatchObject([
      { action: 'table.write', kind: 'create', patient: 'p9', fields: ['id', 'patient'], target: { id: '9' } },
    ]);
    const [gone, ...more] = await eventsOf(`DELETE FROM host.note WHERE id = 9`);
    expect(gone).toMatchObject({ action: 'table.delete', kind: 'delete', patient: 'p9', target: { id: '9' } });
    expect(gone).not.toHaveProperty('fields');
    expect(more).toEqual([]);
  });

  test('knows a change by the bytes, of types without equality too', async () => {
    expect(await eventsOf(`UPDATE host.note SET n = 1.00 WHERE id = 1`)).toMatchObject([{ fields: ['n'] }]);
    expect(await eventsOf(`UPDATE host.note SET j = '{}' WHERE id = 1`)).toMatchObject([{ fields: ['j'] }]);
    expect(await eventsOf(`UPDATE host.note SET j = '{}', n = 1.00 WHERE id = 1`)).toMatchObject([{ fields: [] }]);
  });

  test('names both patients when a row goes from one to the other, each once', async () => {
    const events = await eventsOf(`UPDATE host.note SET patient = 'p2', text = CASE id WHEN 1 THEN 'z' ELSE text END`);
    expect(events).toMatchObject([
      { patient: 'p1', fields: ['patient', 'text'], detail: { rows: 2 } },
      { patient: 'p2', fields: ['patient', 'text'], detail: { rows: 4 } },
      { fields: ['patient'], target: { id: '4' } },
    ]);
    expect(events[2]).not.toHaveProperty('patient');
    expect(events[2]).not.toHaveProperty('purpose');
  });

  test('sees a key that changes, an upsert, a merge, and a write within WITH', async () => {
    expect(await eventsOf(`UPDATE host.note SET id = id + 10`)).toMatchObject([
      { patient: 'p1', fields: ['id'] },
      { patient: 'p2', fields: ['id'], target: { id: '13' } },
      { fields: ['id'] },
    ]);
    const upsert = `INSERT INTO host.note (id, patient, text) VALUES (12, 'p1', 'x'), (50, 'p5', 'y') ON CONFLICT (id) DO UPDATE SET text = excluded.text`;
    expect(await eventsOf(upsert)).toMatchObject([
      { patient: 'p1', kind: 'update', fields: ['text'] },
      { patient: 'p5', kind: 'create' },
    ]);
    const merge = `MERGE INTO host.note USING (VALUES (50, 'q'), (60, 'r')) v (id, text) ON note.id = v.id
      WHEN MATCHED THEN UPDATE SET text = v.text WHEN NOT MATCHED THEN INSERT (id, patient) VALUES (v.id, 'p6')`;
    expect(await eventsOf(merge)).toMatchObject([
      { patient: 'p5', kind: 'update' },
      { patient: 'p6', kind: 'create' },
    ]);
    expect(
      await eventsOf(`WITH gone AS (DELETE FROM host.note WHERE id = 60 RETURNING 1) SELECT * FROM gone`),
    ).toHaveLength(1);
  });

  test('makes no event of a statement that touched no row', async () => {
    expect(await eventsOf(`UPDATE host.note SET text = '' WHERE false; DELETE FROM host.note WHERE id = 77`)).toEqual(
      [],
    );
  });

  test('names a TRUNCATE, after which nobody can say whose the rows were', async () => {
    expect(await eventsOf('TRUNCATE host.note')).toMatchObject([
      { action: 'table.delete', kind: 'delete', detail: { truncated: true }, target: { type: 'host.note' } },
    ]);
  });

  test('takes the actor from the settings: claims, then what the host set, then the login', async () => {
    const change = `UPDATE host.note SET text = random()::text WHERE id = 3`;
    expect(await eventsOf(change)).toMatchObject([{ actor: { id: 'postgres', type: 'service' } }]);
    expect(
      await eventsOf(
        `SET LOCAL medzen.actor = 'u1'; SET LOCAL medzen.context = '{"actor":{"role":"r"},"purpose":"HOPERAT"}'; ${change}`,
      ),
    ).toMatchObject([{ actor: { id: 'u1', type: 'user', role: 'r' }, purpose: 'HOPERAT' }]);
    expect(
      await eventsOf(
        `SET LOCAL request.jwt.claims = '{"sub":"u2","tenant":"clinic"}'; SET LOCAL medzen.actor = 'u1'; ${change}`,
      ),
    ).toMatchObject([{ actor: { id: 'u2' }, tenant: 'clinic' }]);
    expect(
      await eventsOf(`SET LOCAL request.jwt.claims = ''; SET LOCAL request.headers = '{'; ${change}`),
    ).toMatchObject([{ actor: { id: 'postgres' }, source: {} }]);
    await expect(eventsOf(`SET LOCAL request.jwt.claims = '{'; ${change}`)).rejects.toMatchObject({ code: 'MZ001' });
  });

  test('is written by a role without any right to the log, under its own name', async () => {
    await db.pool.query(`CREATE ROLE audit_table_writer LOGIN; GRANT USAGE ON SCHEMA host TO audit_table_writer;
      GRANT ALL ON host.note TO audit_table_writer`);
    const url = new URL(db.url);
    url.username = 'audit_table_writer';
    const writer = db.open({ connectionString: url.href, max: 1 });
    try {
      await writer.query(`UPDATE host.note SET text = 'w' WHERE id = 3`);
      const { rows } = await db.pool.query(`SELECT actor FROM medzen.audit_event ORDER BY xid DESC LIMIT 1`);
      expect(rows).toEqual([{ actor: 'audit_table_writer' }]);
      for (const forbidden of [
        `SELECT medzen.audit_table('host.note', 'patient')`,
        `SELECT medzen.unaudit_table('host.note')`,
        `SELECT medzen.record_event('a.b', 'read')`,
        `DELETE FROM medzen.audit_rows`,
        `DROP TRIGGER medzen_audit_update ON host.note`,
        `CREATE TEMP TABLE mine (patient text); CREATE TRIGGER t AFTER TRUNCATE ON mine EXECUTE FUNCTION medzen.audit_change('', 'patient')`,
      ])
        await expect(writer.query(forbidden), forbidden).rejects.toMatchObject({ code: '42501' });
    } finally {
      await writer.end();
      await db.pool.query('DROP OWNED BY audit_table_writer; DROP ROLE audit_table_writer');
    }
  });

  test.each([
    ['the claims name no tenant', `SET LOCAL request.jwt.claims = '{"tenant":"NO"}'`, 'MZ001'],
    ['urgent access has no reason', `SET LOCAL medzen.context = '{"purpose":"BTG"}'`, 'MZ001'],
    [
      'the log takes nothing',
      `ALTER TABLE medzen.audit_pending ADD CONSTRAINT full_up CHECK (false) NOT VALID`,
      '23514',
    ],
    ['the column of the patient is gone', `ALTER TABLE host.note RENAME patient TO person`, 'MZ002'],
  ])('keeps the row as it was when %s: the write fails with its event', async (_, setting, code) => {
    const client = await db.connect();
    await expect(
      client.query(`BEGIN; ${setting}; UPDATE host.note SET text = 'lost' WHERE id = 1`),
    ).rejects.toMatchObject({ code });
    await client.query('ROLLBACK');
    const { rows } = await client.query(`SELECT FROM host.note WHERE text = 'lost'`);
    expect(rows).toEqual([]);
  });

  test('sees columns that came later', async () => {
    await eventsOf(`UPDATE host.note SET text = 'x' WHERE id = 3`);
    await db.pool.query(`ALTER TABLE host.note ADD added int, DROP text`);
    expect(await eventsOf(`UPDATE host.note SET added = 1 WHERE id = 3`)).toMatchObject([{ fields: ['added'] }]);
  });

  test('fills a log whose events each appear once among 2500 patients', async () => {
    const events = await eventsOf(
      `INSERT INTO host.note (id, patient) SELECT g, 'q' || g FROM generate_series(100, 2599) g`,
    );
    expect(new Set(events.map(({ patient }) => patient)).size).toBe(2500);
    expect(new Set(events.map(({ id }) => id)).size).toBe(2500);
    expect(new Set(events.map(({ nonce }) => nonce)).size).toBe(2500);
  });

  test('goes with a row that a key takes along', async () => {
    await db.pool.query(`CREATE TABLE host.line (id int PRIMARY KEY, note int REFERENCES host.note ON DELETE CASCADE, who text);
      INSERT INTO host.line VALUES (1, 1, 'p1'), (2, 2, 'p1')`);
    await audit('host.line', 'who');
    expect((await eventsOf(`DELETE FROM host.note WHERE id <= 2`)).map(({ target }) => target?.type).sort()).toEqual([
      'host.line',
      'host.note',
    ]);
  });

  test('is audited once however often it is switched on, and no more once it is switched off; both are recorded', async () => {
    await audit('host.note');
    expect(await eventsOf(`UPDATE host.note SET text = 'x' WHERE id = 3`)).toHaveLength(1);
    const off = await eventsOf(`SELECT medzen.unaudit_table('host.note'); UPDATE host.note SET text = 'y'`);
    expect(off).toMatchObject([
      { action: 'config.change', target: { type: 'audit_table', id: 'host.note' }, detail: { audited: false } },
    ]);
    expect(await eventsOf(`SELECT medzen.unaudit_table('host.note')`)).toEqual([]);
  });

  test('is not audited while a replica applies what another server has recorded', async () => {
    expect(await eventsOf(`SET LOCAL session_replication_role = replica; UPDATE host.note SET text = 'r'`)).toEqual([]);
  });
});

describe('keys', () => {
  test.each([
    ['uuid', `'00000000-0000-4000-8000-00000000000A'`, '00000000-0000-4000-8000-00000000000a'],
    ['bigint', '9223372036854775807', '9223372036854775807'],
    ['text', `'"ü\\'`, '"ü\\'],
    ['timestamptz', `'2026-11-22 10:00+02'`, '2026-11-22 08:00:00+00'],
    ['bytea', `'\\x00ff'`, '\\x00ff'],
    ['numeric', '1.50', '1.50'],
    ['interval', `'1 day'`, 'P1D'],
    ['host.level', `'high'`, 'high'],
    ['host.mrn', `'m1'`, 'm1'],
  ])('of type %s', async (type, literal, text) => {
    await db.pool.query(`CREATE TYPE host.level AS ENUM ('low', 'high'); CREATE DOMAIN host.mrn AS varchar(9);
      CREATE TABLE host.t (id ${type} PRIMARY KEY, patient ${type}, x int)`);
    await audit('host.t');
    const sets = `SET LOCAL datestyle = 'German'; SET LOCAL timezone = 'Asia/Tokyo'; SET LOCAL bytea_output = escape; SET LOCAL intervalstyle = sql_standard`;
    const events = await eventsOf(
      `${sets}; INSERT INTO host.t VALUES (${literal}, ${literal}); UPDATE host.t SET x = 1; DELETE FROM host.t`,
    );
    expect(events.map(({ kind }) => kind).sort()).toEqual(['create', 'delete', 'update']);
    for (const event of events) expect(event).toMatchObject({ patient: text, target: { id: text } });
    expect(events.find(({ kind }) => kind === 'update')?.fields).toEqual(['x']);
    // Many rows are asked otherwise than one, and say the same.
    await db.pool.query(`CREATE TABLE host.u (id ${type}, n int, patient ${type}, x int, PRIMARY KEY (id, n))`);
    await audit('host.u');
    const two = (row: string): string => `VALUES (${row.replace('?', '1')}), (${row.replace('?', '2')})`;
    const [both, ...more] = await eventsOf(`${sets}; INSERT INTO host.u ${two(`${literal}, ?, ${literal}`)}`);
    expect(both).toMatchObject({ patient: text, fields: ['id', 'n', 'patient'], detail: { rows: 2 } });
    expect(more).toEqual([]);
    const [first, second] = await eventsOf(
      `${sets}; UPDATE host.u SET x = 1, patient = CASE n WHEN 1 THEN patient END`,
    );
    expect(first).toMatchObject({ patient: text, fields: ['patient', 'x'], detail: { rows: 2 } });
    expect(second).toMatchObject({ target: { id: JSON.stringify([text, '2']) }, fields: ['patient', 'x'] });
  });

  test('of several columns stand as a JSON array of texts, in the order of the key', async () => {
    await db.pool.query(`CREATE TABLE host.t (a int, b text, patient text, PRIMARY KEY (b, a) INCLUDE (patient))`);
    await audit('host.t');
    expect(await eventsOf(`INSERT INTO host.t VALUES (7, 'x"y', 'p')`)).toMatchObject([
      { target: { id: '["x\\"y","7"]' } },
    ]);
  });

  test('may be absent', async () => {
    await db.pool.query(`CREATE TABLE host.t (patient text, x int)`);
    await audit('host.t');
    const events = await eventsOf(`INSERT INTO host.t VALUES ('p', 1), ('p', 1); UPDATE host.t SET x = 2`);
    expect(events.find(({ kind }) => kind === 'update')).toMatchObject({
      patient: 'p',
      fields: ['x'],
      detail: { rows: 2 },
    });
    for (const { target } of events) expect(target).toEqual({ type: 'host.t' });
  });

  test('and names may be of any kind', async () => {
    await db.pool.query(
      `CREATE SCHEMA "Odd ""Schema"; CREATE TABLE "Odd ""Schema"."Weird Name" ("The Key" int PRIMARY KEY, "pa.ti""ent" text, "%s 'é\n" int, f1 int, i int, new_rows int)`,
    );
    try {
      await audit('"Odd ""Schema"."Weird Name"', 'pa.ti"ent');
      expect(
        await eventsOf(
          `INSERT INTO "Odd ""Schema"."Weird Name" VALUES (1, 'p', 1, 2, 3, 4); UPDATE "Odd ""Schema"."Weird Name" SET "%s 'é\n" = 2, f1 = 3, i = 4, new_rows = 5`,
        ),
      ).toMatchObject([
        {
          patient: 'p',
          fields: ['The Key', 'pa.ti"ent', "%s 'é\n", 'f1', 'i', 'new_rows'],
          target: { type: '"Odd ""Schema"."Weird Name"', id: '1' },
        },
        { patient: 'p', fields: ["%s 'é\n", 'f1', 'i', 'new_rows'] },
      ]);
    } finally {
      await db.pool.query('DROP SCHEMA "Odd ""Schema" CASCADE');
    }
  });
});

test('what the host defines does not run with the rights of the owner of the log', async () => {
  await db.pool.query(`CREATE TABLE host.ran (who text); CREATE TYPE host.pair AS (a text, b text);
    CREATE FUNCTION host.trap(host.pair) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO host.ran VALUES (current_user); RETURN 'x'; END $$;
    CREATE CAST (host.pair AS text) WITH FUNCTION host.trap(host.pair) AS IMPLICIT;
    CREATE FUNCTION host.same(host.pair, host.pair) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO host.ran VALUES ('='); RETURN true; END $$;
    CREATE OPERATOR host.= (FUNCTION = host.same, LEFTARG = host.pair, RIGHTARG = host.pair);
    CREATE TABLE host.t (id int PRIMARY KEY, patient host.pair, other host.pair)`);
  await audit('host.t');
  expect(
    await eventsOf(`INSERT INTO host.t VALUES (1, '(a,b)', '(c,d)'); UPDATE host.t SET other = '(e,f)'`),
  ).toMatchObject([{ patient: '(a,b)' }, { patient: '(a,b)', fields: ['other'] }]);
  expect((await db.pool.query('SELECT * FROM host.ran')).rows).toEqual([]);
});

test('a table of more names than an event holds names the rest by number', async () => {
  const columns = Array.from({ length: 400 }, (_, at) => `${'ü'.repeat(24)}${at} int`).join(', ');
  await db.pool.query(`CREATE TABLE host.wide (id int PRIMARY KEY, patient text, ${columns})`);
  await audit('host.wide');
  const [event] = await eventsOf(`INSERT INTO host.wide SELECT ${Array.from({ length: 402 }, () => '1').join(', ')}`);
  expect(event?.fields).toHaveLength(402);
  expect(event?.fields?.slice(-1)).toEqual(['#402']);
});

test.each(['patient', 'statement'])(
  'a table of as many columns as Postgres allows is updated too, by %s',
  async (by) => {
    const columns = Array.from({ length: 1500 }, (_, at) => `c${at} bool`).join(', ');
    await db.pool.query(`CREATE TABLE host.wide (id int PRIMARY KEY, patient text, ${columns});
    INSERT INTO host.wide VALUES (1, 'p1'); SELECT medzen.audit_table('host.wide', 'patient', '${by}')`);
    const [event] = await eventsOf(`UPDATE host.wide SET patient = 'p2', c1499 = true`);
    expect(event).toMatchObject({ target: { id: '1' }, fields: ['patient', expect.anything()] });
  },
);

describe('partitions', () => {
  beforeEach(async () => {
    await db.pool.query(`CREATE TABLE host.visit (id int, year int, patient text, note text, PRIMARY KEY (year, id)) PARTITION BY LIST (year);
      CREATE TABLE host.visit_1 PARTITION OF host.visit FOR VALUES IN (1);
      CREATE TABLE host.visit_2 (note text, patient text, id int NOT NULL, year int NOT NULL, PRIMARY KEY (year, id));
      ALTER TABLE host.visit ATTACH PARTITION host.visit_2 FOR VALUES IN (2);
      INSERT INTO host.visit VALUES (1, 1, 'p1'), (2, 1, 'p2'), (3, 1, 'p3')`);
    await audit('host.visit');
  });

  test('are recorded under the name of the whole, whichever of the two is written to, and once', async () => {
    expect(await eventsOf(`UPDATE host.visit SET note = 'x' WHERE id = 1`)).toMatchObject([
      { patient: 'p1', fields: ['note'], target: { type: 'host.visit', id: '["1","1"]' } },
    ]);
    expect(await eventsOf(`UPDATE host.visit_1 SET note = 'y' WHERE id = 1`)).toMatchObject([
      { patient: 'p1', target: { type: 'host.visit' } },
    ]);
  });

  test('exchange rows', async () => {
    expect(await eventsOf(`UPDATE host.visit SET year = 2, note = CASE id WHEN 1 THEN 'z' END`)).toMatchObject([
      { patient: 'p1', kind: 'update', fields: ['year', 'note'] },
      { patient: 'p2', kind: 'update', fields: ['year'] },
      { patient: 'p3', kind: 'update', fields: ['year'] },
    ]);
  });

  test('that turn a row away leave no field attributed to the wrong one', async () => {
    await db.pool.query(`CREATE FUNCTION host.turn_away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.id = 1 THEN NULL ELSE NEW END; END $$;
      CREATE TRIGGER turn_away BEFORE INSERT ON host.visit_2 FOR EACH ROW EXECUTE FUNCTION host.turn_away()`);
    const events = await eventsOf(`UPDATE host.visit SET year = 2`);
    expect(events.map(({ patient }) => patient)).toEqual(['p1', 'p2', 'p3']);
    for (const event of events) {
      expect(event).not.toHaveProperty('fields');
      expect(event).not.toHaveProperty('detail'); // one row of each
    }
    await audit('host.visit', 'patient', 'statement');
    await db.pool.query(`INSERT INTO host.visit VALUES (1, 1, 'p1')`);
    const [event] = await eventsOf(
      `UPDATE host.visit SET patient = CASE id WHEN 2 THEN 'p4' ELSE patient END, year = CASE id WHEN 1 THEN 2 ELSE year END`,
    );
    expect(event?.detail).toMatchObject({ rows: 3 });
    const { rows } = await db.pool.query('SELECT row_ids, patients FROM medzen.audit_rows WHERE event_id = $1', [
      event?.id,
    ]);
    expect(rows[0].row_ids.toSorted()).toEqual(['["1","1"]', '["2","2"]', '["2","3"]']);
    expect(rows[0].patients.toSorted()).toEqual(['p1', 'p2', 'p3', 'p4']);
  });

  test('take no MERGE, which could send a row from one to another unseen, until they are audited no more', async () => {
    const merge = (table: string, set: string): string =>
      `MERGE INTO ${table} t USING (VALUES (1)) v (id) ON t.id = v.id WHEN MATCHED THEN UPDATE SET ${set}`;
    await expect(db.pool.query(merge('host.visit', 'year = 2'))).rejects.toMatchObject({ code: '0A000' });
    expect((await db.pool.query('SELECT FROM host.visit WHERE year = 2')).rows).toEqual([]);
    expect(await eventsOf(merge('host.visit_1', `note = 'within one'`))).toMatchObject([{ patient: 'p1' }]);
    const within = `WITH gone AS (DELETE FROM host.visit WHERE id = 3 RETURNING id) SELECT id FROM gone`;
    expect(await eventsOf(within)).toMatchObject([{ patient: 'p3', kind: 'delete' }]);
    await db.pool.query(`SELECT medzen.unaudit_table('host.visit')`);
    await db.pool.query(merge('host.visit', 'year = 2'));
    expect((await db.pool.query('SELECT id FROM host.visit WHERE year = 2')).rows).toEqual([{ id: 1 }]);
  });

  test('that come later are covered through the whole at once, and on their own after audit_table again', async () => {
    await db.pool.query('CREATE TABLE host.visit_3 PARTITION OF host.visit FOR VALUES IN (3)');
    expect(await eventsOf(`INSERT INTO host.visit VALUES (9, 3, 'p9')`)).toHaveLength(1);
    expect(await eventsOf(`UPDATE host.visit_3 SET note = 'past'`)).toEqual([]);
    await audit('host.visit');
    expect(await eventsOf(`UPDATE host.visit_3 SET note = 'seen'`)).toHaveLength(1);
  });
});

describe('an event for each statement', () => {
  beforeEach(async () => {
    await db.pool.query(`CREATE TABLE host.job (id int PRIMARY KEY, patient text, state text);
      INSERT INTO host.job SELECT g, 'p' || g % 3, 'new' FROM generate_series(1, 6) g`);
    await audit('host.job', 'patient', 'statement');
  });

  test('keeps the rows and the patients beside it, and their hash in it', async () => {
    const [event, ...more] = await eventsOf(
      `UPDATE host.job SET state = 'done', patient = CASE id WHEN 1 THEN 'p7' ELSE patient END`,
    );
    expect(more).toEqual([]);
    expect(event).toMatchObject({ fields: ['patient', 'state'], target: { type: 'host.job' }, detail: { rows: 6 } });
    const { rows } = await db.pool.query(
      `SELECT row_ids, patients, encode(sha256(array_send(row_ids) || array_send(patients)), 'hex') AS hash
       FROM medzen.audit_rows WHERE event_id = $1`,
      [event?.id],
    );
    expect(rows[0].row_ids.toSorted()).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(rows[0].patients.toSorted()).toEqual(['p0', 'p1', 'p2', 'p7']);
    expect(event?.detail?.rowsHash).toBe(rows[0].hash);
    await expect(db.pool.query(`UPDATE medzen.audit_rows SET patients = '{}'`)).rejects.toMatchObject({
      code: 'MZ004',
    });
  });

  test('keeps both patients of a single row that went from one to the other', async () => {
    const [event] = await eventsOf(`UPDATE host.job SET patient = 'p8' WHERE id = 1`);
    expect(event).toMatchObject({ fields: ['patient'], target: { type: 'host.job', id: '1' }, detail: { rows: 1 } });
    expect(event).not.toHaveProperty('patient');
    const { rows } = await db.pool.query(
      `SELECT row_ids, patients, encode(sha256(array_send(row_ids) || array_send(patients)), 'hex') AS hash
       FROM medzen.audit_rows WHERE event_id = $1`,
      [event?.id],
    );
    expect(rows).toEqual([{ row_ids: ['1'], patients: ['p8', 'p1'], hash: event?.detail?.rowsHash }]);
  });

  test('names the patient where there is one, and the row', async () => {
    expect(await eventsOf(`DELETE FROM host.job WHERE id = 1`)).toMatchObject([
      { kind: 'delete', patient: 'p1', purpose: 'TREAT', target: { type: 'host.job', id: '1' } },
    ]);
    expect(await eventsOf(`DELETE FROM host.job WHERE patient = 'p2'`)).toMatchObject([
      { patient: 'p2', detail: { rows: 2 } },
    ]);
    expect(await eventsOf(`INSERT INTO host.job VALUES (20), (21)`)).toMatchObject([
      { fields: ['id'], detail: { rows: 2 } },
    ]);
  });

  test('is found by each patient whose rows it touched, once, through an index', async () => {
    const [bulk] = await eventsOf(
      `UPDATE host.job SET patient = CASE id WHEN 1 THEN repeat('ü', 3000) ELSE 'bulk' || id % 2 END`,
    );
    const [own] = await eventsOf(`SELECT pg_sleep(0.005); DELETE FROM host.job WHERE patient = 'bulk0'`);
    const found = async (args: string): Promise<readonly string[]> =>
      (await db.pool.query(`SELECT id FROM medzen.search_events('default', 10, ${args})`)).rows.map(({ id }) => id);
    expect(await found(`p_patient => 'bulk0'`)).toEqual([own?.id, bulk?.id]);
    expect(await found(`p_patient => repeat('ü', 3000)`)).toEqual([bulk?.id]);
    expect(await found(`p_patient => 'bulk0', p_before => '${own?.id}'`)).toEqual([bulk?.id]);
    expect(await found(`p_patient => 'bulk0', p_before => '${bulk?.id}'`)).toEqual([]);
    expect(await found(`p_patient => 'bulk0', p_from => '${bulk?.at}', p_to => '${own?.at}'`)).toEqual([bulk?.id]);
    expect(await found(`p_patient => 'bulk0', p_to => '${bulk?.at}'`)).toEqual([]);
    for (const other of [
      `p_actor => 'nobody'`,
      `p_actions => '{table.delete}'`,
      `p_outcomes => '{denied,failed}'`,
      `p_purposes => '{BTG}'`,
      `p_target_type => 'host.other'`,
      `p_target_id => '7'`,
    ])
      expect(await found(`p_patient => 'bulk1', ${other}`), other).toEqual([]);
    expect(await found(`p_patient => 'bulk1', p_target_type => 'host.job'`)).toEqual([bulk?.id]);
    // A single row that went from one patient to another is of both.
    const [moved] = await eventsOf(`SELECT pg_sleep(0.005); UPDATE host.job SET patient = 'after' WHERE id = 1`);
    expect(await found(`p_patient => 'after'`)).toEqual([moved?.id]);
    expect(await found(`p_patient => repeat('ü', 3000)`)).toEqual([moved?.id, bulk?.id]);
    expect((await db.pool.query(`SELECT FROM medzen.search_events('other', 10, p_patient => 'bulk1')`)).rows).toEqual(
      [],
    );

    const client = await db.connect();
    await client.query(`BEGIN; SET LOCAL session_replication_role = replica;
      INSERT INTO medzen.audit_rows SELECT gen_random_uuid(), '{}', ARRAY['q' || g, 'r' || g] FROM generate_series(1, 20000) g`);
    await client.query(`SELECT FROM medzen.search_events('default', 10, p_patient => 'bulk1')`);
    const { rows } = await client.query(
      `SELECT seq_scan::int AS whole, idx_scan::int AS by_index FROM pg_stat_xact_user_tables WHERE relname = 'audit_rows'`,
    );
    await client.query('ROLLBACK');
    expect(rows).toEqual([{ whole: 0, by_index: 2 }]); // found by one, and compared with the event's hash by its key
  });

  test('stays in the database while a legal hold stands on one whose rows it touched', async () => {
    const [bulk] = await eventsOf(`UPDATE host.job SET state = 'held'`);
    const client = await db.connect();
    const held = async (patient: string, tenant = 'default'): Promise<boolean> => {
      await client.query(`BEGIN; SET LOCAL session_replication_role = replica;
        INSERT INTO medzen.audit_leaf VALUES (7, '${bulk?.id}');
        INSERT INTO medzen.legal_hold (tenant, id, patient, matter, reason, placed_by, placed_at)
          VALUES ('${tenant}', 'h1', '${patient}', 'Suit', 'Suit', 'u1', now())`);
      const { rows } = await client.query(`SELECT medzen.is_archive_held(0, 8), medzen.is_archive_held(0, 7) AS other`);
      await client.query('ROLLBACK');
      expect(rows[0].other).toBe(false);
      return rows[0].is_archive_held;
    };
    expect(await held('p1')).toBe(true);
    expect(await held('p9')).toBe(false);
    expect(await held('p1', 'other')).toBe(false);
  });

  test('says when only the first two hundred rows were compared', async () => {
    await db.pool.query(
      `INSERT INTO host.job SELECT g, 'p', 'new' FROM generate_series(1001, 2001) g; DELETE FROM host.job WHERE id < 1000`,
    );
    expect(await eventsOf(`UPDATE host.job SET state = 'b'`)).toMatchObject([
      { fields: ['state'], detail: { rows: 1001, compared: 200 } },
    ]);
  });
});

test.each([
  ['a table that is not there', `'host.none', 'patient'`, '42P01'],
  ['a column that is not there', `'host.t', 'none'`, 'MZ001'],
  ['an unknown granularity', `'host.t', 'patient', 'row'`, 'MZ001'],
  ['a view', `'host.v', 'patient'`, 'MZ001'],
  ['the log itself', `'medzen.audit_event', 'patient'`, 'MZ001'],
])('audit_table refuses %s', async (_, args, code) => {
  await db.pool.query(`CREATE TABLE host.t (patient text); CREATE VIEW host.v AS SELECT * FROM host.t`);
  await expect(db.pool.query(`SELECT medzen.audit_table(${args})`)).rejects.toMatchObject({ code });
});

test('a column that is computed when somebody reads it says of no written row whose it is', async () => {
  const { rows } = await db.pool.query(`SELECT current_setting('server_version_num')::int AS version`);
  const made = db.pool.query(
    `CREATE TABLE host.t (id int PRIMARY KEY, base text, patient text GENERATED ALWAYS AS (upper(base)) VIRTUAL)`,
  );
  if (rows[0].version < 180_000) return expect(made).rejects.toMatchObject({ code: '42601' }); // there is none before
  await made;
  await expect(audit('host.t')).rejects.toMatchObject({ code: 'MZ001' });
  await audit('host.t', 'base');
  const two = `INSERT INTO host.t VALUES (1, 'p1'), (2, 'p2')`;
  expect(await eventsOf(`${two}; UPDATE host.t SET base = 'p3' WHERE id = 1`)).toHaveLength(4);
  await db.pool.query(`ALTER TABLE host.t DROP patient; ALTER TABLE host.t RENAME base TO other;
    ALTER TABLE host.t ADD base text GENERATED ALWAYS AS (upper(other)) VIRTUAL`);
  await expect(db.pool.query(`UPDATE host.t SET other = 'p4'`)).rejects.toMatchObject({ code: 'MZ002' });
});

test('a role that the host names audits its own tables, and no others', async () => {
  await db.pool.query(`CREATE ROLE audit_table_migrator LOGIN; GRANT USAGE, CREATE ON SCHEMA host TO audit_table_migrator;
    CREATE TABLE host.others (id int PRIMARY KEY, patient text);
    SELECT medzen.permit('audit_table_migrator', 'audit_table', 'unaudit_table', 'audit_change', 'note_audited', 'table_name', 'fail');
    SELECT medzen.apply_permissions()`);
  const url = new URL(db.url);
  url.username = 'audit_table_migrator';
  const migrator = db.open({ connectionString: url.href, max: 1 });
  try {
    await migrator.query(
      `CREATE TABLE host.own (id int PRIMARY KEY, patient text); SELECT medzen.audit_table('host.own', 'patient')`,
    );
    await expect(migrator.query(`SELECT medzen.audit_table('host.others', 'patient')`)).rejects.toMatchObject({
      code: '42501',
    });
    await expect(migrator.query(`SELECT medzen.audit_table('host.own', 'none')`)).rejects.toMatchObject({
      code: 'MZ001',
    });
    expect(await eventsOf(`INSERT INTO host.own VALUES (1, 'p1')`)).toHaveLength(1);
    // What stands for the statement's rows is the trigger's, not whatever has their name.
    await migrator.query(`CREATE FUNCTION host.whoami() RETURNS text LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'runs as %', current_user; END $$;
      CREATE TEMP VIEW new_rows AS SELECT 1 AS id, host.whoami() AS patient;
      CREATE TABLE host.trap (id int, patient text);
      CREATE TRIGGER t AFTER INSERT ON host.trap EXECUTE FUNCTION medzen.audit_change('patient', 'patient')`);
    await expect(migrator.query(`INSERT INTO host.trap VALUES (1, 'p1')`)).rejects.toMatchObject({ code: 'MZ004' });
    await migrator.query(`DROP TRIGGER t ON host.trap; CREATE TRIGGER t AFTER INSERT ON host.trap REFERENCING NEW TABLE AS new_rows
      FOR EACH ROW EXECUTE FUNCTION medzen.audit_change('patient', 'patient')`);
    await expect(migrator.query(`INSERT INTO host.trap VALUES (1, 'p1')`)).rejects.toMatchObject({ code: 'MZ004' });
    await migrator.query(`SELECT medzen.unaudit_table('host.own')`);
    const { rows } = await db.pool.query(
      `SELECT actor FROM medzen.audit_event WHERE action = 'config.change' ORDER BY xid DESC LIMIT 1`,
    );
    expect(rows).toEqual([{ actor: 'audit_table_migrator' }]);
  } finally {
    await migrator.end();
    await db.pool.query(
      `DELETE FROM medzen.permission WHERE role = 'audit_table_migrator'; DROP OWNED BY audit_table_migrator; DROP ROLE audit_table_migrator`,
    );
  }
});

test('a table without patients is audited too', async () => {
  await db.pool.query(`CREATE TABLE host.setting (id int PRIMARY KEY)`);
  await audit('host.setting', null);
  const [event] = await eventsOf(`INSERT INTO host.setting VALUES (1)`);
  expect(event).toMatchObject({ target: { type: 'host.setting', id: '1' } });
  expect(event).not.toHaveProperty('patient');
});

test('works under another name of the schema, beside a first installation', async () => {
  await installSql(db.pool, { schema: 'clinic_log' });
  await db.pool.query(
    `CREATE TABLE host.t (id int PRIMARY KEY, patient text); SELECT clinic_log.audit_table('host.t', 'patient')`,
  );
  await audit('host.t');
  const insert = (id: number): string => `SET LOCAL clinic_log.actor = 'u1'; INSERT INTO host.t VALUES (${id}, 'p1')`;
  expect(await eventsOf(insert(1), 'clinic_log')).toMatchObject([{ patient: 'p1', actor: { id: 'u1' } }]);
  expect(await eventsOf(insert(2))).toMatchObject([{ patient: 'p1', actor: { id: 'postgres' } }]);
});

test('what is to be erasable stands under pseudonyms, of one row and of many', async () => {
  await db.pool.query(
    `CREATE TABLE host.t (id int PRIMARY KEY, patient text, x int); SELECT medzen.keep_erasable('patient', 'ip')`,
  );
  await audit('host.t');
  try {
    const insert = `INSERT INTO host.t SELECT g, 'erasable' || g, 1 FROM generate_series(1, 30) g`;
    const source = `SET LOCAL medzen.context = '{"source":{"ip":"192.0.2.7"}}'`;
    const events = await eventsOf(`${source}; ${insert}; UPDATE host.t SET x = 2 WHERE id = 1`);
    expect(events).toHaveLength(31);
    expect(new Set(events.map(({ patient }) => patient)).size).toBe(30);
    expect(JSON.stringify(events)).not.toMatch(/erasable1|192\.0\.2\.7/);
    const { rows } = await db.pool.query(`SELECT FROM medzen.search_events('default', 9, p_patient => 'erasable1')`);
    expect(rows).toHaveLength(2);
  } finally {
    await db.pool.query('SELECT medzen.keep_erasable()');
  }
});
