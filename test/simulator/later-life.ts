import type { Recording, RetentionFact } from '@medzen/core';
import { count } from './faults.ts';
import { insist, officer, pick } from './people.ts';
import { noteRequest } from './promises/ledger.ts';
import type { TrueRecording } from './promises/truth.ts';
import { keep, noteDayToCome } from './promises/words.ts';
import { ruleSets } from './rules.ts';
import { person, type World } from './world.ts';

const minute = 60_000;
const day = 86_400_000;
const zone = 'America/New_York';

/** Something that happens to recordings in the years after the visit. */
type Happening = readonly [name: string, happen: (world: World, recording: TrueRecording) => Promise<unknown>];

/** What the world remembers of its own doings, to undo them later. */
const undo = new WeakMap<World, (() => unknown)[]>();

function later(world: World, back: () => unknown): void {
  const list = undo.get(world) ?? [];
  list.push(back);
  undo.set(world, list);
}

/** Undoes one thing: a hold is released, a lock lifted. */
async function takeBack(world: World): Promise<void> {
  const list = undo.get(world) ?? [];
  const [back] = list.splice(Math.floor(world.plan() * list.length), 1);
  await back?.();
}

/** Undoes all of them: a world ends without holds, locks and requests. */
export async function takeAllBack(world: World): Promise<void> {
  const list = undo.get(world) ?? [];
  undo.set(world, []);
  for (const back of list) await back();
  if (list.length > 0) world.happenedAt = world.scheduler.now();
}

async function hold(world: World, recording: TrueRecording): Promise<void> {
  const { id, row } = recording;
  const target = world.plan() < 0.6 ? { recordingId: id } : { patient: row.patient };
  const placed = await keep(world, 'hold', recording, (recordings) =>
    recordings.legalHold.place({ target, matter: 'matter', reason: 'A claim was announced' }, officer(world)),
  );
  if (placed !== undefined)
    later(world, () =>
      insist(world, 'release', 9, (recordings) => recordings.legalHold.release(placed.id, officer(world))),
    );
}

async function treat(world: World, { row }: TrueRecording): Promise<void> {
  const date = localDate(world.scheduler.now());
  await insist(world, 'treatment', 3, (recordings) =>
    recordings.noteFact({ patient: row.patient, type: 'treatment', date, zone }, officer(world)),
  );
}

/** A treatment is noted that never was, and taken back a while later. */
async function mistake(world: World, { row }: TrueRecording): Promise<void> {
  const note = (
    fact: Pick<RetentionFact, 'type'> & { readonly voids?: string; readonly reason?: string },
    times: number,
  ) =>
    insist(world, fact.type, times, (recordings) =>
      recordings.noteFact(
        { patient: row.patient, date: localDate(world.scheduler.now()), zone, ...fact },
        officer(world),
      ),
    );
  const noted = await note({ type: 'treatment' }, 3);
  if (noted === undefined) return;
  const takeItBack = (): Promise<unknown> => note({ type: 'void', voids: noted.id, reason: 'Another patient' }, 9);
  if (world.plan() < 0.6) await takeItBack();
  else later(world, takeItBack);
}

async function claim(world: World, { row }: TrueRecording): Promise<void> {
  const note = (type: 'claim_opened' | 'claim_closed'): Promise<unknown> =>
    insist(world, type, 9, (recordings) =>
      recordings.noteFact({ patient: row.patient, type, date: localDate(world.scheduler.now()), zone }, officer(world)),
    );
  if ((await note('claim_opened')) !== undefined) later(world, () => note('claim_closed'));
}

/** Object Lock, as an administrator of the bucket sets it. */
async function lock(world: World, { row }: TrueRecording): Promise<void> {
  for (const { version } of world.objects.versionsUnder(row.objectPrefix)) {
    if (world.plan() < 0.4) version.lockedUntil = world.scheduler.now() + world.plan() * 40 * day;
    else {
      version.lockedUntil = Number.POSITIVE_INFINITY;
      later(world, () => {
        version.lockedUntil = 0;
      });
    }
  }
}

/** A replication rule or a person puts something beside the media. */
async function litter(world: World, { row }: TrueRecording): Promise<void> {
  if (row.object === undefined) return;
  const [found] = world.objects.versionsUnder(row.objectPrefix);
  if (found === undefined) return;
  if (world.plan() < 0.5) world.objects.addDeleteMarker(found.bucket, row.object.key);
  else world.objects.addVersion(found.bucket, `${row.objectPrefix}thumbnail`, new Uint8Array(20));
}

async function askToDelete(world: World, { id }: TrueRecording): Promise<void> {
  await world.run('delete', (recordings) => recordings.delete(id, { reason: 'The patient asked' }, officer(world)));
}

async function watch(world: World, { id, row }: TrueRecording): Promise<void> {
  const context = person(world, row.patient, 'patient');
  await world.run('view', (recordings) =>
    world.plan() < 0.5 ? recordings.playbackUrl(id, context) : recordings.downloadUrl(id, context),
  );
}

async function retry(world: World, { id }: TrueRecording): Promise<void> {
  await world.run('retry', (recordings) => recordings.retryTransfer(id, officer(world)));
}

async function changeRules(world: World): Promise<void> {
  world.deployment.rules = pick(world, ruleSets);
}

/** New media goes elsewhere from now on; sometimes the earlier bucket is forgotten in the configuration for a while. */
async function changeBucket(world: World): Promise<void> {
  const { deployment } = world;
  const { name } = world.objects.bucket(`bucket-${world.objects.buckets.size + 1}`);
  const before = deployment.buckets;
  // Changed twice before anything lies in it, it has the same name again.
  deployment.buckets = [...new Set([name, ...before])];
  if (world.plan() > 0.4) return;
  deployment.buckets = [name];
  later(world, () => {
    deployment.buckets = [...new Set([...deployment.buckets, ...before])];
  });
}

async function keepLonger(world: World, recording: TrueRecording): Promise<void> {
  const { scheduler, plan } = world;
  const until = new Date(scheduler.now() + (plan() * 5 + 0.01) * 365 * day).toISOString();
  await keep(world, 'keep', recording, (recordings) =>
    recordings.keepUntil(recording.id, { until, reason: 'Teaching' }, officer(world)),
  );
}

async function requestAccess(world: World, recording: TrueRecording): Promise<void> {
  const { id, row } = recording;
  const target = world.plan() < 0.6 ? { recordingId: id } : { patient: row.patient };
  const opened = await keep(world, 'access request', recording, (recordings) =>
    recordings.accessRequests.open({ target }, officer(world)),
  );
  if (opened === undefined) return;
  if (!world.truth.requests.has(opened.id)) noteRequest(world.truth, opened);
  later(world, () =>
    insist(world, 'access given', 9, async (recordings) => {
      await recordings.accessRequests.close(opened.id, { outcome: 'provided' }, officer(world));
      return true;
    }),
  );
}

async function dropProvider(world: World, { row }: TrueRecording): Promise<void> {
  world.deployment.providers.delete(row.provider);
  later(world, () => world.deployment.providers.add(row.provider));
}

async function forgetAddress(world: World, { row }: TrueRecording): Promise<void> {
  world.unreachable.add(row.patient);
  later(world, () => world.unreachable.delete(row.patient));
}

/** What keeps a recording. */
const words: readonly Happening[] = [
  ['hold', hold],
  ['treatment', treat],
  ['kept longer', keepLonger],
  ['access requested', requestAccess],
];

const happenings: readonly Happening[] = [
  ...words,
  ['mistaken fact', mistake],
  ['day to come', noteDayToCome],
  ['claim', claim],
  ['lock', lock],
  ['litter', litter],
  ['delete asked', askToDelete],
  ['view', watch],
  ['retry', retry],
  ['rules changed', changeRules],
  ['bucket changed', changeBucket],
  ['provider dropped', dropProvider],
  ['address lost', forgetAddress],
  ['taken back', takeBack],
];

/**
 * So many things happen, one after the other, each to a recording of the plan's choice.
 *
 * @param within - milliseconds over which they are spread
 */
export async function happen(world: World, times: number, within: number): Promise<void> {
  const all: readonly TrueRecording[] = [...world.truth.recordings.values()];
  if (all.length === 0) return;
  for (let n = 0; n < times; n++) {
    await world.scheduler.sleep((world.plan() * within) / times);
    // What is said while a deletion is under way is the hardest to get right.
    const leaving = all.filter(({ row }) => row.state === 'deleting');
    const leaves = leaving.length > 0 && world.plan() < 0.7;
    const [name, happening] = pick(world, leaves ? words : happenings);
    count(world.counts, name);
    world.trace?.(`${new Date(world.scheduler.now()).toISOString()} --- ${name}`);
    await happening(world, pick(world, leaves ? leaving : all));
    world.happenedAt = world.scheduler.now();
    await world.scheduler.sleep(minute);
  }
}

/** The local date of an instant, a day early where that does not matter. */
function localDate(ms: number): Recording['stateAt'] {
  return new Date(ms - day / 4).toISOString().slice(0, 10);
}
