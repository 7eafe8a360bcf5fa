import {
  type CallContext,
  type Claim,
  isBeyondRecall,
  MedzenError,
  type ObjectStore,
  type ObjectVersion,
  type Recording,
  type Tombstone,
} from '@medzen/core';
import { persistently } from '../backoff.ts';
import { look } from '../capture/reconcile.ts';
import { withDeadline } from '../deadline.ts';
import { decide, judge } from '../retention/decide.ts';
import type { RetentionDecision } from '../retention/decision.ts';
import { about, duration, providerOf, type Room, seal, timestamp } from '../room.ts';
import { waitingInSameRoom } from '../same-room.ts';
import { mediaExpired } from '../transfer/media-failures.ts';
import { copyRemains, obstacleAt, type ProviderObstacle } from './discard.ts';
import { emptyPrefix, pagesOf, refOf } from './empty-prefix.ts';
import { keepLease } from './keep-lease.ts';
import { readLock } from './read-lock.ts';

/** Reason why a deletion was left for later. */
export type DeferReason =
  /** A legal hold, or an open claim. */
  | 'held'
  /** A person has asked for access and was not answered yet. */
  | 'access_requested'
  /** The object store does not delete it now: S3 Object Lock, or no permission. */
  | 'locked'
  /** A fact or a rule came in between. */
  | 'stale'
  /** The rules, or the notice, say that it is to be kept. */
  | 'not_due'
  | 'lease_lost'
  /** The media is not where the recording says it lies, and no deletion had removed it. */
  | 'media_missing'
  /** Something is stored, though it was believed that nothing was. */
  | 'media_found'
  /** The store in which the recording lies is not among `objects`. */
  | 'store_not_configured'
  | ProviderObstacle;

/** Result of deleting one claimed recording. */
export type DeleteResult =
  | { readonly status: 'deleted'; readonly recording: Recording; readonly versions: number; readonly bytes: number }
  | {
      readonly status: 'deferred';
      readonly reason: DeferReason;
      /** It went back to where it was before the deletion began. */
      readonly canceled: boolean;
      /** RFC 3339 UTC; absent where the lock has no end, or none is known. */
      readonly lockedUntil?: string;
      readonly versions: number;
      readonly bytes: number;
    };

/** Options for deleting one claimed recording. */
export interface DeleteOptions {
  /** The instant at which deadlines are judged. */
  readonly now: Date;
  readonly reason: string;
  /** Length of the claim in milliseconds. */
  readonly leaseMs: number;
  /** A person knows that the media is missing, and ends the recording all the same. */
  readonly acceptMissing?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** One deletion under way. */
interface Work extends DeleteOptions {
  readonly room: Room;
  readonly ctx: CallContext;
  readonly claim: Claim;
  readonly objects: ObjectStore;
  readonly decision: RetentionDecision;
  readonly factsRevision: number;
  readonly renew: () => Promise<void>;
  /** As the store has it after the last step. */
  recording: Recording;
  /** Counts recorded when this attempt began. */
  readonly before: Counts;
}

/** Media that the provider was found to hold, and what is left of it. */
interface Forgotten {
  readonly refused?: never;
  /** For the tombstone. */
  readonly note?: string | undefined;
  /** It had deleted the media before it was transferred. */
  readonly expired?: boolean;
}

type Counts = { readonly versions: number; readonly bytes: number };

/**
 * The one road to deletion, for the sweep and for a person alike: ask the rules again here, look that the media is there and not locked, commit
 * the intent, note and empty the prefix and prove it, have the provider forget, and only then write the tombstone. Dying between any two steps
 * leaves a claim whose lease ends and a row that says where to go on. Until something was noted as removed, a row that says `deleting` is judged
 * like any other, and goes back when it is to be kept.
 *
 * @throws what the stores and the provider throw; the claim is then still held, and the caller gives it back
 */
export async function deleteClaimed(
  room: Room,
  ctx: CallContext,
  claim: Claim,
  options: DeleteOptions,
): Promise<DeleteResult> {
  const { recording } = claim;
  const { decision, factsRevision } = await judge(room, ctx.scope, recording, options.now);
  const objects = room.objects.of(recording);
  const { versions = 0, bytes = 0 } = recording.deletion ?? {};
  const work: Work = {
    ...options,
    room,
    ctx,
    claim,
    objects: objects ?? room.objects.first,
    decision,
    factsRevision,
    renew: keepLease(room, ctx.scope, claim, options.leaseMs),
    recording,
    before: { versions, bytes },
  };
  const kept = isBeyondRecall(recording) ? undefined : reasonToKeep(work);
  if (kept !== undefined) return stop(work, kept);
  if (objects === undefined) return stop(work, 'store_not_configured');
  const obstacle = mustForget(work) ? obstacleAt(room, recording) : undefined;
  if (obstacle !== undefined) return stop(work, obstacle);

  const survey = await lookAround(work);
  if (survey.reason !== undefined) return stop(work, survey.reason);
  // All that an earlier attempt noted is there still: it is judged like any other.
  const whole = isBeyondRecall(recording) && !isBeyondRecall(work.recording);
  const late = whole ? reasonToKeep(work) : undefined;
  if (late !== undefined) return stop(work, late);
  if (recording.state !== 'deleting') {
    const refused = await begin(work);
    if (refused !== undefined) return stop(work, refused);
  }
  return remove(work, survey);
}

/** Reason to keep a recording of which nothing was removed. A recording that was never stored needs no rule. */
function reasonToKeep({ recording, decision, now }: Work): DeferReason | undefined {
  if (recording.holds > 0) return 'held';
  if (recording.accessRequests > 0) return 'access_requested';
  if (recording.deletion?.basis === 'nothing_stored') return undefined;
  if (decision.status !== 'eligible') return decision.status === 'held' ? 'held' : 'not_due';
  const { deletableAt } = recording;
  return deletableAt === undefined || Date.parse(deletableAt) > now.getTime() ? 'not_due' : undefined;
}

/** Ends the claim without a deletion; takes it back if it had begun and nothing was removed. */
async function stop(work: Work, reason: DeferReason, lockedUntil?: string): Promise<DeleteResult> {
  const { room, ctx, claim, recording, before } = work;
  const { id, deletion } = recording;
  let canceled = false;
  if (recording.state === 'deleting' && !isBeyondRecall(recording)) {
    const event = seal(room, ctx, {
      action: 'recording.delete_cancel',
      kind: 'update',
      outcome: 'success',
      ...about(recording),
      detail: { code: reason, ...(lockedUntil === undefined ? {} : { lockedUntil }) },
    });
    const cancel = { token: claim.token, at: timestamp(room), failureCode: reason };
    const result = await room.stores.recordings.cancelDeletion(ctx.scope, id, cancel, event);
    canceled = result.status === 'canceled';
    if (result.status === 'canceled') work.recording = result.recording;
    else if (result.status === 'lease_lost') return deferred('lease_lost');
  }
  if (!canceled) await room.stores.recordings.releaseClaim(ctx.scope, id, claim.token, reason);
  // What is stored says otherwise, so it is put right: the store would offer the row again and again.
  if (reason === 'not_due' || reason === 'stale' || reason === 'held')
    await decide(room, ctx.scope, work.recording, work.now);
  return deferred(reason);

  function deferred(why: DeferReason): DeleteResult {
    const { versions = 0, bytes = 0 } = deletion ?? {};
    return {
      status: 'deferred',
      reason: why,
      canceled,
      ...(lockedUntil === undefined ? {} : { lockedUntil }),
      versions: Math.max(0, versions - before.versions),
      bytes: Math.max(0, bytes - before.bytes),
    };
  }
}

interface Survey {
  readonly reason?: DeferReason;
  /** All that lies under the prefix, when one page holds it. */
  readonly listed?: readonly ObjectVersion[];
  /** The media is not there, and that is known. */
  readonly missing: boolean;
}

/**
 * Looks at what is stored, before anything is changed. An empty listing proves nothing where nothing was removed: the wrong bucket, the wrong
 * endpoint or a reader without rights lists as little.
 */
async function lookAround(work: Work): Promise<Survey> {
  const { objects, recording, signal, acceptMissing = false } = work;
  const { object, objectPrefix, lock, deletion } = recording;
  const resumed = deletion !== undefined && deletion.versions > 0;
  let pages = 0;
  let found = false;
  let listed: readonly ObjectVersion[] = [];
  for await (const versions of pagesOf(objects, objectPrefix, signal)) {
    await work.renew();
    pages += 1;
    listed = versions;
    found ||= versions.some(({ key, versionId }) => key === object?.key && versionId === object.versionId);
    // What an earlier attempt asked to be removed and is there still is not counted, and may be taken back.
    if (resumed) await noteKept(work, versions);
  }
  const all = pages <= 1 ? { listed } : {};
  if (object === undefined)
    return deletion?.basis === 'nothing_stored' && pages > 0
      ? { reason: 'media_found', missing: false }
      : { ...all, missing: false };
  if (!found && !(await wasRemoved(work)))
    return acceptMissing ? { ...all, missing: true } : { reason: 'media_missing', missing: true };
  if (found && lock !== undefined && !isBeyondRecall(work.recording)) {
    const now = await noteLock(work, [object]);
    if (now !== undefined) return { reason: 'locked', missing: false };
  }
  return { ...all, missing: false };
}

/** Checks whether an earlier attempt asked the object store to remove the media: noting it again then adds nothing. */
async function wasRemoved(work: Work): Promise<boolean> {
  const { object, deletion } = work.recording;
  if (object === undefined || deletion === undefined || !isBeyondRecall(work.recording)) return false;
  const media = { ref: refOf(object), size: object.size };
  const { versions } = deletion;
  if ((await note(work, { removing: [media] })) !== undefined) return false;
  const known = work.recording.deletion?.versions === versions;
  if (!known) await note(work, { kept: [media.ref] });
  return known;
}

async function begin(work: Work): Promise<DeferReason | undefined> {
  const { room, ctx, claim, decision, factsRevision, now, reason } = work;
  const ruleIds = decision.basis.map(({ ruleId }) => ruleId);
  const citations = decision.basis.map(({ citation }) => citation);
  const event = seal(room, ctx, {
    action: 'recording.delete_start',
    kind: 'update',
    outcome: 'success',
    ...about(claim.recording),
    reason,
    detail: { ruleIds },
  });
  const { rulesVersion } = room.retention;
  const intent = {
    token: claim.token,
    factsRevision,
    rulesVersion,
    now,
    by: ctx.actor.id,
    reason,
    ruleIds,
    citations,
  };
  const result = await room.stores.recordings.beginDeletion(ctx.scope, claim.recording.id, intent, event);
  if (result.status !== 'begun') return result.status === 'not_found' ? 'stale' : result.status;
  work.recording = result.recording;
  return undefined;
}

/** Everything after the intent: bytes, proof, provider, tombstone. */
async function remove(work: Work, { listed, missing }: Survey): Promise<DeleteResult> {
  const { room, objects, signal } = work;
  let refused: DeferReason | undefined;
  const notes = {
    removing: async (versions: readonly ObjectVersion[]) => {
      await work.renew();
      const removing = versions.map((version) => ({ ref: refOf(version), size: version.size }));
      refused = await note(work, { removing });
      return refused === undefined;
    },
    kept: (versions: readonly ObjectVersion[]) => noteKept(work, versions),
  };
  const emptied = await emptyPrefix(room, objects, work.recording.objectPrefix, notes, signal, listed);
  if (emptied.status === 'refused') return stop(work, refused ?? 'stale');
  if (emptied.status === 'locked') {
    const lock = await noteLock(work, emptied.locked);
    return stop(work, 'locked', lock?.lockedUntil);
  }
  await work.renew();
  const forgotten = await forget(work);
  if (forgotten.refused !== undefined) return stop(work, forgotten.refused);
  return finish(work, emptied.provedAt, forgotten, missing);
}

async function finish(work: Work, provedAt: Date, forgotten: Forgotten, missing: boolean): Promise<DeleteResult> {
  const { room, ctx, claim, before, reason } = work;
  const stone = tombstone(work, provedAt, forgotten, missing);
  const { versionsDeleted, bytesDeleted } = stone;
  const event = seal(room, ctx, {
    action: 'recording.delete',
    kind: 'delete',
    outcome: 'success',
    ...about(claim.recording),
    reason: work.recording.deletion?.reason ?? reason,
    detail: {
      versions: versionsDeleted,
      bytes: bytesDeleted,
      ...duration(claim.recording),
      ruleIds: [...stone.ruleIds],
      ...(missing ? { mediaMissing: true } : {}),
      ...(stone.mediaExpired === true ? { mediaExpired: true } : {}),
    },
  });
  const { token, recording } = claim;
  const finished = await room.stores.recordings.finishDeletion(ctx.scope, recording.id, token, stone, event);
  if (finished.status === 'held' || finished.status === 'access_requested') return stop(work, finished.status);
  const done = {
    versions: Math.max(0, versionsDeleted - before.versions),
    bytes: Math.max(0, bytesDeleted - before.bytes),
  };
  if (finished.status === 'finished') return { status: 'deleted', recording: finished.recording, ...done };
  // Another worker was quicker; there is one tombstone, and it is not ours.
  return { status: 'deferred', reason: 'lease_lost', canceled: false, ...done };
}

/** @returns why it was refused; undefined when it was noted */
async function note(
  work: Work,
  removal: {
    readonly removing?: readonly { readonly ref: string; readonly size: number }[];
    readonly kept?: readonly string[];
    readonly provider?: boolean;
  },
): Promise<DeferReason | undefined> {
  const { room, ctx, claim, factsRevision } = work;
  const { rulesVersion } = room.retention;
  const given = { ...removal, token: claim.token, factsRevision, rulesVersion };
  const result = await room.stores.recordings.noteRemoval(ctx.scope, claim.recording.id, given);
  if (result.status === 'noted') {
    work.recording = result.recording;
    return undefined;
  }
  if (result.status === 'not_found' || result.status === 'not_begun') return 'lease_lost';
  return result.status;
}

/** Notes which of these versions are there still. A listing may lag behind what was removed, so each is asked for by its id. */
async function noteKept(work: Work, versions: readonly ObjectVersion[]): Promise<void> {
  const { objects, signal } = work;
  const there: ObjectVersion[] = [];
  for (const version of versions) {
    await work.renew();
    const { key, versionId, isDeleteMarker } = version;
    const options = signal === undefined ? {} : { signal };
    const isThere = isDeleteMarker || (await objects.head(key, versionId, options)) !== undefined;
    if (isThere) there.push(version);
  }
  if (there.length > 0) await note(work, { kept: there.map(refOf) });
}

/** Reads how versions are locked and keeps it in the row; undefined when none of them is, as far as the store tells. */
async function noteLock(
  work: Work,
  versions: readonly { readonly key: string; readonly versionId: string }[],
): Promise<Recording['lock']> {
  const { room, ctx, claim, objects, signal } = work;
  const lock = await readLock(room, objects, versions, signal);
  await room.stores.recordings.noteLock(ctx.scope, claim.recording.id, claim.token, lock ?? null);
  return lock;
}

/**
 * True when the provider must be asked. A provider that is no longer configured does not stop the deletion once it is
 * known to have deleted its copy.
 */
function mustForget({ room, recording }: Work): boolean {
  const mayHave = recording.failure?.code === copyRemains;
  const known = recording.object !== undefined ? !mayHave : recording.media === undefined && !mayHave;
  return !known || Object.hasOwn(room.providers, recording.provider);
}

async function forget(work: Work): Promise<{ readonly refused: DeferReason } | Forgotten> {
  const { room, ctx, recording, signal } = work;
  if (!mustForget(work))
    return { note: 'The provider was no longer configured when this was deleted; it had removed its copy before.' };
  if (recording.object === undefined && (await waitingInSameRoom(room, ctx.scope, recording)) !== undefined)
    return {
      note: 'What the provider holds of this room goes with another recording of the session, which still waits for it.',
    };
  const expired = await hadExpired(work);
  if (!isBeyondRecall(recording)) {
    const refused = await note(work, { provider: true });
    if (refused !== undefined) return { refused };
  }
  const provider = providerOf(room, recording);
  const limit = { ms: room.timeouts.providerMs, code: 'provider_unavailable', signal } as const;
  const discard = (): Promise<{ readonly note?: string }> =>
    withDeadline(limit, (stopping) => provider.discard(recording, stopping));
  return { ...(await persistently(room, 3, discard, signal)), expired };
}

/**
 * True when media that never came home is gone at the provider, which deleted it by itself. Asked before the provider
 * is asked to delete: afterwards nobody can tell, and a deletion that goes on after a crash there leaves it unsaid.
 */
async function hadExpired({ room, recording, signal }: Work): Promise<boolean> {
  if (recording.object !== undefined) return false;
  if (recording.failure?.code === mediaExpired) return true;
  if (recording.deletion?.providerAsked === true) return false;
  return (await persistently(room, 3, () => look(room, recording, signal), signal)).status === 'expired';
}

/** Says why it was deleted as it was when the deletion began: what is judged afterwards no longer matters. */
function tombstone(
  { room, ctx, claim, recording, reason }: Work,
  provedAt: Date,
  { note: providerNote, expired = false }: Forgotten,
  missing: boolean,
): Tombstone {
  const { deletion } = recording;
  if (deletion === undefined) throw new MedzenError('internal', 'A deletion is finished that did not begin');
  const { object, storage } = claim.recording;
  const at = room.clock.now().getTime();
  const otherCopies = room.otherCopies.map(({ name, keptDays }) => ({
    name,
    ...(keptDays === undefined ? {} : { goneBy: new Date(at + keptDays * 86_400_000).toISOString() }),
  }));
  return {
    deletedAt: timestamp(room),
    deletedBy: deletion.startedBy || ctx.actor.id,
    reason: deletion.reason || reason,
    ruleIds: deletion.ruleIds,
    citations: deletion.citations,
    versionsDeleted: deletion.versions,
    bytesDeleted: deletion.bytes,
    ...(object === undefined ? {} : { sha256: object.sha256 }),
    ...(storage === undefined ? {} : { storage }),
    provedEmptyAt: provedAt.toISOString(),
    ...(missing ? { mediaMissing: true } : {}),
    ...(expired ? { mediaExpired: true } : {}),
    ...(otherCopies.length === 0 ? {} : { otherCopies }),
    ...(providerNote === undefined ? {} : { providerNote }),
  };
}
