import { type SealedEvent, sealEvent } from '@medzen/core';
import { ask } from './ask.ts';
import { expect, expectEqual } from './expect.ts';
import type { Story } from './story.ts';
import { short } from './words.ts';

/** The host's own write and its audit event: both or neither. */
export async function together({ world, tell }: Story): Promise<void> {
  const { people, database, clock } = world;
  const { owner, transaction } = database;
  const { tenant, id: provider } = people.provider;
  tell.chapter("The host's own write and its event: both, or neither");

  if (transaction === undefined) {
    tell.step('each call is a transaction of its own here', 'so there is none of the host to take part in');
    tell.note('Where both must commit together: in one SQL function of yours, called by rpc. See');
    tell.note('packages/adapters-supabase/README.md');
    return;
  }

  const created = (patient: string): SealedEvent =>
    sealEvent(
      {
        tenant,
        action: 'patient.create',
        kind: 'create',
        outcome: 'success',
        actor: { id: provider, type: 'user', role: 'provider' },
        patient,
        target: { type: 'patient', id: patient },
        purpose: 'TREAT',
        source: {},
      },
      { clock },
    );
  const admit = (patient: string, event: SealedEvent, end: () => Promise<void>): Promise<void> =>
    transaction(async ({ addPatient, stores }) => {
      await addPatient(patient, 'Someone');
      const { status } = await stores.audit.append({ tenant }, [event]);
      expectEqual(status, 'pending-commit', 'What the store says of the event');
      await end();
    });
  const count = async (patient: string, event: SealedEvent): Promise<string> => {
    const rows = await ask(owner, 'SELECT count(*) FROM patient WHERE id = $1', [patient]);
    const events = await ask(owner, 'SELECT count(*) FROM medzen.audit_event WHERE id = $1', [event.id]);
    return `${rows} row, ${events} event`;
  };

  const kept = created(people.patient.id);
  await admit(people.patient.id, kept, async () => undefined);
  const both = await count(people.patient.id, kept);
  expectEqual(both, '1 row, 1 event', 'After the commit');
  tell.step('a patient is added, and the host commits', `${both} ${short(kept.id)}`);

  const lost = created('patient-efua');
  const undone = new Error('The host thinks better of it');
  const rolledBack = await admit('patient-efua', lost, () => Promise.reject(undone)).then(
    () => false,
    (error: unknown) => error === undone,
  );
  expect(rolledBack, 'The transaction was to be rolled back');
  const neither = await count('patient-efua', lost);
  expectEqual(neither, '0 row, 0 event', 'After the roll-back');
  tell.step('another one, but the host rolls back', '0 rows, 0 events');
}
