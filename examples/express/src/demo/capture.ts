import type { TwilioCallback } from '@medzen/testing/twilio-server';
import { expect, expectEqual } from './expect.ts';
import type { Story } from './story.ts';
import { short } from './words.ts';

/**
 * The provider records; Twilio tells what happened, late, twice and out of order; the media comes home.
 *
 * @returns the recording's id
 */
export async function capture({ world, tell }: Story): Promise<string> {
  const { client, people, visit, twilio, clip } = world;
  tell.chapter('The provider records; callbacks come late, twice and forged');

  const started = await client.call('POST', `/visits/${visit.id}/recording`, { as: people.provider });
  expectEqual(started.status, 201, 'Starting with the consent of all');
  const id = started.text('id');
  tell.step('the provider starts the recording', `201 id ${id}`);
  const again = await client.call('POST', `/visits/${visit.id}/recording`, { as: people.provider });
  expectEqual(again.status, 409, 'Starting twice');
  tell.step('…and starts it again', `409 ${again.text('code')}`);

  const [first, late] = take('recording-started');
  tell.note('X-Twilio-Signature covers the whole form and this very URL:');
  tell.note(first.url);
  await deliver(first, 'noted', 'Twilio: recording-started');
  await deliver(first, 'repeated', 'the same again: nothing changes');

  const forged = twilio.forged('recording-completed', { RoomSid: visit.roomSid, RecordingSid: `RT${'f'.repeat(32)}` });
  const refused = await post(forged);
  expectEqual(refused.status, 401, 'A forged callback');
  tell.step('a forged recording-completed', `401 ${refused.text('code')}`);

  await world.moveTo(new Date(world.clock.now().getTime() + 50 * 60_000));
  const stopped = await client.call('POST', `/recordings/${id}/stop`, { as: people.provider });
  expectEqual(stopped.field('state'), 'processing', 'The state after the stop');
  tell.step('50 minutes later the provider stops', `200 ${stopped.text('state')}`);
  const [completed] = take('recording-completed');
  await deliver(completed, 'noted', 'Twilio: recording-completed');
  twilio.endRoom(visit.roomSid);
  const [ended] = take('room-ended');
  await deliver(ended, 'noted', 'Twilio: room-ended; a composition is asked for');
  twilio.finishCompositions(visit.roomSid);
  const [available] = take('composition-available');
  await deliver(available, 'applied', 'Twilio: composition-available');
  await deliver(late, 'noted', 'recording-started, but 50 minutes late');

  tell.chapter('The media is copied home, and checked');
  await world.app.services.background.settled();
  const status = await client.call('GET', `/recordings/${id}`, { as: people.provider });
  expectEqual(status.field('state'), 'available', 'The state after the transfer');
  expectEqual(status.field('media.size'), clip.length, 'The size of what was stored');
  tell.step('streamed to the object store', `${status.field('media.size')} bytes, ${status.text('media.contentType')}`);
  const { versions } = await world.objects.listVersions('');
  const stored = versions.find(({ key }) => key.includes(id));
  expect(stored !== undefined, 'The object store has no object of the recording');
  const head = await world.objects.head(stored.key, stored.versionId);
  expectEqual(head && Buffer.from(head.sha256).toString('hex'), status.text('media.sha256'), 'SHA-256, read back');
  tell.step('its SHA-256, read back, is the one recorded', short(status.text('media.sha256')));
  const left = twilio.left(visit.roomSid);
  expectEqual(left.compositions.length + left.recordings.length, 0, 'Media left at the provider');
  tell.step('the copies at the provider are deleted', `${left.compositions.length + left.recordings.length} left`);
  tell.step('the recording can be watched', `state ${status.text('state')}`);
  return id;

  /** Callbacks of a kind that the stand-in would have sent by now. */
  function take(event: string): readonly [TwilioCallback, TwilioCallback] {
    const found = twilio.outbox.filter((callback) => callback.event === event);
    const [one, two = one] = found;
    expect(one !== undefined && two !== undefined, `Twilio sent no ${event}`);
    return [one, two];
  }

  function post(callback: TwilioCallback): ReturnType<typeof client.send> {
    return client.send(callback.url, { method: 'POST', headers: callback.headers, body: callback.body });
  }

  async function deliver(callback: TwilioCallback, becomes: string, what: string): Promise<void> {
    const answer = await post(callback);
    expectEqual(answer.status, 200, what);
    expectEqual(answer.field('results.0'), becomes, what);
    tell.step(what, `200 ${becomes}`);
  }
}
