import {
  type AccessRequest,
  type CallContext,
  isMedzenError,
  type KeepUntil,
  type LegalHold,
  type Recording,
  type RecordingLock,
  type RetentionClass,
  type RetentionFact,
  type RetentionFactType,
} from '@medzen/core';
import { witness } from '../../audited.ts';
import { hasRole, recordingFor } from '../../authorise.ts';
import { about, type Room } from '../../room.ts';
import { judge } from '../decide.ts';
import type { RetentionBasis, RetentionDecision } from '../decision.ts';
import { sortFacts, type VoidedFact } from '../facts/standing-facts.ts';
import { nextSteps } from './next-steps.ts';

/** Explanation of why a recording is kept, and until when. Judged anew; nothing is stored. */
export interface RetentionExplanation {
  readonly id: string;
  readonly state: Recording['state'];
  readonly retentionClass: RetentionClass;
  readonly status: RetentionDecision['status'];
  /** The rules that have a say, the one that decides first, each with its citation, source and confidence. */
  readonly rules: readonly RetentionBasis[];
  /** Version of the evaluated rules and policies. */
  readonly rulesVersion: string;
  /**
   * True when the stored decision used these rules and the present facts. If not, the next sweep decides again before
   * it does anything.
   */
  readonly current: boolean;
  readonly facts: {
    /** In the order in which they were noted. */
    readonly used: readonly RetentionFact[];
    /** Taken back as mistaken, each with the id of the fact that did so. */
    readonly voided: readonly VoidedFact[];
  };
  /** RFC 3339 UTC. Absent where there is none. */
  readonly dates: {
    readonly retainUntil?: string;
    readonly warnAt?: string;
    readonly graceUntil?: string;
    /** Nothing is deleted before it. Absent until people were warned of the present deadline. */
    readonly deletableAt?: string;
  };
  readonly keepUntil?: KeepUntil;
  /** Lock that kept the object store from deleting it when it was last asked. */
  readonly lock?: RecordingLock;
  /** Holds that stand, on the recording or on its patient. */
  readonly holds: {
    readonly active: number;
    /** With matter and reason, released ones too: for roles of `hold` only. */
    readonly list?: readonly LegalHold[];
  };
  /** Open access requests, on the recording or on its patient: they stop a deletion as a hold does. */
  readonly accessRequests: {
    readonly open: number;
    /** With due dates, closed ones too, the 200 that are due first: for roles of `accessRequests` only. */
    readonly list?: readonly AccessRequest[];
  };
  readonly missing: readonly RetentionFactType[];
  readonly assumptions: readonly string[];
  readonly explanation: string;
  /** Steps before it can be deleted, in order, a sentence each. Empty when it is deleted. */
  readonly next: readonly string[];
}

const what = { action: 'recording.explain', kind: 'read' } as const;

/** See `Recordings.explain`. */
export async function explain(room: Room, id: string, ctx: CallContext): Promise<RetentionExplanation> {
  const recording = await recordingFor(room, id, ctx, what, () => hasRole(ctx, room.roles.seeAll));
  const { facts, revision } = await room.stores.recordings.facts(ctx.scope, recording.patient);
  const list = hasRole(ctx, room.roles.hold) ? await room.stores.recordings.holds(ctx.scope, id) : undefined;
  const requests = hasRole(ctx, room.roles.accessRequests)
    ? (await room.stores.recordings.accessRequests(ctx.scope, { recordingId: id, limit: 200 })).requests
    : undefined;
  const { decision, judged } = await judgedNow(room, recording, ctx);
  const { standing, voided } = sorted(facts);
  const { retentionClass, state, keepUntil, deletableAt } = recording;
  const { status, basis, missing, assumptions, explanation, retainUntil, warnAt, graceUntil } = decision;
  const current =
    recording.decision?.rulesVersion === room.retention.rulesVersion && recording.decision.factsRevision === revision;
  const answer: RetentionExplanation = {
    id,
    state,
    retentionClass,
    status,
    rules: basis,
    rulesVersion: room.retention.rulesVersion,
    current,
    facts: { used: standing, voided },
    dates: {
      ...(retainUntil === undefined ? {} : { retainUntil }),
      ...(warnAt === undefined ? {} : { warnAt }),
      ...(graceUntil === undefined ? {} : { graceUntil }),
      // Of another decision, it would be a date that no longer holds.
      ...(deletableAt === undefined || !current ? {} : { deletableAt }),
    },
    ...(keepUntil === undefined ? {} : { keepUntil }),
    ...(recording.lock === undefined ? {} : { lock: recording.lock }),
    holds: { active: recording.holds, ...(list === undefined ? {} : { list }) },
    accessRequests: { open: recording.accessRequests, ...(requests === undefined ? {} : { list: requests }) },
    missing,
    assumptions,
    explanation,
    next: judged ? nextSteps(recording, decision, current) : ['The fact that cannot be read must be voided.'],
  };
  const detail = { state, status, facts: facts.length, holds: recording.holds };
  await witness(room, ctx, [{ ...what, outcome: 'success', ...about(recording), detail }]);
  return answer;
}

/** A row that the rules cannot judge is explained all the same: it is the one that people ask about. */
async function judgedNow(
  room: Room,
  recording: Recording,
  ctx: CallContext,
): Promise<{ readonly decision: RetentionDecision; readonly judged: boolean }> {
  try {
    return { decision: (await judge(room, ctx.scope, recording, room.clock.now())).decision, judged: true };
  } catch (error) {
    if (!isMedzenError(error) || error.code !== 'invalid_input') throw error;
    const decision: RetentionDecision = {
      status: 'unknown',
      basis: [],
      verified: false,
      undated: 'unknown',
      missing: [],
      assumptions: [],
      voided: [],
      explanation: `The rules cannot be applied: ${error.message}. Nothing is deleted. Void the fact that is wrong.`,
    };
    return { decision, judged: false };
  }
}

function sorted(facts: readonly RetentionFact[]): ReturnType<typeof sortFacts> {
  try {
    return sortFacts(facts);
  } catch {
    return { standing: facts, voided: [] };
  }
}
