import { type CallContext, draftEvent, openEvent, type SealedEvent, type Stores, sealEvent } from '@medzen/core';
import { actorSettings, pgWire, sqlStores } from '@medzen/sql';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { prismaStores, prismaWire, withActor } from './index.ts';
import { type HostClient, hostClient, hostSql } from './prisma-client.fixture.ts';

const ctx: CallContext = {
  scope: { tenant: 'clinic-a' },
  actor: { id: 'dr-1', type: 'user', roles: ['provider', 'admin'], tenant: 'clinic-a' },
  source: { ip: '192.0.2.7', userAgent: 'NUL \u0000, snow ❄' },
  purpose: 'BTG',
  reason: 'Unconscious patient',
};

/** What the host does inside its transaction, by the driver at hand. */
interface Inside {
  readonly stores: Stores;
  query(text: string, ...values: string[]): Promise<readonly unknown[]>;
}

/** A host's way to open a transaction in which Postgres knows who acts. */
type Transaction = (work: (inside: Inside) => Promise<void>, caller?: CallContext) => Promise<void>;

let db: FreshDatabase;
let prisma: HostClient;
let pool: pg.Pool;
beforeAll(async () => {
  db = await freshDatabase();
  await db.pool.query(hostSql);
  await db.pool.query("SELECT medzen.audit_table('patient', 'id')");
  // One connection for the host and one for the root: what leaks is found by the next.
  prisma = await hostClient(db.url, 2);
  pool = db.open({ max: 2 });
});
afterAll(async () => {
  await prisma.$disconnect();
  await db.drop();
});

const overPrisma: Transaction = (work, caller = ctx) =>
  withActor(prisma, caller, (tx) =>
    work({
      stores: prismaStores(tx, { root: prismaWire(prisma) }),
      query: async (text, ...values) => (await tx.$queryRawUnsafe(text, ...values)) as unknown[], // rows
    }),
  );

const overPg: Transaction = async (work, caller = ctx) => {
  const settings = actorSettings(caller);
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(settings);
    await work({
      stores: sqlStores(pgWire(client, { root: pgWire(pool) })),
      query: async (text, ...values) => (await client.query(text, values)).rows,
    });
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
};

function event(patient: string, kind: 'create' | 'read', outcome: 'success' | 'denied' = 'success'): SealedEvent {
  return sealEvent(draftEvent({ action: `patient.${kind}`, kind, outcome, patient }, ctx));
}

/** What a transaction left: the host's row, the events of the change (by the library, and by the table's trigger), those of a read and a refusal. */
async function left(patient: string): Promise<object> {
  const one = async (text: string): Promise<unknown> => (await db.pool.query(text, [patient])).rows[0]?.n;
  const count = (action: string, outcome = 'success'): Promise<unknown> =>
    one(
      `SELECT count(*)::int AS n FROM medzen.audit_event WHERE patient = $1 AND action = '${action}' AND outcome = '${outcome}'`,
    );
  return {
    row: await one('SELECT count(*)::int AS n FROM patient WHERE id = $1'),
    change: await count('patient.create'),
    trigger: await count('table.write'),
    read: await count('patient.read'),
    denial: await count('patient.read', 'denied'),
  };
}

/** The host's write, which the table's trigger records, an event of the library's own, and a read and a refusal beside it. */
async function admit({ stores: { audit }, query }: Inside, patient: string): Promise<void> {
  await query('INSERT INTO patient VALUES ($1, $2)', patient, 'Someone');
  expect(await audit.append(ctx.scope, [event(patient, 'create')])).toEqual({ status: 'pending-commit' });
  const alone = { durability: 'independent' } as const;
  expect(await audit.append(ctx.scope, [event(patient, 'read')], alone)).toEqual({ status: 'durable' });
  expect(await audit.append(ctx.scope, [event(patient, 'read', 'denied')], alone)).toEqual({ status: 'durable' });
}

describe.each<[string, Transaction]>([
  ['an interactive transaction of Prisma', overPrisma],
  ['a BEGIN of pg', overPg],
])('%s', (host, transaction) => {
  const id = (what: string): string => `${host} ${what}`;

  test('that commits leaves the row and the events of the change, of the read and of the denial', async () => {
    await transaction((inside) => admit(inside, id('commits')));
    expect(await left(id('commits'))).toEqual({ row: 1, change: 1, trigger: 1, read: 1, denial: 1 });
    const { events } = await prismaStores(prisma).audit.search(ctx.scope, {
      patient: id('commits'),
      action: 'table.write',
    });
    expect(events.map(({ body }) => openEvent(body))).toMatchObject([
      {
        actor: { id: 'dr-1', type: 'user', role: 'provider,admin' },
        source: { ip: '192.0.2.7' },
        purpose: 'BTG',
        reason: 'Unconscious patient',
      },
    ]);
  });

  test('that rolls back leaves neither row nor change event; those of the read and the denial stay', async () => {
    const done = transaction(async (inside) => {
      await admit(inside, id('rolls back'));
      throw new Error('the host thinks better of it');
    });
    await expect(done).rejects.toThrow('thinks better');
    expect(await left(id('rolls back'))).toEqual({ row: 0, change: 0, trigger: 0, read: 1, denial: 1 });
  });

  test('that fails in the database leaves the same', async () => {
    const done = transaction(async (inside) => {
      await admit(inside, id('fails'));
      await inside.query('SELECT 1 / 0 AS n');
    });
    await expect(done).rejects.toThrow();
    expect(await left(id('fails'))).toEqual({ row: 0, change: 0, trigger: 0, read: 1, denial: 1 });
  });

  test('tells Postgres who acts, from where and why, until its end', async () => {
    const read = `SELECT medzen.current_subject() AS subject, medzen.current_tenant() AS tenant, medzen.current_actor()::text AS actor,
      medzen.current_source()::text AS source, medzen.current_context()::text AS context`;
    const told: unknown[] = [];
    await transaction(async ({ query }) => {
      told.push(...(await query(read)));
    });
    const [{ subject, tenant, actor, source, context }] = told as [Record<string, string>]; // one row of text
    expect({ subject, tenant }).toEqual({ subject: 'dr-1', tenant: 'clinic-a' });
    expect(JSON.parse(actor ?? '')).toEqual({ id: 'dr-1', type: 'user', role: 'provider,admin' });
    expect(JSON.parse(source ?? '')).toEqual({ ip: '192.0.2.7', userAgent: 'NUL \ufffd, snow ❄' });
    expect(JSON.parse(context ?? '')).toMatchObject({ purpose: 'BTG', reason: 'Unconscious patient' });
  });

  test('leaves nothing of it to the next user of the connection, committed or rolled back', async () => {
    const pid = 'SELECT pg_backend_pid() AS pid';
    const used = new Set<string>();
    await transaction(async ({ query }) => {
      used.add(JSON.stringify(await query(pid)));
    });
    await transaction(async ({ query }) => {
      used.add(JSON.stringify(await query(pid)));
      throw new Error('back');
    }).catch(() => undefined);
    const settings = `${pid}, current_setting('medzen.actor', true) AS actor, current_setting('medzen.context', true) AS context,
      pg_advisory_xact_lock_shared(7)::text`; // each waits for the other, so that two take both connections
    const gate = await db.connect();
    await gate.query('SELECT pg_advisory_lock(7)');
    const ask = async (): Promise<unknown> =>
      transaction === overPg ? (await pool.query(settings)).rows : prisma.$queryRawUnsafe(settings);
    const asking = Promise.all([ask(), ask()]);
    const waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted";
    while (((await gate.query(waiting)).rowCount ?? 0) < 2);
    await gate.query('SELECT pg_advisory_unlock(7)');
    const found = (await asking).flat() as Record<string, unknown>[]; // rows
    expect(found.map(({ actor, context }) => [actor ?? '', context ?? ''])).toEqual([
      ['', ''],
      ['', ''],
    ]);
    const asked = found.map(({ pid: of }) => JSON.stringify([{ pid: of }]));
    expect([...used].filter((of) => !asked.includes(of))).toEqual([]);
    const { rows } = await db.pool.query('SELECT medzen.current_subject() AS subject');
    expect(rows).toEqual([{ subject: null }]);
  });

  test('for a caller of whom no event can be made is not opened', async () => {
    const { reason: _, ...urgent } = ctx;
    let ran = false;
    const work = async (): Promise<void> => {
      ran = true;
    };
    await expect(async () => transaction(work, urgent)).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(async () => transaction(work, { ...ctx, actor: { ...ctx.actor, id: '' } })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    expect(ran).toBe(false);
  });
});

describe('withActor', () => {
  test('is not for a transaction that is open already', async () => {
    const nested = prisma.$transaction(async (tx) => withActor(tx as HostClient, ctx, async () => undefined));
    await expect(nested).rejects.toMatchObject({ code: 'invalid_configuration' });
  });

  test('speaks to the schema that was installed', async () => {
    const found = await withActor(
      prisma,
      ctx,
      (tx) => Promise.resolve(tx.$queryRawUnsafe("SELECT current_setting('acme.actor') AS actor")),
      { schema: 'acme', timeout: 10_000 },
    );
    expect(found).toEqual([{ actor: 'dr-1' }]);
  });

  test('says that the store is not there, and not where it looked', async () => {
    const gone = await hostClient('postgres://someone:secret@127.0.0.1:1/none');
    await expect(withActor(gone, ctx, async () => undefined)).rejects.toThrow();
  });
});
