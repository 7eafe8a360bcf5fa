import { expect, expectEqual } from './expect.ts';
import type { Story } from './story.ts';
import { short } from './words.ts';

const everything = { recording: true, storage: true, access: true, retention: true };

/** Nobody is recorded who has not said so. */
export async function consent({ world, tell }: Story): Promise<void> {
  const { client, people, visit } = world;
  tell.chapter('Consent comes first');

  const nobody = await client.call('POST', `/visits/${visit.id}/recording`);
  expectEqual(nobody.status, 401, 'A request without a token');
  tell.step('a request without a token', '401 unauthenticated');

  const early = await client.call('POST', `/visits/${visit.id}/recording`, { as: people.provider });
  expectEqual(early.status, 403, 'Starting before consent');
  expectEqual(early.field('code'), 'consent_required', 'Its code');
  tell.step('the provider starts before anyone consented', '403 consent_required');

  const denied = await client.call('POST', '/audit/events/search', {
    as: people.auditor,
    body: { action: 'recording.start', outcome: 'denied' },
  });
  expectEqual(denied.field('events.0.actor.id'), people.provider.id, 'The actor of the audited refusal');
  tell.step('…and the refusal is in the audit log', `event ${short(denied.text('events.0.id'))}`);

  await give(world.people.patient, 'the patient consents');
  const half = await client.call('POST', `/visits/${visit.id}/recording`, { as: people.provider });
  expectEqual(half.status, 403, 'Starting before the provider consented');
  expect(JSON.stringify(half.field('facts')).includes(people.provider.id), 'It does not say who is missing');
  tell.step('starting still waits for the other one', `403 missing: ${people.provider.id}`);
  await give(people.provider, 'the provider consents');

  async function give(person: typeof people.patient | typeof people.provider, what: string): Promise<void> {
    const answer = await client.call('POST', `/visits/${visit.id}/consent`, {
      as: person,
      body: { acknowledgements: everything, textVersion: '2026-11', location: 'US-GA' },
    });
    expectEqual(answer.status, 201, what);
    tell.step(what, `201, text 2026-11 sha256 ${short(answer.text('textSha256'))}`);
  }
}
