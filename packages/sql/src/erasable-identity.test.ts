import { randomUUID } from 'node:crypto';
import {
  type AuditEventDraft,
  canonicalize,
  defaultErasableKinds,
  type ErasableKind,
  openEvent,
  pseudonymOf,
  replaceIdentities,
  type SealedEvent,
  sealEvent,
} from '@medzen/core';
import { createSamples } from '@medzen/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { pgWire, sqlStores } from './index.ts';

const scope = { tenant: 'clinic-a' };

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
  await db.pool.query("SELECT medzen.keep_erasable('patient', 'user', 'name', 'ip')");
});
afterAll(() => db.drop());

const stores = (options?: string) =>
  sqlStores(pgWire(options === undefined ? db.pool : db.open({ options: `-c role=${options}` })));

function event(draft: Partial<AuditEventDraft> = {}): SealedEvent {
  return sealEvent({
    tenant: scope.tenant,
    action: 'note.view',
    kind: 'read',
    outcome: 'success',
    actor: { id: 'provider-1', type: 'user' },
    patient: 'patient-1',
    source: {},
    ...draft,
  });
}

function erasing(pseudonym: string): SealedEvent {
  return event({
    action: 'identity.erase',
    kind: 'delete',
    actor: { id: 'sweep', type: 'service' },
    patient: 'somebody-else',
    target: { type: 'identity', id: pseudonym },
    reason: 'Asked for',
  });
}

async function erase(kind: ErasableKind, value: string, tenant = scope.tenant): Promise<string> {
  const { identities } = stores();
  const [pseudonym = ''] = await identities.pseudonyms({ tenant }, { kind, value });
  return (await identities.erase({ tenant }, { kind, value, despiteRetention: true }, erasing(pseudonym))).status;
}

/** Every table in which the text stands, in whatever column: as text, or in bytes. */
async function tablesWith(value: string): Promise<string[]> {
  const { rows } = await db.pool.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c
     WHERE c.relnamespace = 'medzen'::regnamespace AND c.relkind IN ('r', 'm') ORDER BY 1`,
  );
  expect(rows.length).toBeGreaterThan(25);
  const found: string[] = [];
  for (const { name } of rows) {
    const hit = await db.pool.query(
      `SELECT FROM ${name} t WHERE strpos(t::text, $1) > 0 OR strpos(t::text, encode(convert_to($1, 'UTF8'), 'hex')) > 0 LIMIT 1`,
      [value],
    );
    if (hit.rowCount !== 0) found.push(name);
  }
  return found;
}

describe('what is left of an erased identity', () => {
  test('is nowhere in the database, whoever wrote the events and whatever came of them', async () => {
    const [patient, user] = [`patient-${randomUUID()}`, `user-${randomUUID()}`];
    const { audit, log, reviews } = stores();
    const at = new Date().toISOString();
    const sealed = event({
      patient,
      actor: { id: user, type: 'user' },
      target: { type: 'patient', id: patient },
    });
    await audit.append(scope, [sealed]);
    // By the database's own functions, and by a trigger on a table of the host's.
    await db.pool.query('CREATE SCHEMA IF NOT EXISTS host; CREATE TABLE host.note (id text PRIMARY KEY, patient text)');
    await db.pool.query("SELECT medzen.audit_table('host.note', 'patient')");
    const client = await db.connect();
    await client.query('BEGIN');
    await client.query("SELECT set_config('medzen.context', $1, true)", [JSON.stringify({ tenant: scope.tenant })]);
    await client.query("SELECT set_config('medzen.actor', $1, true)", [user]);
    await client.query('INSERT INTO host.note VALUES ($1, $1), ($2, $1)', [patient, 'second']);
    await client.query("SELECT medzen.record_event('note.print', 'read', p_patient => $1)", [patient]);
    await client.query('COMMIT');
    await client.end();
    await reviews.queue(scope, [
      { id: 'a'.repeat(64), rule: 'vip', eventId: sealed.id, leafIndex: 0, at, actor: user, patient },
    ]);
    const signing = event({
      action: 'audit.review',
      kind: 'update',
      actor: { id: user, type: 'user' },
      patient,
      target: { type: 'review', id: 'a'.repeat(64) },
    });
    const order = { id: 'a'.repeat(64), outcome: 'appropriate' } as const;
    expect(await reviews.signOff(scope, order, signing)).toEqual({ status: 'own' });
    expect(await reviews.signOff(scope, { ...order, own: true }, signing)).toMatchObject({
      review: { actor: user, patient, signed: { by: user } },
    });
    const before = await log.readBatch(100);

    expect(await tablesWith(patient)).toEqual(['medzen.erasable_identity']);
    expect(await tablesWith(user)).toEqual(['medzen.erasable_identity']);
    expect((await audit.search(scope, { patient })).events).toHaveLength(4);
    expect(await erase('patient', patient)).toBe('erased');
    expect(await erase('user', user)).toBe('erased');
    expect(await tablesWith(patient)).toEqual([]);
    expect(await tablesWith(user)).toEqual([]);
    expect((await log.readBatch(100)).slice(0, before.length)).toEqual(before);
    expect(JSON.stringify(await reviews.list(scope, { state: 'all' }))).not.toMatch(patient);
  });

  test('is as little as of any other: what was made for it cannot be told from chance', async () => {
    const { identities, audit } = stores();
    const seen = new Set<string>();
    for (let round = 0; round < 20; round++) {
      await audit.append(scope, [event({ patient: 'comes-back' })]);
      const [pseudonym = ''] = await identities.pseudonyms(scope, { kind: 'patient', value: 'comes-back' });
      expect(seen).not.toContain(pseudonym);
      seen.add(pseudonym);
      expect(await erase('patient', 'comes-back')).toBe('erased');
    }
  });
});

test('a key of several columns, and a row that goes to another patient, leave no patient in clear', async () => {
  const [one, two, three] = [randomUUID(), randomUUID(), randomUUID()].map((id) => `patient-${id}`);
  await db.pool.query(`CREATE SCHEMA IF NOT EXISTS host;
    CREATE TABLE host.problem (patient text, n int, said text, PRIMARY KEY (patient, n));
    CREATE TABLE host.chart (patient text PRIMARY KEY, said text);
    SELECT medzen.audit_table('host.problem', 'patient');
    SELECT medzen.audit_table('host.chart', 'patient')`);
  for (const table of ['problem (patient, n)', 'chart (patient, said)']) {
    await db.pool.query(`INSERT INTO host.${table} VALUES ($1, 1)`, [one]);
    await db.pool.query(`INSERT INTO host.${table} VALUES ($1, 2), ($2, 3)`, [two, `${two}x`]);
  }
  for (const table of ['problem', 'chart']) {
    await db.pool.query(`UPDATE host.${table} SET patient = $2 WHERE patient = $1`, [one, three]);
    await db.pool.query(`UPDATE host.${table} SET patient = patient || 'y' WHERE patient LIKE $1 || '%'`, [two]);
    await db.pool.query(`UPDATE host.${table} SET said = 'x'`);
    await db.pool.query(`DELETE FROM host.${table} WHERE patient = $1`, [three]);
  }
  for (const patient of [one, two, three]) expect(await tablesWith(`${patient}`)).toEqual(['medzen.erasable_identity']);
  const { rows } = await db.pool.query(
    "SELECT DISTINCT target_id FROM medzen.audit_event WHERE target_type = 'host.problem' AND target_id IS NOT NULL ORDER BY 1",
  );
  expect(rows.map(({ target_id }) => target_id)).toEqual(['["*","1"]', '["*","2"]', '["*","3"]']);
  await db.pool.query('DROP TABLE host.problem, host.chart');
});

test('what the planner notes of the table names nobody', async () => {
  const { audit } = stores();
  const name = randomUUID();
  await audit.append(
    scope,
    Array.from({ length: 40 }, (_, n) => event({ patient: `${name}-${n % 20}` })),
  );
  await db.pool.query('ANALYZE medzen.erasable_identity');
  const noted = await db.pool.query(
    `SELECT s.starelid::regclass FROM pg_statistic s
     WHERE strpos(concat(s.stavalues1, s.stavalues2, s.stavalues3, s.stavalues4, s.stavalues5), $1) > 0`,
    [name],
  );
  expect(noted.rows).toEqual([]);
  const salts = await db.pool.query(
    "SELECT FROM pg_stats WHERE schemaname = 'medzen' AND tablename = 'erasable_identity' AND attname = 'salt'",
  );
  expect(salts.rows).toEqual([]);
});

describe('pseudonyms', () => {
  test('are those of the library, for any value', async () => {
    const text = fc.string({ unit: 'binary', minLength: 1 }).filter((one) => !one.includes('\0'));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), text, async (salt, value) => {
        const { rows } = await db.pool.query('SELECT medzen.pseudonym_of($1, $2, $3, $4) AS p', [
          Buffer.from(salt),
          'clinic-a',
          'patient',
          value,
        ]);
        expect(rows).toEqual([{ p: pseudonymOf(salt, 'clinic-a', { kind: 'patient', value }) }]);
      }),
      { numRuns: 60 },
    );
  });

  test('can be shown to be those of a value by whoever has the salt', async () => {
    await stores().audit.append(scope, [event()]);
    const { rows } = await db.pool.query(
      'SELECT bool_and(pseudonym = medzen.pseudonym_of(salt, tenant, kind, value)) AS all FROM medzen.erasable_identity',
    );
    expect(rows).toEqual([{ all: true }]);
  });

  test('replace what they replace in the library, and no byte more, in any event', async () => {
    // Plain texts, too, and the same ones again: most events are of these.
    const text = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
      fc.constantFrom('p1', '192.0.2.7', ',"id":', '"}', '*'),
      fc.stringMatching(/^[a-z]{1,2}$/),
    );
    const drafts = fc.record(
      {
        patient: text,
        actor: fc.record({ id: text, type: fc.constantFrom('user', 'service'), name: text }),
        target: fc.record({ type: fc.constantFrom('patient', 'user', 'note'), id: text }),
        source: fc.record({ ip: text, userAgent: text }),
        detail: fc.dictionary(
          fc.oneof(text, fc.constantFrom('patient', 'actor', 'id', 'ip')),
          fc.jsonValue(),
        ) as fc.Arbitrary<AuditEventDraft['detail']>, // JSON, as its name says
        disclosure: fc.record({ recipient: fc.record({ name: text }), description: text, basis: text }),
      },
      { requiredKeys: ['actor', 'source'] },
    );
    await fc.assert(
      fc.asyncProperty(drafts, async (draft) => {
        const { detail, ...rest } = draft;
        const sealed = event({ ...rest, ...(detail === undefined ? {} : { detail }) } as Partial<AuditEventDraft>); // some lack members
        const line = new TextDecoder().decode(sealed.body);
        const { rows } = await db.pool.query<{ line: string }>(
          "SELECT medzen.pseudonymize_event('clinic-a', $1, $2, 'mask') AS line",
          [line, [...defaultErasableKinds]],
        );
        const on: readonly string[] = defaultErasableKinds;
        const expected = replaceIdentities(openEvent(sealed.body), ({ kind, value }) =>
          on.includes(kind) ? '*' : value,
        );
        expect(rows[0]?.line).toBe(canonicalize(expected));
      }),
      { numRuns: 400 },
    );
  });

  test('stand for what is doubled, or is no canonical JSON, in no event that is taken', async () => {
    for (const [from, to] of [
      ['"patient":', '"patient":"odd-1","patient":'],
      ['"patient":', '"patient": '],
      ['"actor":{', '"actor":{ '],
      ['"source":{', '"source":{"userAgent":"x","ip":"odd-1"},"source":{'],
      ['"target":{', '"target":{"type":"x","id":"odd-1"},"target":{'],
    ] as const) {
      const sealed = event({ target: { type: 'patient', id: 'patient-1' }, source: { ip: '192.0.2.7' } });
      const line = new TextDecoder().decode(sealed.body).replace(from, to);
      await stores()
        .audit.append(scope, [{ id: sealed.id, body: new TextEncoder().encode(line) }])
        .catch(() => undefined);
    }
    expect(await tablesWith('odd-1')).toEqual(['medzen.erasable_identity']);
  });
});

test.each(['ff', '7b7d', '7b22'])(
  'a retry of an event whose stored bytes were damaged (%s) is a conflict',
  async (hex) => {
    const { audit } = stores();
    const sealed = event();
    await audit.append(scope, [sealed]);
    const owner = await db.connect();
    await owner.query('SET session_replication_role = replica');
    await owner.query('UPDATE medzen.audit_event SET body = $2 WHERE id = $1', [sealed.id, Buffer.from(hex, 'hex')]);
    await owner.end();
    await expect(audit.append(scope, [sealed])).rejects.toMatchObject({ code: 'audit_conflict' });
  },
);

test('two retries at once, of which one met the identity and the other made it, are the same event', async () => {
  const patient = randomUUID();
  const [other, sealed] = [event({ patient }), event({ patient })];
  const begin = async () => {
    const client = await db.connect();
    await client.query('BEGIN');
    return client;
  };
  const append = (client: { query: (sql: string, args: string[]) => Promise<unknown> }, { id, body }: SealedEvent) =>
    client.query('SELECT medzen.append_events($1, ARRAY[$2], $3)', [scope.tenant, id, new TextDecoder().decode(body)]);
  const [writer, first, second] = [await begin(), await begin(), await begin()];
  await append(writer, other);
  await append(first, sealed); // knows of nobody, and makes a pseudonym of its own
  await writer.query('COMMIT');
  const { rows } = await second.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const retry = append(second, sealed); // takes the writer's
  retry.catch(() => undefined);
  const waits = async () =>
    (await db.pool.query("SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'", [rows[0]?.pid]))
      .rowCount === 1;
  while (!(await waits())) await new Promise((resolve) => setTimeout(resolve, 10));
  await first.query('COMMIT');
  await expect(retry).resolves.toMatchObject({ rows: [{ append_events: { added: 0 } }] });
  await second.query('COMMIT');
  const forged = { id: sealed.id, body: event({ patient: 'another' }).body };
  await expect(stores().audit.append(scope, [forged])).rejects.toMatchObject({ code: 'invalid_input' });
});

test('nobody signs a review off as somebody else by giving a pseudonym for a name', async () => {
  const { audit, identities, reviews } = stores();
  const sealed = event({ actor: { id: 'officer', type: 'user' } });
  await audit.append(scope, [sealed]);
  const [pseudonym = ''] = await identities.pseudonyms(scope, { kind: 'user', value: 'officer' });
  const id = 'b'.repeat(64);
  const at = new Date().toISOString();
  await reviews.queue(scope, [{ id, rule: 'vip', eventId: sealed.id, leafIndex: 0, at, actor: 'provider-1' }]);
  const signing = event({
    action: 'audit.review',
    kind: 'update',
    actor: { id: pseudonym, type: 'user' },
    target: { type: 'review', id },
  });
  expect(await reviews.signOff(scope, { id, outcome: 'appropriate' }, signing)).toMatchObject({
    review: { signed: { by: pseudonym } },
  });
});

test('an event that its pseudonyms make too large is refused, and says why', async () => {
  const fits = event({ actor: { id: 'u', type: 'user' }, detail: { text: 'r'.repeat(65_000) } });
  const length = 65_000 + 65_535 - fits.body.length;
  const full = event({ actor: { id: 'u', type: 'user' }, detail: { text: 'r'.repeat(length) } });
  expect(full.body).toHaveLength(65_535);
  const bodies = [full.id, new TextDecoder().decode(full.body)];
  await expect(
    db.pool.query('SELECT medzen.append_events($1, ARRAY[$2], $3)', [scope.tenant, ...bodies]),
  ).rejects.toThrow('with its pseudonyms is too large');
});

describe('the switch', () => {
  test('waits for who is writing in clear: once it is on, nothing comes after it', async () => {
    const other = await freshDatabase();
    try {
      const client = await other.connect();
      await client.query('BEGIN');
      await client.query("SELECT medzen.record_event('note.print', 'read', p_patient => 'patient-1')");
      let on = false;
      const switching = other.pool.query("SELECT medzen.keep_erasable('patient')").then(() => {
        on = true;
      });
      const waits = async () =>
        (
          await other.pool.query(
            "SELECT FROM pg_locks WHERE NOT granted AND relation = 'medzen.erasable_kind'::regclass",
          )
        ).rowCount === 1;
      while (!on && !(await waits())) await new Promise((resolve) => setTimeout(resolve, 10));
      expect(on).toBe(false);
      await client.query('COMMIT');
      await switching;
      expect(await sqlStores(pgWire(other.pool)).identities.kinds()).toEqual(['patient']);
    } finally {
      await other.drop();
    }
  });

  test('is recorded, and takes no kind that is none', async () => {
    const { rows } = await db.pool.query("SELECT body FROM medzen.audit_event WHERE action = 'config.change'");
    expect(openEvent(rows[0]?.body)).toMatchObject({
      target: { type: 'erasable_identity' },
      detail: { kinds: defaultErasableKinds },
    });
    await expect(db.pool.query("SELECT medzen.keep_erasable('surname')")).rejects.toMatchObject({ code: 'MZ001' });
  });

  test('refuses tables that are audited by statement, and these are refused when it is on', async () => {
    const other = await freshDatabase();
    try {
      await other.pool.query(`CREATE TABLE public.visit (id int PRIMARY KEY, patient text);
        SELECT medzen.audit_table('public.visit', 'patient', 'statement')`);
      await expect(other.pool.query("SELECT medzen.keep_erasable('patient')")).rejects.toMatchObject({ code: 'MZ002' });
      await other.pool.query("SELECT medzen.keep_erasable('user')");
      await other.pool.query("INSERT INTO medzen.erasable_kind VALUES ('patient', now())");
      const write = other.pool.query("INSERT INTO public.visit VALUES (1, 'p1'), (2, 'p2')");
      await expect(write).rejects.toMatchObject({ code: 'MZ002' });
      const again = other.pool.query("SELECT medzen.audit_table('public.visit', 'patient', 'statement')");
      await expect(again).rejects.toMatchObject({ code: 'MZ002' });
      await other.pool.query("SELECT medzen.audit_table('public.visit', 'patient')");
      await other.pool.query("INSERT INTO public.visit VALUES (1, 'p1'), (2, 'p2')");
    } finally {
      await other.drop();
    }
  });

  test('off again, leaves what was made and makes no more', async () => {
    const other = await freshDatabase();
    try {
      const { audit, identities } = sqlStores(pgWire(other.pool));
      await other.pool.query("SELECT medzen.keep_erasable('patient')");
      const [first, second] = [event(), event({ patient: 'patient-2' })];
      await audit.append(scope, [first]);
      await other.pool.query('SELECT medzen.keep_erasable()');
      await audit.append(scope, [first, second]);
      expect(await identities.kinds()).toEqual([]);
      expect((await audit.search(scope, { patient: 'patient-1' })).events).toHaveLength(1);
      expect((await audit.search(scope, { patient: 'patient-2' })).events).toEqual([second]);
    } finally {
      await other.drop();
    }
  });
});

describe('a legal hold', () => {
  test('on a patient keeps who is named beside them, and the events from a purge', async () => {
    const other = await freshDatabase();
    try {
      const { audit, identities, recordings } = sqlStores(pgWire(other.pool));
      await other.pool.query("SELECT medzen.keep_erasable('patient', 'user')");
      const samples = createSamples({ scope });
      const sealed = event();
      await audit.append(scope, [sealed]);
      await other.pool.query('INSERT INTO medzen.audit_leaf VALUES (0, $1)', [sealed.id]);
      const held = async (): Promise<unknown> =>
        (await other.pool.query('SELECT medzen.is_archive_held(0, 1) AS held')).rows[0]?.held;
      expect(await held()).toBe(false);
      const placed = samples.hold({ patient: 'patient-1' });
      await recordings.placeHold(scope, placed, event({ action: 'hold.place', kind: 'create', patient: 'patient-1' }));
      expect(await held()).toBe(true);
      for (const [kind, value] of [['patient', 'patient-1'] as const, ['user', 'provider-1'] as const]) {
        const [pseudonym = ''] = await identities.pseudonyms(scope, { kind, value });
        const order = { kind, value, despiteRetention: true };
        expect(await identities.erase(scope, order, erasing(pseudonym))).toEqual({ status: 'held' });
      }
    } finally {
      await other.drop();
    }
  });
});

describe('who may', () => {
  test('nobody reads or changes the table, not even its owner', async () => {
    await stores().audit.append(scope, [event()]);
    for (const role of ['medzen_app', 'medzen_sequencer', 'medzen_auditor'])
      await expect(
        db.open({ options: `-c role=${role}` }).query('TABLE medzen.erasable_identity'),
      ).rejects.toMatchObject({
        code: '42501',
      });
    for (const sql of [
      'DELETE FROM medzen.erasable_identity',
      "UPDATE medzen.erasable_identity SET value = 'x'",
      'TRUNCATE medzen.erasable_identity',
    ])
      await expect(db.pool.query(sql)).rejects.toMatchObject({ code: 'MZ004' });
  });

  test('the service erases, the auditor reads who is meant, and neither goes past the pseudonyms', async () => {
    const service = stores('medzen_app');
    await service.audit.append(scope, [event({ patient: 'patient-9' })]);
    const identity = { kind: 'patient', value: 'patient-9' } as const;
    const auditor = stores('medzen_auditor');
    const [pseudonym = ''] = await auditor.identities.pseudonyms(scope, identity);
    expect(await auditor.identities.reveal(scope, [pseudonym])).toEqual({ [pseudonym]: 'patient-9' });
    expect((await auditor.audit.search(scope, { patient: 'patient-9' })).events).toHaveLength(1);
    const order = { ...identity, despiteRetention: true };
    await expect(auditor.identities.erase(scope, order, erasing(pseudonym))).rejects.toMatchObject({
      code: 'invalid_configuration',
    });
    expect(await service.identities.erase(scope, order, erasing(pseudonym))).toEqual({ status: 'erased' });
    for (const name of ['append_written_events', 'search_written_events'])
      expect(
        (
          await db.pool.query(
            `SELECT has_function_privilege('medzen_app', p.oid, 'EXECUTE') AS may FROM pg_proc p
             WHERE p.pronamespace = 'medzen'::regnamespace AND p.proname = $1`,
            [name],
          )
        ).rows,
      ).toEqual([{ may: false }]);
  });
});
