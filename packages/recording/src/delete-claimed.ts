import type { CallContext, Claim, Recording, Scope, Tombstone } from '@medzen/core';
import { persistently } from './backoff.ts';
import { copyRemains } from './discard.ts';
import { type Emptied, emptyPrefix } from './empty-prefix.ts';
import { decide, judge } from './retention/decide.ts';
import type { RetentionDecision } from './retention/decision.ts';
import { about, duration, providerOf, type Room, seal, timestamp } from './room.ts';
import { waitingInSameRoom } from './same-room.ts';

/** What deleting one claimed recording came to. */
export type Deletion =
  | { readonly status: 'deleted'; readonly recording: Recording; readonly versions: number; readonly bytes: number }
  | {
      readonly status: 'deferred';
      readonly reason: 'held' | 'locked' | 'stale' | 'not_due' | 'lease_lost';
      readonly versions: number;
      readonly bytes: number;
    };

/**
 * The one road to deletion, for the sweep and for a person alike: ask the rules again here, commit the intent, empty the prefix and prove it,
 * have the provider forget, and only then write the tombstone. Dying between any two steps leaves a claim whose lease ends and a row that
 * says where to go on. A row that says `deleting` is not judged again: some of it may be gone already.
 *
 * @param now - the instant at which deadlines are judged
 * @throws what the stores and the provider throw; the claim is then still held, and the caller gives it back
 */
export async function deleteClaimed(
  room: Room,
  ctx: CallContext,
  claim: Claim,
  now: Date,
  reason: string,
  signal?: AbortSignal,
): Promise<Deletion> {
  const { recording, token } = claim;
  const { scope } = ctx;
  const nothing = { versions: 0, bytes: 0 };
  const { decision, factsRevision } = await judge(room, scope, recording, now);
  if (recording.state !== 'deleting') {
    const refused = await begin(room, ctx, claim, decision, factsRevision, now, reason);
    if (refused !== undefined) {
      await room.stores.recordings.releaseClaim(scope, recording.id, token, refused);
      return { status: 'deferred', reason: refused, ...nothing };
    }
  }
  const emptied = await emptyPrefix(room, recording.objectPrefix, signal);
  const { versions, bytes } = emptied;
  if (emptied.status === 'locked') {
    await room.stores.recordings.releaseClaim(scope, recording.id, token, 'locked');
    return { status: 'deferred', reason: 'locked', versions, bytes };
  }
  const providerNote = await forget(room, scope, recording, signal);
  const stone = tombstone(room, ctx, recording, decision, emptied, reason, providerNote);
  const event = seal(room, ctx, {
    action: 'recording.delete',
    kind: 'delete',
    outcome: 'success',
    ...about(recording),
    reason,
    detail: { versions, bytes, ...duration(recording), ruleIds: [...stone.ruleIds] },
  });
  const finished = await room.stores.recordings.finishDeletion(scope, recording.id, token, stone, event);
  if (finished.status === 'finished') return { status: 'deleted', recording: finished.recording, versions, bytes };
  // Another worker was quicker; there is one tombstone, and it is not ours.
  return { status: 'deferred', reason: 'lease_lost', versions, bytes };
}

/** @returns why not, or undefined when the deletion has begun */
async function begin(
  room: Room,
  ctx: CallContext,
  { recording, token }: Claim,
  decision: RetentionDecision,
  factsRevision: number,
  now: Date,
  reason: string,
): Promise<'held' | 'stale' | 'not_due' | 'lease_lost' | undefined> {
  const { scope } = ctx;
  if (decision.status !== 'eligible') {
    // What is stored says otherwise, so it is put right: the store would offer the row again and again.
    await decide(room, scope, recording, now);
    return decision.status === 'held' ? 'held' : 'not_due';
  }
  const event = seal(room, ctx, {
    action: 'recording.delete_start',
    kind: 'update',
    outcome: 'success',
    ...about(recording),
    reason,
    detail: { ruleIds: decision.basis.map(({ ruleId }) => ruleId) },
  });
  const { rulesVersion } = room.retention;
  const intent = { token, factsRevision, rulesVersion, now };
  const result = await room.stores.recordings.beginDeletion(scope, recording.id, intent, event);
  if (result.status === 'begun') return undefined;
  return result.status === 'not_found' ? 'stale' : result.status;
}

/** A provider that was dropped from the configuration is no obstacle once it is known to have forgotten. */
async function forget(
  room: Room,
  scope: Scope,
  recording: Recording,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const neverHeld = recording.media === undefined && recording.failure?.code !== copyRemains;
  const forgotten = recording.object !== undefined && recording.failure?.code !== copyRemains;
  if (!Object.hasOwn(room.providers, recording.provider) && (forgotten || neverHeld))
    return 'The provider was no longer configured when this was deleted; it had removed its copy before.';
  if (recording.object === undefined && (await waitingInSameRoom(room, scope, recording)) !== undefined)
    return 'What the provider holds of this room goes with another recording of the session, which still waits for it.';
  const { note } = await persistently(room, 3, () => providerOf(room, recording).discard(recording, signal), signal);
  return note;
}

function tombstone(
  room: Room,
  ctx: CallContext,
  recording: Recording,
  decision: RetentionDecision,
  emptied: Extract<Emptied, { status: 'empty' }>,
  reason: string,
  providerNote: string | undefined,
): Tombstone {
  const { basis } = decision;
  return {
    deletedAt: timestamp(room),
    deletedBy: ctx.actor.id,
    reason,
    ruleIds: basis.map(({ ruleId }) => ruleId),
    citations: basis.map(({ citation }) => citation),
    versionsDeleted: emptied.versions,
    bytesDeleted: emptied.bytes,
    ...(recording.object === undefined ? {} : { sha256: recording.object.sha256 }),
    provedEmptyAt: emptied.provedAt.toISOString(),
    ...(providerNote === undefined ? {} : { providerNote }),
  };
}
