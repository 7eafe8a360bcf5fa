import { expect, expectEqual } from './expect.ts';
import type { Story } from './story.ts';
import { short } from './words.ts';

/** Everything is in the log, and the log cannot be altered unseen, not even by the owner of the database. */
export async function log({ world, tell }: Story): Promise<void> {
  const { client, people } = world;
  const verify = () => client.call('POST', '/audit/verify', { as: people.auditor });
  tell.chapter('The audit log: who, what, whose, why, from where');

  const page = await client.call('POST', '/audit/events/search', {
    as: people.auditor,
    body: { patient: people.patient.id, limit: 1000 },
  });
  const events = page.field('events');
  const count = Array.isArray(events) ? events.length : 0;
  tell.note('when     who              what                       outcome whose       why   from where');
  for (let i = count - 1; i >= 0; i--) tell.note(eventLine((path) => page.field(`events.${i}.${path}`)));

  const sealed = await client.call('POST', '/jobs/seal', { as: people.scheduler });
  expectEqual(sealed.status, 200, 'Sealing the log');
  const checkpoint = new TextDecoder().decode((await client.call('GET', '/audit/checkpoint')).bytes);
  const [origin, size, root] = checkpoint.split('\n');
  tell.step(`${size} events are sealed into a signed checkpoint`, `${origin}, root ${short(root ?? '')}`);

  const good = await verify();
  expectEqual(good.field('ok'), true, 'The log verifies');
  tell.step('the whole log verifies', `ok, ${good.field('size')} events`);

  const target = await client.call('POST', '/audit/events/search', {
    as: people.auditor,
    body: { action: 'recording.view', outcome: 'success' },
  });
  const eventId = target.text('events.0.id');
  const refusal = await world.tryUpdate(eventId);
  expect(refusal.includes('not allowed'), 'An UPDATE of an audit event was not refused');
  tell.step('the owner of the database tries an UPDATE', 'refused by a trigger');
  const restore = await world.damage(eventId);
  const bad = await verify();
  expectEqual(bad.field('ok'), false, 'The log verifies although a byte was changed');
  expectEqual(bad.field('findings.0.eventId'), eventId, 'The event that verification names');
  tell.step('…switches the trigger off and changes one byte', `verification: ${bad.text('findings.0.kind')}`);
  tell.note(`event ${eventId}, leaf ${bad.field('findings.0.index')}:`);
  tell.note(
    `${target.text('events.0.action')} by ${target.text('events.0.actor.id')} at ${target.text('events.0.at')}`,
  );

  await restore();
  const again = await verify();
  expectEqual(again.field('ok'), true, 'The log verifies after the byte was put back');
  tell.step('the byte is put back', `ok, ${again.field('size')} events`);
}

function eventLine(field: (path: string) => unknown): string {
  const text = (path: string, width: number): string => String(field(path) ?? '').padEnd(width);
  const at = text('at', 0).slice(11, 19);
  return `${at} ${text('actor.id', 16)} ${text('action', 26)} ${text('outcome', 7)} ${text('patient', 11)} ${text('purpose', 5)} ${text('source.ip', 0) || '-'}`.trimEnd();
}
