import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '@medzen/core';
import type { SqlClient } from '@medzen/sql';
import { patientBirth, people } from '../seed.ts';
import { type Stage, type StageOptions, setStage } from '../stage.ts';
import type { Visit } from '../visits.ts';
import { type Client, createClient } from './client.ts';
import type { DemoDatabase } from './demo-database.ts';
import { type MovingClock, movingClock } from './moving-clock.ts';
import { openWire, type WireName } from './wires.ts';

/** Where the story takes place. */
export interface World extends Stage {
  readonly people: typeof people;
  readonly birth: typeof patientBirth;
  readonly visit: Visit;
  readonly clock: MovingClock;
  readonly client: Client;
  readonly dir: string;
  readonly database: DemoDatabase;
  /** Moves the clocks of the process and of the database. */
  moveTo(instant: Date): Promise<void>;
  /** Asks for a change as the owner of the database may. @returns why it was refused */
  tryUpdate(eventId: string): Promise<string>;
  /** Changes one stored byte of an event behind the library's back. @returns puts it back */
  damage(eventId: string): Promise<() => Promise<void>>;
}

/** Opens everything: a database of the demo's own, a folder for media, and the stage. */
export async function openWorld(
  wire: WireName,
  start: Date,
  options: Pick<StageOptions, 'tries' | 'before'> & { readonly logger?: Logger } = {},
): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'medzen-demo-'));
  const clock = movingClock(start);
  const database = await openWire(wire);
  const { owner } = database;
  clock.set(start);
  const setDatabaseClock = (): Promise<unknown> =>
    owner.query('SELECT medzen.set_test_clock($1)', [clock.now().toISOString()]);
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
    database,
    moveTo: async (instant) => {
      clock.set(instant);
      await setDatabaseClock();
    },
    tryUpdate: (eventId) => tryUpdate(owner, eventId),
    damage: (eventId) => damage(owner, eventId),
    close: async () => {
      await stage.close();
      await database.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const flipOneBit = 'UPDATE medzen.audit_event SET body = set_byte(body, 20, get_byte(body, 20) # 1) WHERE id = $1';

async function tryUpdate(owner: SqlClient, eventId: string): Promise<string> {
  try {
    await owner.query(flipOneBit, [eventId]);
    return 'It was not refused';
  } catch (error) {
    return String(error);
  }
}

/** What only an owner of the database can do: the triggers that refuse it are taken off for a moment. */
async function damage(owner: SqlClient, eventId: string): Promise<() => Promise<void>> {
  const flip = async (): Promise<void> => {
    await owner.query('ALTER TABLE medzen.audit_event DISABLE TRIGGER USER');
    await owner.query(flipOneBit, [eventId]);
    await owner.query('ALTER TABLE medzen.audit_event ENABLE TRIGGER USER');
  };
  await flip();
  return flip;
}
