import { equalBytes, type Recording, type RecordingState } from '@medzen/core';
import { capturing, holdsMedia } from '../provider-world.ts';
import { person, type Seen, type World } from '../world.ts';
import { fairQueues } from './fair-queues.ts';
import { whyKept } from './oracle.ts';
import { type TrueRecording, withdrawn } from './truth.ts';
import { wordInvariants } from './words.ts';

/**
 * What must hold, in plain sentences with their code. Each is checked after every effect of every port (`always`), or whenever nothing has gone
 * wrong for a while and workers have run (`atRest`).
 */
export interface Invariant {
  readonly id: string;
  readonly sentence: string;
  /** @returns what is wrong */
  readonly always?: (seen: Seen) => Iterable<string>;
  /** @returns what is wrong */
  readonly atRest?: (world: World, recording: TrueRecording) => Iterable<string>;
  /** Looked at while visits go on, when nothing has gone wrong for a while and workers have run. @returns what is wrong */
  readonly atLull?: (world: World, recording: TrueRecording) => Iterable<string>;
  /** Tried by calling the code, for some of the recordings at each rest. @returns what is wrong */
  readonly tried?: (world: World, recording: TrueRecording) => Promise<readonly string[]>;
  /** Looked at when faults have ceased for a day. @returns what is wrong */
  readonly atCalm?: (world: World) => Iterable<string>;
}

const day = 86_400_000;

const roads: Readonly<Record<string, readonly string[]>> = {
  starting: ['recording', 'processing', 'uploading', 'failed'],
  recording: ['processing', 'uploading', 'failed'],
  processing: ['uploading', 'failed'],
  uploading: ['available', 'failed'],
  available: ['archived', 'deleting'],
  archived: ['available', 'deleting'],
  deleting: ['deleted', 'available', 'archived', 'failed'],
  failed: ['recording', 'processing', 'uploading', 'deleting'],
  deleted: [],
};

/** Says that nothing was captured. */
const nothingCodes: ReadonlySet<string> = new Set(['nothing_captured']);

/** The row says that something may be captured. */
const underControl: ReadonlySet<string> = new Set(['starting', 'recording']);

/** Milliseconds within which workers end what has to end, once nothing goes wrong. */
const patience = 25 * 60_000;

const settledStates: ReadonlySet<RecordingState> = new Set(['available', 'archived', 'deleted', 'failed']);

export const invariants: readonly Invariant[] = [
  ...wordInvariants,
  fairQueues,
  {
    id: 'roads',
    sentence: 'A recording only moves along the roads of its life, and a deleted one never changes.',
    *always({ before, after }) {
      if (before === undefined || after === undefined || before.state === after.state) return;
      if (roads[before.state]?.includes(after.state) !== true) yield `${after.id}: ${before.state} → ${after.state}`;
    },
  },
  {
    id: 'change-and-event',
    sentence: 'Every change of a row has its event, and every event its change.',
    *always({ effect, before, after, events }) {
      if (effect.port !== 'recordings' || after === undefined) return;
      const moved = before?.state !== after.state;
      if (moved && events.length === 0) yield `${after.id} became ${after.state} by ${effect.method} without an event`;
      const changes =
        effect.method === 'change' || effect.method === 'beginDeletion' || effect.method === 'finishDeletion';
      if (changes && before !== undefined && (before.revision !== after.revision) !== events.length > 0)
        yield `${after.id}: ${effect.method} wrote ${events.length} events for revision ${before.revision} → ${after.revision}`;
    },
  },
  {
    id: 'decidable',
    sentence: 'Nothing is recorded of which no rule could ever tell how long to keep it.',
    *always({ before, after }) {
      if (before === undefined && after !== undefined && after.retentionClass.jurisdiction === 'XX')
        yield `${after.id} was started with a class that no rule knows`;
    },
  },
  {
    id: 'stop-once',
    sentence: 'That a capture ended is said exactly once, whatever ended it.',
    *always({ world, id }) {
      const recording = world.truth.recordings.get(id ?? '');
      if (recording !== undefined && recording.stopEvents > 1) yield `${recording.id}: ${recording.stopEvents} times`;
    },
    *atRest(_world, { id, row, room, stopEvents }) {
      if (room.capturedFor.has(id) && row.endedAt !== undefined && stopEvents === 0)
        yield `${id} (${row.state}): never`;
    },
  },
  {
    id: 'no-early-deletion',
    sentence: 'No deletion begins before the rules, holds, requests and the notice allow it.',
    *always({ world, effect, before, after }) {
      if (after?.state !== 'deleting' || before === undefined || before.state === 'deleting') return;
      const recording = world.truth.recordings.get(after.id);
      if (recording === undefined || !hasContent(world, recording)) return;
      yield* unlessAllowed(world, recording, effect.fiber, 'the deletion began');
    },
  },
  {
    id: 'no-early-removal',
    sentence: 'No byte of a recording is removed before its rules, holds, requests and notice allow.',
    *always({ world, effect, id, removals, heldBefore }) {
      const { truth } = world;
      for (const { bucket, version } of removals) {
        const recording = truth.recordings.get(version.key.split('/')[3] ?? '');
        const object = recording?.row.object;
        if (recording === undefined || object?.versionId !== version.versionId || object.key !== version.key) continue;
        yield* unlessAllowed(world, recording, effect.fiber, `its media was removed from ${bucket}`);
      }
      if (effect.method !== 'discard' || !heldBefore || 'error' in effect.outcome) return;
      const room = truth.recordings.get(id ?? '')?.room;
      for (const recording of truth.recordings.values())
        if (isOnlyCopy(world, recording, room))
          yield* unlessAllowed(world, recording, effect.fiber, 'the provider removed the only copy');
    },
  },
  {
    id: 'tombstone-proved',
    sentence:
      'A tombstone is written only when every version in every bucket is gone and the provider was asked to forget.',
    *always({ world, before, after }) {
      if (after?.state !== 'deleted' || before?.state === 'deleted') return;
      const recording = world.truth.recordings.get(after.id);
      if (recording === undefined) return;
      for (const { bucket, version } of world.objects.versionsUnder(after.objectPrefix))
        yield `${after.id}: ${version.key} is still in ${bucket}`;
      if (holdsMedia(recording.room) && !sharesRoom(world, recording))
        yield `${after.id}: the provider still has its media`;
    },
  },
  {
    id: 'tombstone-counts',
    sentence: 'The counts of a tombstone are what was really removed, or say that they are not known.',
    *always({ world, before, after }) {
      if (after?.tombstone === undefined || before?.tombstone !== undefined) return;
      const recording = world.truth.recordings.get(after.id);
      const { versionsDeleted, bytesDeleted } = after.tombstone;
      if (recording === undefined || typeof versionsDeleted !== 'number') return;
      const { versions, bytes } = recording.removed;
      if (versionsDeleted !== versions || bytesDeleted !== bytes)
        yield `${after.id}: says ${versionsDeleted} versions of ${bytesDeleted} bytes, and ${versions} of ${bytes} were removed`;
    },
  },
  {
    id: 'one-tombstone',
    sentence: 'A deletion is written down once.',
    *always({ world, id }) {
      const recording = world.truth.recordings.get(id ?? '');
      if (recording !== undefined && recording.deleteEvents > 1)
        yield `${recording.id}: ${recording.deleteEvents} times`;
    },
  },
  {
    id: 'home-is-whole',
    sentence:
      'What becomes available is in the object store, and is what was captured: not empty, not a page, not cut short.',
    *always({ world, before, after }) {
      if (after?.state !== 'available' || before?.state !== 'uploading') return;
      const recording = world.truth.recordings.get(after.id);
      if (recording === undefined) return;
      const stored = storedBytes(world, after);
      if (stored === undefined) yield `${after.id}: its object is nowhere`;
      else if (!recording.room.made.some((bytes) => equalBytes(bytes, stored)))
        yield `${after.id}: ${stored.length} bytes that are not what was captured`;
    },
  },
  {
    id: 'true-failure',
    sentence: 'No row says that nothing was captured while the provider holds what was.',
    *always({ world, before, after }) {
      if (after?.state !== 'failed' || after.failure === undefined || !nothingCodes.has(after.failure.code)) return;
      if (before?.failure?.code === after.failure.code) return;
      const recording = world.truth.recordings.get(after.id);
      if (recording !== undefined && holdsMedia(recording.room)) yield `${after.id}: ${after.failure.code}`;
    },
  },
  {
    id: 'answered-for',
    sentence: 'No media exists anywhere, in the object store or at the provider, that no row answers for.',
    *atRest(world, recording) {
      const { id, row, room } = recording;
      if (row.state !== 'deleted') return;
      for (const { bucket, version } of world.objects.versionsUnder(row.objectPrefix))
        yield `${id} is deleted, and ${version.key} is in ${bucket}`;
      for (const { key } of world.objects.uploadsUnder(row.objectPrefix))
        yield `${id} is deleted, and parts of ${key} are left`;
      if (holdsMedia(room) && !sharesRoom(world, recording)) yield `${id} is deleted, and the provider has its media`;
      if (capturing(room) && !sharesRoom(world, recording)) yield `${id} is deleted, and is still captured`;
    },
  },
  {
    id: 'withdrawal-ends-capture',
    sentence: 'Nothing is captured after consent was taken back, once workers have run and the provider answers.',
    *atLull(world, recording) {
      const who = withdrawn(world.truth, recording);
      const since = world.truth.withdrawals.get(recording.row.sessionId) ?? Number.POSITIVE_INFINITY;
      if (who.length > 0 && since < world.scheduler.now() - patience && isCapturedLong(world, recording))
        yield `${recording.id} (${recording.row.state}): ${who.join(', ')} took it back, and it is still captured`;
    },
  },
  {
    id: 'known-capture',
    sentence: 'Nothing is captured of which its row says that it is over.',
    *atLull(world, recording) {
      const { id, row, room } = recording;
      if (!isCapturedLong(world, recording) || underControl.has(row.state)) return;
      if (![...world.truth.recordings.values()].some((other) => other.room === room && other.row.state === 'recording'))
        yield `${id} (${row.state}) is still captured`;
    },
  },
  {
    id: 'settled',
    sentence:
      'When faults cease and workers have run, each recording has its media at home, or a truthful failure, or a tombstone, whatever stands before it in a queue.',
    *atRest(world, recording) {
      const { id, row, room } = recording;
      if (room.live || !isConfigured(world, recording)) return;
      // Some of it is gone, and what is left is locked: it is deleting until the lock ends.
      if (row.state === 'deleting' && isLocked(world, recording)) return;
      if (!settledStates.has(row.state)) yield `${id} is still ${row.state}`;
      // A person has asked for another try meanwhile.
      if (row.state === 'failed' && holdsMedia(room) && room.capturedFor.has(id))
        yield `${id} failed (${row.failure?.code}), and the provider has its media`;
      if ((row.state === 'available' || row.state === 'archived') && !isHome(world, recording))
        yield `${id} is ${row.state}, and its media is not at home`;
    },
  },
  {
    id: 'due-is-deleted',
    sentence: 'What nothing keeps any more is deleted within days, whatever stands before it in the queue.',
    *atRest(world, recording) {
      const { id, row } = recording;
      const { scheduler, deployment, truth } = world;
      if (row.state !== 'available' && row.state !== 'archived' && row.state !== 'deleting') return;
      // What happened may have to be told first, and its notice to pass.
      if (scheduler.now() < world.happenedAt + 40 * day) return;
      if (isLocked(world, recording) || !isConfigured(world, recording)) return;
      // A deadline that has moved is told again, and nothing is deleted before.
      if (world.unreachable.has(row.patient)) return;
      const since = scheduler.now() - 3 * day;
      if (whyKept(truth, recording, deployment.rules.truth, since).length === 0)
        yield `${id} is still ${row.state}, and decided so: ${JSON.stringify(row.decision)}`;
    },
  },
  {
    id: 'access',
    sentence: 'Who may see a recording can, for as long as its bytes exist.',
    tried: async (world, recording) => {
      const { id, row } = recording;
      if (!isHome(world, recording) || row.state === 'uploading' || row.state === 'failed') return [];
      if (!isConfigured(world, recording)) return [];
      const context = person(world, row.patient, 'patient');
      const view = world.run('the patient', (recordings) => recordings.playbackUrl(id, context));
      await world.scheduler.until(view);
      const ending = await view;
      if (ending.status !== 'answered') return [`${id} (${row.state}): the patient got no link`];
      const bucket = bucketOf(world, row);
      const { key, versionId } = row.object ?? {};
      const right = ending.value.url === `https://${bucket}.sim.example/${key}?versionId=${versionId}`;
      return right ? [] : [`${id}: the link goes to ${ending.value.url}, and the media is in ${bucket}`];
    },
  },
  {
    id: 'one-worker',
    sentence: 'While nothing goes wrong, no worker takes a recording away from one that is still at work on it.',
    *always({ world, effect }) {
      const { calmSince } = world.weather;
      if (!effect.method.startsWith('claim')) return;
      for (const { id, worker, takenFrom } of world.truth.recordings.values())
        if (worker === effect.fiber && takenFrom !== undefined && takenFrom.startedAt >= calmSince)
          yield `${id}: ${effect.fiber.name} took it from ${takenFrom.name}`;
    },
  },
  {
    id: 'verbs-end',
    sentence: 'Every call of the code ends, with an answer or an error, also when something it calls never answers.',
    *atCalm({ scheduler }) {
      for (const { name, startedAt } of scheduler.alive)
        yield `${name} has been running since ${new Date(startedAt).toISOString()}`;
    },
  },
  {
    id: 'provider-forgets',
    sentence: 'What is at home is removed at the provider.',
    *atRest(world, recording) {
      const { id, row, room } = recording;
      const home = row.state === 'available' || row.state === 'archived';
      if (home && holdsMedia(room) && world.deployment.providers.has(row.provider) && !sharesRoom(world, recording))
        yield `${id} is ${row.state}, and the provider still has it`;
    },
  },
];

/** Whether workers have had the time to end a capture. */
function isCapturedLong({ scheduler }: World, { room }: TrueRecording): boolean {
  const from = room.segments.at(-1)?.from ?? scheduler.now();
  return capturing(room) && from < scheduler.now() - patience;
}

/** Whether what the provider holds of a room is all that there is of a recording. */
function isOnlyCopy(world: World, recording: TrueRecording, room: TrueRecording['room'] | undefined): boolean {
  if (recording.room !== room || !room.capturedFor.has(recording.id)) return false;
  return !isHome(world, recording) && recording.row.state !== 'deleted' && !isHomeOfAnother(world, recording);
}

/** Whether the media of its room, just as the provider last made it, is at home as that of another recording of the room. */
function isHomeOfAnother(world: World, { id, room }: TrueRecording): boolean {
  const latest = room.made.at(-1);
  for (const other of world.truth.recordings.values()) {
    if (other.room !== room || other.id === id) continue;
    const stored = storedBytes(world, other.row);
    if (stored !== undefined && latest !== undefined && equalBytes(stored, latest)) return true;
  }
  return false;
}

/** Whether Object Lock keeps anything of a recording, or did. */
function isLocked({ objects }: World, { row }: TrueRecording): boolean {
  return objects.versionsUnder(row.objectPrefix).some(({ version }) => version.lockedUntil > 0);
}

/** Whether the provider and the object store of a recording are among those that processes are set up with. */
function isConfigured({ deployment }: World, { row }: TrueRecording): boolean {
  const bucket = row.storage?.bucket;
  return deployment.providers.has(row.provider) && (bucket === undefined || deployment.buckets.includes(bucket));
}

function hasContent(world: World, recording: TrueRecording): boolean {
  return (
    (holdsMedia(recording.room) && recording.room.capturedFor.has(recording.id)) ||
    world.objects.versionsUnder(recording.row.objectPrefix).length > 0
  );
}

function storedBytes(world: World, { object }: Pick<Recording, 'object'>): Uint8Array | undefined {
  return find(world, object)?.bytes;
}

function bucketOf(world: World, { object }: Pick<Recording, 'object'>): string | undefined {
  return find(world, object)?.bucket;
}

function find(
  world: World,
  object: Recording['object'],
): { readonly bucket: string; readonly bytes: Uint8Array | undefined } | undefined {
  if (object === undefined) return undefined;
  for (const { name, versions } of world.objects.buckets.values())
    for (const { key, versionId, bytes } of versions)
      if (versionId === object.versionId && key === object.key) return { bucket: name, bytes };
  return undefined;
}

/** Whether the object store has what the row says. */
function isHome(world: World, { row }: TrueRecording): boolean {
  return storedBytes(world, row) !== undefined;
}

/** Whether another recording that is not deleted is of the same room. */
function sharesRoom(world: World, recording: TrueRecording): boolean {
  for (const other of world.truth.recordings.values())
    if (other !== recording && other.room === recording.room && other.row.state !== 'deleted') return true;
  return false;
}

function* unlessAllowed(
  world: World,
  recording: TrueRecording,
  fiber: Seen['effect']['fiber'],
  what: string,
): Iterable<string> {
  if (recording.lawful || recording.allowed.get(fiber) === true) return;
  const why = whyKept(world.truth, recording, world.rulesOf(fiber).truth, world.scheduler.now());
  if (why.length > 0) yield `${recording.id}: ${what}, and ${why.join(', and ')}`;
}

/** Checks what must hold after an effect. */
export function checkEffect(seen: Seen): void {
  for (const { id, always } of invariants) {
    if (always === undefined) continue;
    tally(seen.world, id);
    for (const story of always(seen)) seen.world.violate(id, story);
  }
}

/** Checks what must hold when faults have ceased for a day. */
export function checkAtCalm(world: World): void {
  for (const { id, atCalm } of invariants) {
    if (atCalm === undefined) continue;
    tally(world, id);
    for (const story of atCalm(world)) world.violate(id, story);
  }
}

/** Checks what must hold in a lull. */
export function checkAtLull(world: World): void {
  for (const { id, atLull } of invariants)
    for (const recording of atLull === undefined ? [] : world.truth.recordings.values()) {
      tally(world, id);
      for (const story of atLull?.(world, recording) ?? []) world.violate(id, story);
    }
}

/** Whether there is nothing left for workers to do: what must hold at rest holds. */
export function isAtRest(world: World): boolean {
  for (const { atRest } of invariants)
    for (const recording of world.truth.recordings.values())
      for (const _story of atRest?.(world, recording) ?? []) return false;
  return true;
}

/** How many recordings are tried at each rest. */
const tries = 2;

/** Checks what must hold at rest. */
export async function checkAtRest(world: World): Promise<void> {
  const all = [...world.truth.recordings.values()];
  for (const { id, atRest, tried } of invariants) {
    for (const recording of atRest === undefined ? [] : all) {
      tally(world, id);
      for (const story of atRest?.(world, recording) ?? []) world.violate(id, story);
    }
    const first = Math.floor(world.plan() * all.length);
    for (const recording of tried === undefined ? [] : all.slice(first, first + tries)) {
      tally(world, id);
      for (const story of (await tried?.(world, recording)) ?? []) world.violate(id, story);
    }
  }
}

function tally({ checks }: World, id: string): void {
  checks.set(id, (checks.get(id) ?? 0) + 1);
}
