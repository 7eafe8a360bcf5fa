import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import type { Logger } from '@medzen/core';
import { installSql } from '@medzen/sql';
import { openDatabase } from '../database.ts';
import { patientBirth, people } from '../seed.ts';
import { type Stage, type StageOptions, setStage } from '../stage.ts';
import type { Visit } from '../visits.ts';
import { type Client, createClient } from './client.ts';
import { type MovingClock, movingClock } from './moving-clock.ts';

/** Where the story takes place. */
export interface World extends Stage {
  readonly people: typeof people;
  readonly birth: typeof patientBirth;
  readonly visit: Visit;
  readonly clock: MovingClock;
  readonly client: Client;
  readonly dir: string;
  /** The owner's way into the database, past every store and guard. */
  readonly db: PGlite;
  /** Migrations that were applied. */
  readonly applied: readonly string[];
  /** Moves the clocks of the process and of the database. */
  moveTo(instant: Date): Promise<void>;
  /** Asks for a change as the owner of the database may. @returns why it was refused */
  tryUpdate(eventId: string): Promise<string>;
  /** Changes one stored byte of an event behind the library's back. @returns puts it back */
  damage(eventId: string): Promise<() => Promise<void>>;
}

/** Opens everything: an embedded Postgres in memory, a folder for media, and the stage. */
export async function openWorld(
  start: Date,
  options: Pick<StageOptions, 'tries' | 'before'> & { readonly logger?: Logger } = {},
): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'medzen-demo-'));
  const clock = movingClock(start);
  const database = await openDatabase();
  const { db } = database;
  // The clock that can be moved is a migration of its own, which no database in service has.
  const applied = await installSql(db, { test: true });
  clock.set(start);
  const setDatabaseClock = (): Promise<unknown> =>
    db.query('SELECT medzen.set_test_clock($1)', [clock.now().toISOString()]);
  await setDatabaseClock();
  const stage = await setStage({ ...options, stores: database.stores, clock, dir });
  const [visit] = stage.visits;
  if (visit === undefined) throw new Error('The seed has no visit');
  return {
    ...stage,
    people,
    birth: patientBirth,
    visit,
    clock,
    client: createClient(stage.baseUrl, stage.issuer),
    dir,
    db,
    applied,
    moveTo: async (instant) => {
      clock.set(instant);
      await setDatabaseClock();
    },
    tryUpdate: (eventId) => tryUpdate(db, eventId),
    damage: (eventId) => damage(db, eventId),
    close: async () => {
      await stage.close();
      await database.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const flipOneBit = 'UPDATE medzen.audit_event SET body = set_byte(body, 20, get_byte(body, 20) # 1) WHERE id = $1';

async function tryUpdate(db: PGlite, eventId: string): Promise<string> {
  try {
    await db.query(flipOneBit, [eventId]);
    return 'It was not refused';
  } catch (error) {
    return String(error);
  }
}

/** What only an owner of the database can do: the triggers that refuse it are taken off for a moment. */
async function damage(db: PGlite, eventId: string): Promise<() => Promise<void>> {
  const flip = async (): Promise<void> => {
    await db.transaction(async (tx) => {
      await tx.exec('ALTER TABLE medzen.audit_event DISABLE TRIGGER USER');
      await tx.query(flipOneBit, [eventId]);
      await tx.exec('ALTER TABLE medzen.audit_event ENABLE TRIGGER USER');
    });
  };
  await flip();
  return flip;
}
