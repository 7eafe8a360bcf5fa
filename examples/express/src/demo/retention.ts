import type { ObjectVersion } from '@medzen/core';
import { expect, expectEqual } from './expect.ts';
import type { Story } from './story.ts';
import { day, minute, short } from './words.ts';

const dayMs = 86_400_000;

/** Kept as long as the law asks, and then deleted with proof. */
export async function retention({ world, tell }: Story, id: string): Promise<void> {
  const { client, people, clock } = world;
  const sweep = () => client.call('POST', '/jobs/sweep', { as: people.scheduler });
  const status = async () => client.call('GET', `/recordings/${id}`, { as: people.officer });
  const remove = () =>
    client.call('DELETE', `/recordings/${id}`, { as: people.officer, body: { reason: 'storage clean-up' } });
  const fact = (body: object) =>
    client.call('POST', '/facts', { as: people.provider, body: { patient: people.patient.id, ...body } });
  tell.chapter('Years pass: kept as long as the law asks, then deleted with proof');

  const birth = await fact({ type: 'birth', ...world.birth });
  expectEqual(birth.status, 201, 'Noting the birth date');
  const refused = await remove();
  expectEqual(refused.status, 409, 'Deleting in the first week');
  expectEqual(refused.field('code'), 'retention_active', 'Its code');
  tell.step('a person asks to delete it', `409 retention_active until ${day(refused.text('facts.retainUntil'))}`);
  tell.note(`${refused.text('facts.ruleIds.0')}: ${refused.text('facts.citations.0')}`);

  await world.moveTo(new Date('2027-03-15T15:00:00Z'));
  const treated = await fact({ type: 'treatment', date: '2027-03-15', zone: world.birth.zone });
  expectEqual(treated.status, 201, 'Noting a treatment');
  await sweep();
  const moved = (await status()).text('retention.retainUntil');
  expectEqual(day(moved), '2034-03-16', 'Seven years from the new treatment');
  tell.step('2027-03-15: the patient is treated again', `kept until ${day(moved)}`);

  await world.moveTo(new Date(new Date(moved).getTime() - 1000));
  const early = await sweep();
  expectEqual(early.field('archived.0'), undefined, 'Archived a second too early');
  await world.moveTo(new Date(moved));
  const archived = await sweep();
  expectEqual(archived.field('archived.0'), id, 'Archived seven years after the last treatment');
  tell.step(`${minute(moved)}: archived by the sweep`, 'and not a second earlier; 90 days of grace');

  const warnAt = (await status()).text('retention.warnAt');
  const graceUntil = (await status()).text('retention.graceUntil');
  await world.moveTo(new Date(warnAt));
  const warned = await sweep();
  expectEqual(warned.field('warned.0'), id, 'Warned 30 days before');
  tell.step(`${minute(warnAt)}: a warning goes out`, `30 days before ${day(graceUntil)}`);

  const hold = await client.call('POST', `/recordings/${id}/holds`, {
    as: people.officer,
    body: { matter: '2034-CV-118', reason: 'letter from counsel' },
  });
  expectEqual(hold.status, 201, 'Placing a legal hold');
  await world.moveTo(new Date(new Date(graceUntil).getTime() + dayMs));
  const heldSweep = await sweep();
  expectEqual(heldSweep.field('deleted.0'), undefined, 'Deleted under a hold');
  const held = await remove();
  expectEqual(held.field('code'), 'held', 'Deleting under a hold');
  tell.step(`${day(clock.now().toISOString())}: due, but under legal hold`, 'sweep: 0 deleted; a person: 409 held');

  const release = await client.call('DELETE', `/holds/${hold.text('id')}`, { as: people.officer });
  expectEqual(release.status, 204, 'Releasing the hold');
  // Somebody has uploaded it again and then "deleted" it, as S3's console does: one version more, and a delete marker.
  const [original] = await versionsOf(world, id);
  expect(original !== undefined, 'The object store lost the recording before its time');
  await world.objects.put(original.key, world.clip, { contentType: 'video/mp4' });
  await world.objects.addDeleteMarker(original.key);
  const before = await versionsOf(world, id);
  const done = await sweep();
  expectEqual(done.field('deleted.0'), id, 'Deleted after the release');
  tell.step(
    'the hold is released; the sweep deletes it',
    `${done.field('versions')} versions, ${done.field('bytes')} bytes`,
  );

  const after = await versionsOf(world, id);
  expect(before.length === 3 && after.length === 0, `${after.length} of ${before.length} versions are left`);
  tell.step('the object store is asked again', `${before.length} versions and markers before, ${after.length} now`);

  const tombstone = await status();
  expectEqual(tombstone.field('state'), 'deleted', 'Its state');
  const grave = (path: string): string => tombstone.text(`tombstone.${path}`);
  tell.step('what is left is a tombstone', grave('reason'));
  tell.note(
    `${tombstone.field('tombstone.versionsDeleted')} versions of sha256 ${short(grave('sha256'))} deleted by ${grave('deletedBy')},`,
  );
  tell.note(`as ${grave('ruleIds.0')} allows (${grave('citations.0')});`);
  tell.note(`the object store was proved empty ${minute(grave('provedEmptyAt'))}`);

  const gone = await client.call('GET', `/recordings/${id}/playback`, { as: people.patient });
  expectEqual(gone.status, 410, 'Playback of what was deleted');
  tell.step('the patient asks to play it', `410 ${gone.text('code')}`);
}

/** Everything in the object store that belongs to a recording. */
async function versionsOf({ objects }: Story['world'], id: string): Promise<readonly ObjectVersion[]> {
  const { versions } = await objects.listVersions('');
  return versions.filter(({ key }) => key.includes(id));
}
