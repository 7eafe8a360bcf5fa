import { type SealedEvent, sealEvent } from '@medzen/core';
import { ask } from './ask.ts';
import type { Connection } from './demo-database.ts';
import { expect, expectEqual } from './expect.ts';
import type { Story } from './story.ts';
import { short } from './words.ts';

const refused = 'patient-efua';

/** The host's own write and its audit event: both or neither. */
export async function together(story: Story): Promise<void> {
  const { transaction, admit } = story.world.database;
  story.tell.chapter("The host's own write and its event: both, or neither");
  if (transaction !== undefined) await inTransaction(story, transaction);
  if (admit !== undefined) await inFunction(story, admit);
}

/** The wire takes part in a transaction of the host. */
async function inTransaction(
  { world, tell }: Story,
  transaction: NonNullable<Connection['transaction']>,
): Promise<void> {
  const { people, clock, database } = world;
  const { id: actor, tenant } = people.provider;
  const add = (id: string, event: SealedEvent, end: () => Promise<void>): Promise<void> =>
    transaction(async ({ addPatient, stores }) => {
      await addPatient(id, 'Someone');
      const { status } = await stores.audit.append({ tenant }, [event]);
      expectEqual(status, 'pending-commit', 'What the store says of the event');
      await end();
    });
  const created = (id: string): SealedEvent =>
    sealEvent(
      {
        tenant,
        action: 'patient.create',
        kind: 'create',
        outcome: 'success',
        actor: { id: actor, type: 'user', role: 'provider' },
        patient: id,
        target: { type: 'patient', id },
        purpose: 'TREAT',
        source: {},
      },
      { clock },
    );

  const kept = created(people.patient.id);
  await add(people.patient.id, kept, async () => undefined);
  expectEqual(await found(database, people.patient.id), `1 row, 1 event by ${actor}`, 'After the commit');
  tell.step('a patient is added, and the host commits', `1 row, 1 event ${short(kept.id)}`);

  const undone = new Error('The host thinks better of it');
  const lost = add(refused, created(refused), () => Promise.reject(undone));
  expect((await lost.catch((error: unknown) => error)) === undone, 'The transaction was to be rolled back');
  expectEqual(await found(database, refused), '0 row, 0 event by nobody', 'After the roll-back');
  tell.step('another one, but the host rolls back', '0 rows, 0 events');
}

/** Each call is a transaction of its own: a SQL function of the host's writes both. */
async function inFunction({ world, tell }: Story, admit: NonNullable<Connection['admit']>): Promise<void> {
  const { people, database } = world;
  tell.note('Each request is a transaction of its own here: there is none of the host to take part in.');
  tell.note('So a SQL function of the host writes both. Who did it, the database takes from the token.');
  const kept = await admit(people.provider, people.patient.id, 'Someone');
  expectEqual(await found(database, people.patient.id), `1 row, 1 event by ${people.provider.id}`, 'After the call');
  tell.step('a patient is added by the provider', `1 row, 1 event ${short(kept)}`);

  const failed = await admit(people.provider, refused, '').catch((error: unknown) => error);
  expect(failed instanceof Error, 'A patient without a name was added');
  expectEqual(await found(database, refused), '0 row, 0 event by nobody', 'After the refusal');
  tell.step('another one, but the table refuses the row', '0 rows, 0 events');
}

/** What of a patient is in the database, past every store. */
async function found({ owner }: Story['world']['database'], patient: string): Promise<string> {
  const rows = await ask(owner, 'SELECT count(*) FROM patient WHERE id = $1', [patient]);
  const events = await ask(
    owner,
    `SELECT count(*) || ' event by ' || coalesce(min(actor), 'nobody') FROM medzen.audit_event
     WHERE patient = $1 AND action = 'patient.create'`,
    [patient],
  );
  return `${rows} row, ${events}`;
}
