import {
  type AccessRequest,
  type Claim,
  type ConsentRecord,
  isBeyondRecall,
  type KeepUntil,
  type LegalHold,
  type RetentionFact,
} from '@medzen/core';
import type { Fiber } from '../scheduler.ts';
import type { Seen, World } from '../world.ts';
import { whyKept } from './oracle.ts';
import type { TrueRecording } from './truth.ts';

/** Writes down what an effect did, before the invariants look at it. */
export function note(seen: Seen): void {
  const { world, effect, id, after } = seen;
  const { truth } = world;
  if (!('value' in effect.outcome)) return;
  const { value } = effect.outcome;
  const status = statusOf(value);
  const [, second] = effect.args;
  if (effect.port === 'recordings' && effect.method === 'start' && status === 'started' && after !== undefined) {
    const room = world.provider.room(after.provider, after.providerRef);
    if (room !== undefined)
      truth.recordings.set(after.id, {
        id: after.id,
        room,
        startedAt: world.scheduler.now(),
        row: after,
        allowed: new Map(),
        removed: { versions: 0, bytes: 0 },
        forgotten: false,
        lawful: false,
        notes: 0,
        ...(after.keepUntil === undefined ? {} : { keptUntil: Date.parse(after.keepUntil.until) }),
        stopEvents: 0,
        deleteEvents: 0,
        lostAtProvider: false,
      });
  }
  switch (effect.method) {
    case 'record':
      if (status === 'recorded') noteConsent(world, second as ConsentRecord); // the second argument of `record`
      break;
    case 'noteFact':
      if (status === 'noted') noteFact(world, second as RetentionFact); // the second argument of `noteFact`
      break;
    case 'placeHold':
      if (status === 'placed') noteHold(world, second as LegalHold); // the second argument of `placeHold`
      break;
    case 'openAccessRequest': {
      const request = second as AccessRequest; // the second argument of `openAccessRequest`
      if (status === 'opened' && !truth.requests.has(request.id)) noteRequest(truth, request);
      break;
    }
    case 'closeAccessRequest': {
      const request = typeof second === 'string' ? truth.requests.get(second) : undefined;
      if (request !== undefined && status === 'closed') request.open = false;
      break;
    }
    case 'extendKeep': {
      const recording = truth.recordings.get(id ?? '');
      const { until } = effect.args[2] as KeepUntil; // the third argument of `extendKeep`
      if (recording !== undefined && status === 'extended') recording.keptUntil = Date.parse(until);
      break;
    }
    case 'noteRemoval': {
      const recording = truth.recordings.get(id ?? '');
      if (recording === undefined || status !== 'noted') break;
      recording.notes += 1;
      // All that was noted turned out to be there still: what comes is judged anew.
      if (after !== undefined && !isBeyondRecall(after)) {
        recording.lawful = false;
        break;
      }
      if (recording.lawful) break;
      judgeFor(world, recording, effect.fiber);
      recording.lawful = recording.allowed.get(effect.fiber) === true;
      break;
    }
    case 'releaseHold': {
      const hold = typeof second === 'string' ? truth.holds.get(second) : undefined;
      if (hold !== undefined && status === 'released') hold.released = true;
      break;
    }
    case 'claimTransfers':
    case 'claimStops':
    case 'claimExpired':
      // What these answer with.
      for (const claim of value as readonly Claim[])
        noteClaim(world, truth.recordings.get(claim.recording.id), effect.fiber);
      break;
    case 'releaseClaim':
    case 'finishDeletion':
    case 'change':
      noteEndOfClaim(truth.recordings.get(id ?? ''), effect.fiber);
      break;
    case 'discard':
      for (const one of truth.recordings.values())
        if (one.room.ref === truth.recordings.get(id ?? '')?.room.ref) one.forgotten = true;
      break;
  }
  const recording = id === undefined ? undefined : truth.recordings.get(id);
  if (recording === undefined) return;
  if (after !== undefined) {
    if (after.state === 'deleting' && recording.row.state !== 'deleting') {
      judgeFor(world, recording, effect.fiber);
      recording.removed = { versions: 0, bytes: 0 };
      recording.forgotten = false;
      recording.lawful = false;
    }
    recording.row = after;
  }
  for (const { version } of seen.removals) {
    const whose = truth.recordings.get(version.key.split('/')[3] ?? '');
    if (whose?.row.state !== 'deleting') continue;
    whose.removed.versions += 1;
    whose.removed.bytes += version.bytes?.length ?? 0;
  }
  for (const event of seen.events) {
    if (event.target?.id !== recording.id || event.outcome !== 'success') continue;
    if (event.action === 'recording.stop') recording.stopEvents += 1;
    if (event.action === 'recording.delete') recording.deleteEvents += 1;
  }
}

/** Writes down a request, as soon as somebody was told that it is open. */
export function noteRequest({ requests }: World['truth'], { id, target }: Pick<AccessRequest, 'id' | 'target'>): void {
  requests.set(id, { id, open: true, ...target });
}

function noteClaim(world: World, recording: TrueRecording | undefined, fiber: Fiber): void {
  if (recording === undefined) return;
  judgeFor(world, recording, fiber);
  const before = recording.worker;
  recording.worker = fiber;
  if (before !== undefined && before !== fiber && world.scheduler.alive.has(before)) recording.takenFrom = before;
  else delete recording.takenFrom;
}

function noteEndOfClaim(recording: TrueRecording | undefined, fiber: Fiber): void {
  if (recording?.worker === fiber) delete recording.worker;
}

function judgeFor(world: World, recording: TrueRecording | undefined, fiber: Fiber): void {
  if (recording === undefined) return;
  const why = whyKept(world.truth, recording, world.rulesOf(fiber).truth, world.scheduler.now());
  recording.allowed.set(fiber, why.length === 0);
}

function noteConsent({ truth, scheduler }: World, consent: ConsentRecord): void {
  if (consent.decision === 'withdrawn') truth.withdrawals.set(consent.sessionId, scheduler.now());
  const words = truth.consents.get(consent.sessionId) ?? new Map<string, ConsentRecord>();
  words.set(consent.participant, consent);
  truth.consents.set(consent.sessionId, words);
}

function noteFact({ truth }: World, fact: RetentionFact): void {
  const facts = truth.facts.get(fact.patient) ?? [];
  facts.push(fact);
  truth.facts.set(fact.patient, facts);
}

function noteHold({ truth }: World, hold: LegalHold): void {
  if (!truth.holds.has(hold.id)) truth.holds.set(hold.id, { ...hold, released: false });
}

function statusOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('status' in value)) return undefined;
  return typeof value.status === 'string' ? value.status : undefined;
}
