import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import type { AuditStore, ObjectStore, RecordingStore, Stores } from '@medzen/core';
import { installSql, pgliteWire, pgWire, sqlStores } from '@medzen/sql';
import { type FaultPlan, faulty } from '@medzen/testing';
import { freshDatabase } from '../../../test/postgres.ts';
import { type Answer, type Client, createClient } from './demo/client.ts';
import { type MovingClock, movingClock } from './demo/moving-clock.ts';
import type { Person } from './local-issuer.ts';
import { people, visits as seed } from './seed.ts';
import { type Stage, type StageOptions, setStage } from './stage.ts';
import type { Visit } from './visits.ts';

/** Faults to inject; set a member to begin, delete it to end. */
interface Faults {
  readonly audit: { -readonly [M in keyof FaultPlan<AuditStore>]: FaultPlan<AuditStore>[M] };
  readonly recordings: { -readonly [M in keyof FaultPlan<RecordingStore>]: FaultPlan<RecordingStore>[M] };
  readonly objects: { -readonly [M in keyof FaultPlan<ObjectStore>]: FaultPlan<ObjectStore>[M] };
}

/** A visit of one test's own, with a patient of its own. */
export interface Appointment {
  readonly visit: Visit;
  readonly patient: Person;
  readonly provider: Person;
}

/** The app on a database of its own. */
export interface TestStage extends Stage {
  readonly clock: MovingClock;
  readonly client: Client;
  readonly people: typeof people;
  readonly faults: Faults;
  readonly stores: Stores;
  /** Rows of a query of the database's owner, past every store. */
  sql(text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  moveTo(instant: Date): Promise<void>;
  /** One that no other test has. */
  appointment(): Appointment;
  /** Consents of both, and a recording that goes on. @returns its id */
  begin(appointment: Appointment): Promise<string>;
  /** The room ends, Twilio composes and tells, the media is copied. */
  finish(appointment: Appointment): Promise<void>;
  /** The database is gone; `close` still cleans up. */
  closeDatabase(): Promise<void>;
  /** Delivers what Twilio would have sent by now. */
  deliverAll(): Promise<readonly Answer[]>;
}

/** A database to run on. */
export interface Backend {
  readonly name: string;
  open(options?: { readonly install?: boolean }): Promise<{
    readonly stores: Stores;
    /** For a process of one's own; only a server has one. */
    readonly url?: string;
    sql(text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
    close(): Promise<void>;
  }>;
}

/** Databases that were migrated once in this process, to be copied: by whether they were. */
const snapshots = new Map<boolean, Promise<Blob | File>>();

async function snapshotOf(install: boolean): Promise<Blob | File> {
  const db = await PGlite.create();
  if (install) await installSql(db, { test: true });
  const copy = await db.dumpDataDir('none');
  await db.close();
  return copy;
}

/** PGlite, as the demo has it. */
export const pglite: Backend = {
  name: 'PGlite',
  open: async ({ install = true } = {}) => {
    const snapshot = snapshots.get(install) ?? snapshotOf(install);
    snapshots.set(install, snapshot);
    const db = await PGlite.create({ loadDataDir: await snapshot });
    return {
      stores: sqlStores(pgliteWire(db)),
      sql: async (text, values = []) => (await db.query<Record<string, unknown>>(text, [...values])).rows,
      close: () => db.close(),
    };
  },
};

/** A real server. */
export const postgres: Backend = {
  name: 'Postgres',
  open: async ({ install = true } = {}) => {
    const db = await freshDatabase({ install, test: install });
    return {
      stores: sqlStores(pgWire(db.pool)),
      url: db.url,
      sql: async (text, values = []) => (await db.pool.query(text, [...values])).rows as Record<string, unknown>[], // rows by column name
      close: () => db.drop(),
    };
  },
};

/** Opens the app on a fresh database. */
export async function openTestStage(
  backend: Backend,
  options: Pick<StageOptions, 'checkpointSeed'> & { readonly install?: boolean } = {},
): Promise<TestStage & { readonly url?: string; readonly dir: string }> {
  const { install = true, ...rest } = options;
  const dir = mkdtempSync(join(tmpdir(), 'medzen-test-'));
  const database = await backend.open({ install });
  const clock = movingClock(new Date('2026-11-23T15:00:00Z'));
  const setDatabaseClock = async (): Promise<void> => {
    if (install) await database.sql('SELECT medzen.set_test_clock($1)', [clock.now().toISOString()]);
  };
  await setDatabaseClock();
  const faults: Faults = { audit: {}, recordings: {}, objects: {} };
  const stores: Stores = {
    ...database.stores,
    audit: faulty(database.stores.audit, faults.audit),
    recordings: faulty(database.stores.recordings, faults.recordings),
  };
  const stage = await setStage({
    ...rest,
    stores,
    clock,
    dir,
    visits: appointments,
    wrapObjects: (objects) => faulty(objects, faults.objects),
  });
  const client = createClient(stage.baseUrl, stage.issuer);
  let next = 0;
  let closed: Promise<void> | undefined;
  const closeDatabase = (): Promise<void> => {
    closed ??= database.close();
    return closed;
  };
  const test: TestStage = {
    ...stage,
    stores,
    clock,
    client,
    people,
    faults,
    sql: database.sql,
    moveTo: async (instant) => {
      clock.set(instant);
      await setDatabaseClock();
    },
    appointment: () => {
      const visit = stage.visits[next++];
      if (visit === undefined) throw new Error('This file needs more appointments');
      const [, provider] = visit.participants;
      return {
        visit,
        patient: { ...people.patient, id: visit.patient },
        provider: { ...people.provider, id: provider?.id ?? '' },
      };
    },
    begin: (appointment) => begin(test, appointment),
    finish: (appointment) => finish(test, appointment),
    deliverAll: () => deliverAll(test),
    closeDatabase,
    close: async () => {
      await stage.close();
      await closeDatabase();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return { ...test, ...(database.url === undefined ? {} : { url: database.url }), dir };
}

/** Forty visits of forty patients with forty providers. */
const appointments: readonly Visit[] = Array.from({ length: 40 }, (_, i) => {
  const patient = `patient-${i + 1}`;
  const [template] = seed;
  if (template === undefined) throw new Error('The seed has no visit');
  return {
    ...template,
    id: `visit-${i + 1}`,
    patient,
    participants: [
      { id: patient, role: 'patient', location: 'US-GA' },
      { id: `provider-${i + 1}`, role: 'provider', location: 'US-GA' },
    ],
  };
});

/** What a participant says who agrees to all. */
export const agreed = {
  acknowledgements: { recording: true, storage: true, access: true, retention: true },
  textVersion: '2026-11',
} as const;

function must(answer: Answer, status: number): Answer {
  if (answer.status !== status)
    throw new Error(`Expected ${status}, got ${answer.status}: ${new TextDecoder().decode(answer.bytes)}`);
  return answer;
}

async function begin({ client }: TestStage, { visit, patient, provider }: Appointment): Promise<string> {
  for (const person of [patient, provider])
    must(await client.call('POST', `/visits/${visit.id}/consent`, { as: person, body: agreed }), 201);
  return must(await client.call('POST', `/visits/${visit.id}/recording`, { as: provider }), 201).text('id');
}

async function finish(stage: TestStage, { visit }: Appointment): Promise<void> {
  stage.twilio.endRoom(visit.roomSid);
  await deliverAll(stage);
  stage.twilio.finishCompositions(visit.roomSid);
  await deliverAll(stage);
  await stage.app.services.background.settled();
}

async function deliverAll({ twilio, client }: TestStage): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (const { url, headers, body } of twilio.outbox.splice(0))
    answers.push(await client.send(url, { method: 'POST', headers, body }));
  return answers;
}
