import { AsyncLocalStorage } from 'node:async_hooks';
import { type AuditEvent, type AuditStore, type CallContext, MedzenError, openEvent } from '@medzen/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { type ClinicClient, clinicModels, clinicSql, type Delegate } from './clinic.fixture.ts';
import { type AuditedModel, type AuditedModelsOptions, auditedModels, prismaStores } from './index.ts';
import { openClient } from './prisma-client.fixture.ts';

const scope = { tenant: 'clinic-a' };
const models: Record<string, AuditedModel> = {
  Patient: { patient: 'id', phi: ['name', 'weight'] },
  Note: { patient: 'patientId', phi: ['text'] },
  Finding: { patient: 'appointment.patientId', phi: ['code'] },
  Relative: { patient: 'id', phi: ['name'] },
};
const ctx: CallContext = {
  scope,
  actor: { id: 'dr-1', type: 'user', roles: ['provider'], tenant: scope.tenant },
  source: { ip: '192.0.2.7' },
};

describe.each([7, 6] as const)('over Prisma %i', (major) => {
  let db: FreshDatabase;
  let plain: ClinicClient;
  let prisma: ClinicClient;
  let calls: number[];
  let down: unknown;
  let asking: CallContext | undefined;

  /** The store over the plain client; counts its calls, and fails when told so. */
  function store(): AuditStore {
    const { audit } = prismaStores(plain);
    return {
      ...audit,
      async append(...call) {
        expect(call[2]).toEqual({ durability: 'independent' });
        if (down !== undefined) throw down;
        calls.push(call[1].length);
        return audit.append(...call);
      },
    };
  }

  function audited(client: ClinicClient = plain, options: Partial<AuditedModelsOptions> = {}): ClinicClient {
    return client.$extends(auditedModels({ models, audit: store(), context: () => asking, ...options }));
  }

  /** The events since the last look. */
  async function events(): Promise<AuditEvent[]> {
    const { rows } = await db.pool.query<{ body: Buffer }>('DELETE FROM seen RETURNING body');
    return rows.map(({ body }) => openEvent(body)).sort((a, b) => ((a.patient ?? '') < (b.patient ?? '') ? -1 : 1));
  }

  /** What was read of whom. */
  async function reads(): Promise<Record<string, readonly string[]>> {
    return Object.fromEntries((await events()).map(({ patient, fields }) => [patient ?? 'nobody', fields ?? []]));
  }

  /** The calls that Prisma hangs on a query. */
  function fluent(query: unknown): Delegate {
    return query as Delegate; // where it is, for the models of the fixture
  }

  beforeAll(async () => {
    db = await freshDatabase();
    await db.pool.query(clinicSql);
    await db.pool.query(`
    CREATE TABLE seen (body bytea);
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (NEW.body); RETURN NEW; END $$;
    CREATE TRIGGER see AFTER INSERT ON medzen.audit_event FOR EACH ROW EXECUTE FUNCTION see()`);
    plain = await openClient<ClinicClient>(clinicModels, db.url, { major });
  }, 120_000);
  afterAll(async () => {
    await plain.$disconnect();
    await db.drop();
  });
  beforeEach(async () => {
    calls = [];
    down = undefined;
    asking = ctx;
    prisma = audited();
    await db.pool.query('DELETE FROM seen');
  });

  describe('a read of PHI', () => {
    test('is one event: who, of whom, which fields, why, and never a value', async () => {
      const found = await prisma.patient.findUnique?.({ where: { id: 'p1' } });
      expect(found).toStrictEqual({ id: 'p1', name: 'Ada', mrn: 101, weight: 60, practiceId: 1 });
      const [event, ...others] = await events();
      expect(others).toEqual([]);
      expect(event).toMatchObject({
        tenant: 'clinic-a',
        action: 'table.read',
        kind: 'read',
        outcome: 'success',
        actor: { id: 'dr-1', type: 'user', role: 'provider' },
        patient: 'p1',
        purpose: 'TREAT',
        source: { ip: '192.0.2.7' },
        target: { type: 'model', id: 'Patient' },
        fields: ['Patient.name', 'Patient.weight'],
        detail: { operation: 'findUnique', rows: { Patient: 1 } },
      });
      expect(JSON.stringify(event)).not.toContain('Ada');
    });

    const where = { id: 'p1' };
    test.each<
      [string, (client: ClinicClient) => Promise<unknown> | undefined, unknown, Record<string, readonly string[]>]
    >([
      [
        'findFirst',
        (c) => c.patient.findFirst?.({ where, select: { name: true } }),
        { name: 'Ada' },
        { p1: ['Patient.name'] },
      ],
      [
        'findUniqueOrThrow',
        (c) => c.patient.findUniqueOrThrow?.({ where, select: { name: true } }),
        { name: 'Ada' },
        { p1: ['Patient.name'] },
      ],
      [
        'findFirstOrThrow',
        (c) => c.patient.findFirstOrThrow?.({ where, select: { name: true } }),
        { name: 'Ada' },
        { p1: ['Patient.name'] },
      ],
      [
        'findMany, one event a patient',
        (c) => c.note.findMany?.({ select: { text: true }, orderBy: { id: 'asc' } }),
        [{ text: 'cough' }, { text: 'rash' }, { text: 'fever' }, { text: 'test' }],
        { p1: ['Note.text'], p2: ['Note.text'], nobody: ['Note.text'] },
      ],
      [
        'a nested include',
        (c) =>
          c.patient.findUnique?.({
            where,
            select: { mrn: true, notes: { select: { text: true }, orderBy: { id: 'asc' } } },
          }),
        { mrn: 101, notes: [{ text: 'cough' }, { text: 'rash' }] },
        { p1: ['Note.text'] },
      ],
      [
        'models reached from one that is not audited, at any depth',
        (c) =>
          c.practice.findMany?.({
            include: {
              patients: {
                select: { mrn: true, appointments: { include: { findings: true } } },
                orderBy: { mrn: 'asc' },
              },
            },
          }),
        [
          {
            id: 1,
            title: 'North',
            patients: [
              {
                mrn: 101,
                appointments: [
                  { id: 1, room: 'A', patientId: 'p1', findings: [{ id: 1, code: 'R05', appointmentId: 1 }] },
                ],
              },
              {
                mrn: 102,
                appointments: [
                  { id: 2, room: 'B', patientId: 'p2', findings: [{ id: 2, code: 'R50', appointmentId: 2 }] },
                ],
              },
            ],
          },
        ],
        { p1: ['Finding.code'], p2: ['Finding.code'] },
      ],
      [
        'a patient told by a relation, which is taken out again',
        (c) => c.finding.findMany?.({ orderBy: { id: 'asc' } }),
        [
          { id: 1, code: 'R05', appointmentId: 1 },
          { id: 2, code: 'R50', appointmentId: 2 },
          { id: 3, code: 'Z00', appointmentId: 3 },
        ],
        { p1: ['Finding.code'], p2: ['Finding.code'], nobody: ['Finding.code'] },
      ],
      [
        'a patient told by a relation that the host loads itself',
        (c) =>
          c.finding.findUnique?.({ where: { id: 1 }, select: { code: true, appointment: { select: { room: true } } } }),
        { code: 'R05', appointment: { room: 'A' } },
        { p1: ['Finding.code'] },
      ],
      [
        'a relation there and back',
        (c) =>
          c.note.findUnique?.({
            where: { id: 3 },
            select: { text: true, patient: { select: { name: true, notes: { select: { topic: true } } } } },
          }),
        { text: 'fever', patient: { name: 'Bo', notes: [{ topic: 'lungs' }] } },
        { p2: ['Note.text', 'Patient.name'] },
      ],
      [
        'omit, of the key too',
        (c) => c.patient.findUnique?.({ where, omit: { id: true, weight: true } }),
        { name: 'Ada', mrn: 101, practiceId: 1 },
        { p1: ['Patient.name'] },
      ],
      [
        'a relation with a count',
        (c) =>
          c.practice.findUnique?.({
            where: { id: 1 },
            select: {
              _count: { select: { patients: true } },
              patients: { select: { name: true }, orderBy: { mrn: 'asc' } },
            },
          }),
        { _count: { patients: 2 }, patients: [{ name: 'Ada' }, { name: 'Bo' }] },
        { p1: ['Patient.name'], p2: ['Patient.name'] },
      ],
      [
        'a fluent call, and one of its kind further',
        (c) =>
          fluent(fluent(c.note.findUnique?.({ where: { id: 3 } })).patient?.()).notes?.({ select: { text: true } }),
        [{ text: 'fever' }],
        { p2: ['Note.text'] },
      ],
      [
        'a null, which tells as much',
        (c) => c.patient.findUnique?.({ where: { id: 'p3' }, select: { weight: true } }),
        { weight: null },
        { p3: ['Patient.weight'] },
      ],
      [
        'rows that an update returns',
        (c) => c.patient.update?.({ where, data: { mrn: 101 }, select: { name: true } }),
        { name: 'Ada' },
        { p1: ['Patient.name'] },
      ],
      [
        'rows that an upsert returns',
        (c) =>
          c.patient.upsert?.({ where, create: { id: 'p1', name: 'x', mrn: 1 }, update: {}, select: { name: true } }),
        { name: 'Ada' },
        { p1: ['Patient.name'] },
      ],
      [
        'rows that updateManyAndReturn returns',
        (c) =>
          c.note.updateManyAndReturn?.({ where: { topic: 'lungs' }, data: { topic: 'lungs' }, select: { text: true } }),
        expect.arrayContaining([{ text: 'cough' }, { text: 'fever' }]),
        { p1: ['Note.text'], p2: ['Note.text'] },
      ],
      [
        'the greatest of a field',
        (c) => c.patient.aggregate?.({ _max: { weight: true } }),
        { _max: { weight: 70 } },
        { nobody: ['Patient.weight'] },
      ],
      [
        'a sum of one patient',
        (c) => c.patient.aggregate?.({ where, _sum: { weight: true } }),
        { _sum: { weight: 60 } },
        { p1: ['Patient.weight'] },
      ],
      [
        'a sum of patients whose keys differ by case only',
        (c) => c.patient.aggregate?.({ where: { id: { equals: 'P1', mode: 'insensitive' } }, _sum: { weight: true } }),
        { _sum: { weight: 60 } },
        { nobody: ['Patient.weight'] },
      ],
      [
        'groups by PHI',
        (c) => c.note.groupBy?.({ by: ['text'], where: { topic: 'skin' }, _count: true }),
        [{ text: 'rash', _count: 1 }],
        { nobody: ['Note.text'] },
      ],
      [
        'groups by the patient',
        (c) =>
          c.note.groupBy?.({
            by: ['patientId'],
            where: { patientId: { not: null } },
            _max: { text: true },
            orderBy: { patientId: 'asc' },
          }),
        [
          { patientId: 'p1', _max: { text: 'rash' } },
          { patientId: 'p2', _max: { text: 'fever' } },
        ],
        { p1: ['Note.text'], p2: ['Note.text'] },
      ],
    ])('is recorded: %s', async (_, query, answer, told) => {
      expect(await query(plain)).toEqual(answer);
      expect(await query(prisma)).toStrictEqual(answer);
      expect(await reads()).toEqual(told);
    });

    test.each<[string, (client: ClinicClient) => Promise<unknown> | undefined]>([
      ['fields that are no PHI', (c) => c.patient.findMany?.({ select: { id: true, mrn: true } })],
      ['all PHI left out', (c) => c.patient.findMany?.({ omit: { name: true, weight: true } })],
      ['a read that finds nothing', (c) => c.patient.findUnique?.({ where: { id: 'nobody' } })],
      ['an empty list', (c) => c.note.findMany?.({ where: { topic: 'no such' } })],
      ['a count', (c) => c.patient.count?.({ where: { name: 'Ada' } })],
      ['a count of a field', (c) => c.patient.aggregate?.({ _count: { weight: true } })],
      [
        'a count beside rows',
        (c) => c.practice.findMany?.({ include: { _count: { select: { patients: { where: { name: 'Ada' } } } } } }),
      ],
      ['a model with none', (c) => c.practice.findMany?.()],
      ['a change that returns a number', (c) => c.note.updateMany?.({ where: { id: 1 }, data: { topic: 'lungs' } })],
    ])('is none: %s', async (_, query) => {
      expect(await query(prisma)).toEqual(await query(plain));
      expect(await events()).toEqual([]);
    });

    test('is none, and needs no caller, where no PHI is asked for', async () => {
      asking = undefined;
      expect(await prisma.patient.findMany?.({ select: { mrn: true }, orderBy: { mrn: 'asc' }, take: 1 })).toEqual([
        { mrn: 101 },
      ]);
      expect(await prisma.practice.findMany?.()).toHaveLength(1);
    });

    test('counts what a create returns of others, and not what the caller has just written', async () => {
      const data = { id: 10, text: 'new', topic: 'x', patientId: 'p2' };
      expect(await prisma.note.create?.({ data })).toEqual(data);
      expect(await reads()).toEqual({});
      await prisma.note.create?.({ data: { ...data, id: 11 }, include: { patient: { select: { name: true } } } });
      expect(await reads()).toEqual({ p2: ['Patient.name'] });
      expect(await prisma.note.delete?.({ where: { id: 10 } })).toEqual(data);
      expect(await reads()).toEqual({ p2: ['Note.text'] });
      await plain.note.delete?.({ where: { id: 11 } });
    });

    test('counts whom a create reaches by a fluent call, of its own model too', async () => {
      const created = prisma.relative.create?.({ data: { id: 2, name: 'new', ofId: 1 } });
      expect(await fluent(created).of?.()).toEqual({ id: 1, name: 'Eve', ofId: null });
      expect(await reads()).toEqual({ 1: ['Relative.name'] });
      await plain.relative.delete?.({ where: { id: 2 } });
    });

    test('does not name a key that is PHI itself where the caller did not ask for it', async () => {
      const client = audited(plain, { models: { Patient: { patient: 'mrn', phi: ['mrn', 'name'] } } });
      expect(await client.patient.findUnique?.({ where: { id: 'p1' }, select: { name: true } })).toStrictEqual({
        name: 'Ada',
      });
      expect(await reads()).toEqual({ 101: ['Patient.name'] });
    });

    test('of thousands of rows is one event a patient, a thousand a call', async () => {
      await db.pool.query(`
      INSERT INTO patient SELECT 'many-' || i, 'n', 10000 + i, 50, NULL FROM generate_series(1, 2500) i;
      INSERT INTO note SELECT 10000 + i, 't', 'many', 'many-' || (i % 2500 + 1) FROM generate_series(1, 5000) i`);
      const rows = await prisma.note.findMany?.({ where: { topic: 'many' }, select: { text: true } });
      expect(rows).toHaveLength(5000);
      expect(new Set((rows as object[]).flatMap((row) => Object.keys(row)))).toEqual(new Set(['text']));
      expect(calls).toEqual([1000, 1000, 500]);
      const seen = await events();
      expect(new Set(seen.map(({ patient }) => patient)).size).toBe(2500);
      expect(seen.every(({ detail }) => JSON.stringify(detail?.rows) === '{"Note":2}')).toBe(true);
      await db.pool.query("DELETE FROM note WHERE topic = 'many'; DELETE FROM patient WHERE id LIKE 'many-%'");
    });

    test('keeps callers apart who ask at the same time, also where Prisma joins their queries', async () => {
      const callers = new AsyncLocalStorage<CallContext>();
      const shared = audited(plain, { context: () => callers.getStore() });
      const as = (id: string) =>
        // A query of Prisma's starts when it is awaited, so that has to be inside.
        callers.run(
          { ...ctx, actor: { ...ctx.actor, id } },
          async () => await shared.patient.findUnique?.({ where: { id: 'p1' }, select: { name: true } }),
        );
      expect(await Promise.all([as('a'), as('b'), as('c')])).toStrictEqual(Array(3).fill({ name: 'Ada' }));
      expect((await events()).map(({ actor }) => actor.id).sort()).toEqual(['a', 'b', 'c']);
    });
  });

  describe('with other extensions', () => {
    const shout = {
      result: { patient: { shout: { needs: { name: true }, compute: ({ name }: { name: string }) => `${name}!` } } },
    };
    const label = {
      result: {
        patient: {
          label: {
            needs: { id: true, mrn: true },
            compute: ({ id, mrn }: { id: string; mrn: number }) => `${id}/${mrn}`,
          },
        },
      },
    };

    test.each<[string, (extension: object) => ClinicClient]>([
      ['before', (extension) => audited(plain.$extends(extension))],
      ['after', (extension) => prisma.$extends(extension)],
    ])('a field computed of PHI is a read of it, added %s', async (_, extend) => {
      const row = await extend(shout).patient.findUnique?.({ where: { id: 'p1' }, select: { shout: true } });
      expect(JSON.stringify(row)).toBe('{"shout":"Ada!"}');
      expect(await reads()).toEqual({ p1: ['Patient.name'] });
    });

    test('a field computed of the key that was added still is', async () => {
      const row = await prisma
        .$extends(label)
        .patient.findUnique?.({ where: { id: 'p1' }, select: { name: true, label: true } });
      expect(JSON.parse(JSON.stringify(row))).toEqual({ name: 'Ada', label: 'p1/101' });
      expect(await reads()).toEqual({ p1: ['Patient.name'] });
    });

    test('what one in between adds to the query is seen too', async () => {
      const adding = prisma.$extends({
        query: {
          practice: {
            findMany: ({ query }: { query: (args: object) => unknown }) => query({ include: { patients: true } }),
          },
        },
      });
      await adding.practice.findMany?.();
      expect(Object.keys(await reads())).toEqual(['p1', 'p2']);
      const keyless = prisma.$extends({
        query: {
          patient: { findMany: ({ query }: { query: (args: object) => unknown }) => query({ select: { name: true } }) },
        },
      });
      await expect(keyless.patient.findMany?.()).rejects.toMatchObject({ code: 'invalid_configuration' });
    });

    test('what the whole client leaves out is left out still', async () => {
      const terse = await openClient<ClinicClient>(clinicModels, db.url, {
        major,
        omit: { patient: { id: true, name: true } },
      });
      const client = audited(terse);
      const row = await client.patient.findUnique?.({ where: { id: 'p1' } });
      expect(JSON.parse(JSON.stringify(row))).toEqual({ mrn: 101, weight: 60, practiceId: 1 });
      expect(await reads()).toEqual({ p1: ['Patient.weight'] });
      await terse.$disconnect();
    });
  });

  describe('it fails closed', () => {
    const one = { where: { id: 'p1' } };

    test('without a caller: nothing is read, and no event is anonymous', async () => {
      asking = undefined;
      await expect(prisma.patient.findUnique?.(one)).rejects.toMatchObject({ code: 'unauthenticated' });
      await expect(prisma.practice.findMany?.({ include: { patients: true } })).rejects.toMatchObject({
        code: 'unauthenticated',
      });
      await expect(prisma.patient.aggregate?.({ _max: { name: true } })).rejects.toMatchObject({
        code: 'unauthenticated',
      });
      await expect(prisma.patient.update?.({ ...one, data: { mrn: 999 } })).rejects.toMatchObject({
        code: 'unauthenticated',
      });
      expect(await plain.patient.findUnique?.(one)).toMatchObject({ mrn: 101 });
      asking = { ...ctx, purpose: 'BTG' };
      await expect(prisma.patient.findUnique?.(one)).rejects.toMatchObject({ code: 'invalid_input' });
      expect(await events()).toEqual([]);
    });

    test('without a caller, in a sequential transaction, for all of it: nothing in it is done', async () => {
      asking = undefined;
      const together = prisma.$transaction([
        prisma.practice.updateMany?.({ data: { title: 'South' } }) ?? Promise.resolve(),
        prisma.patient.findUnique?.(one) ?? Promise.resolve(),
      ]);
      await expect(together).rejects.toMatchObject({ code: 'unauthenticated' });
      expect(await plain.practice.findMany?.()).toEqual([{ id: 1, title: 'North' }]);
    });

    test('when the store is down, whatever it throws', async () => {
      down = new MedzenError('store_unavailable', 'No connection');
      await expect(prisma.patient.findUnique?.(one)).rejects.toMatchObject({
        code: 'store_unavailable',
        retryable: true,
      });
      down = new Error('p1 Ada');
      const failed = await prisma.note.findMany?.().catch((error: unknown) => error);
      expect(failed).toMatchObject({ code: 'store_unavailable', message: 'The audit store did not answer' });
    });

    test('for a change that stands, and says that it does', async () => {
      down = new MedzenError('store_unavailable', 'No connection');
      const changed = prisma.patient.update?.({ where: { id: 'p2' }, data: { weight: 71 } });
      await expect(changed).rejects.toMatchObject({
        code: 'store_unavailable',
        retryable: false,
        message: /change was made/,
      });
      const together = prisma.$transaction([
        prisma.patient.update?.({ where: { id: 'p2' }, data: { weight: 71 } }) ?? Promise.resolve(),
      ]);
      await expect(together).rejects.toMatchObject({ code: 'store_unavailable', retryable: false });
      const beside = prisma.$transaction([
        prisma.practice.updateMany?.({ data: { title: 'North' } }) ?? Promise.resolve(),
        prisma.patient.findUnique?.(one) ?? Promise.resolve(),
      ]);
      await expect(beside).rejects.toMatchObject({ code: 'store_unavailable', retryable: false, message: /stands/ });
      const inside = prisma.$transaction(async (tx) =>
        tx.patient.update?.({ where: { id: 'p2' }, data: { weight: 99 } }),
      );
      await expect(inside).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
      expect(await plain.patient.findUnique?.({ where: { id: 'p2' } })).toMatchObject({ weight: 71 });
      await plain.patient.update?.({ where: { id: 'p2' }, data: { weight: 70 } });
    });

    test('with a store that is inside a transaction', async () => {
      const { audit } = prismaStores(plain);
      const joined: AuditStore = { ...audit, append: async () => ({ status: 'pending-commit' }) };
      await expect(audited(plain, { audit: joined }).patient.findUnique?.(one)).rejects.toMatchObject({
        code: 'invalid_configuration',
      });
    });

    test("but hands on Prisma's own errors as they are", async () => {
      const missing = { where: { id: 'nobody' } };
      await expect(prisma.patient.findUniqueOrThrow?.(missing)).rejects.toMatchObject({
        code: 'P2025',
        name: 'PrismaClientKnownRequestError',
      });
      await expect(prisma.patient.findMany?.({ where: { nothing: 1 } })).rejects.toMatchObject({
        name: 'PrismaClientValidationError',
      });
      expect(await events()).toEqual([]);
    });
  });

  describe('in a transaction', () => {
    test('that rolls back, the event of the read stays', async () => {
      const done = prisma.$transaction(async (tx) => {
        await tx.patient.findUnique?.({ where: { id: 'p1' }, select: { name: true } });
        throw new Error('the host thinks better of it');
      });
      await expect(done).rejects.toThrow('thinks better');
      expect(await reads()).toEqual({ p1: ['Patient.name'] });
    });

    test('reads what it has written, and in a sequential one each query is recorded', async () => {
      await prisma
        .$transaction(async (tx) => {
          await tx.patient.update?.({ where: { id: 'p1' }, data: { name: 'Changed' }, select: { id: true } });
          expect(await tx.patient.findUnique?.({ where: { id: 'p1' }, select: { name: true } })).toEqual({
            name: 'Changed',
          });
          throw new Error('back');
        })
        .catch(() => undefined);
      await reads();
      const answers = await prisma.$transaction([
        prisma.patient.findUnique?.({ where: { id: 'p1' }, select: { name: true } }) ?? Promise.resolve(),
        prisma.note.findUnique?.({ where: { id: 3 }, select: { text: true } }) ?? Promise.resolve(),
      ]);
      expect(answers).toStrictEqual([{ name: 'Ada' }, { text: 'fever' }]);
      expect(await reads()).toEqual({ p1: ['Patient.name'], p2: ['Note.text'] });
    });
  });

  describe('$extends refuses', () => {
    test.each<[string, Record<string, AuditedModel>, RegExp]>([
      ['a model that is not there', { Person: { patient: 'id', phi: ['name'] } }, /no model Person/],
      ['a field that is not there', { Patient: { patient: 'id', phi: ['surname'] } }, /no field surname/],
      ['a relation as a field', { Patient: { patient: 'id', phi: ['notes'] } }, /no field notes/],
      ['no field at all', { Patient: { patient: 'id', phi: [] } }, /without a field/],
      ['a key that is not there', { Patient: { patient: 'uid', phi: ['name'] } }, /no field uid/],
      ['a way that leads nowhere', { Finding: { patient: 'appointment.uid', phi: ['code'] } }, /appointment\.uid/],
      ['a way over a value', { Finding: { patient: 'code.patientId', phi: ['code'] } }, /code\.patientId/],
      ['a relation as the key', { Note: { patient: 'patient', phi: ['text'] } }, /no field patient /],
    ])('%s', (_, wrong, message) => {
      expect(() => audited(plain, { models: wrong })).toThrowError(
        expect.objectContaining({ code: 'invalid_configuration', message: expect.stringMatching(message) }),
      );
    });

    test('a client that does not tell its models', () => {
      const extension = auditedModels({ models, audit: store(), context: () => ctx });
      expect(() => extension({})).toThrowError(expect.objectContaining({ code: 'invalid_configuration' }));
    });

    test('nothing of a way over a list, but the query does', async () => {
      const client = audited(plain, { models: { Practice: { patient: 'patients.id', phi: ['title'] } } });
      await expect(client.practice.findMany?.()).rejects.toMatchObject({ code: 'invalid_configuration' });
    });
  });
});
