import type { Recording } from '@medzen/core';

/** A recording as clients see it: no object keys, no ids of the provider. */
export interface RecordingView {
  readonly id: string;
  readonly visit: string;
  readonly state: Recording['state'];
  readonly startedAt: string;
  readonly endedAt?: string | undefined;
  readonly durationSeconds?: number | undefined;
  readonly media?: { readonly size: number; readonly sha256: string; readonly contentType: string } | undefined;
  readonly retention?:
    | (Pick<NonNullable<Recording['decision']>, 'retainUntil' | 'warnAt' | 'graceUntil' | 'ruleIds'> &
        Pick<Recording, 'deletableAt'>)
    | undefined;
  readonly holds: number;
  readonly failure?: string | undefined;
  readonly tombstone?: Recording['tombstone'];
}

/** Chooses what leaves the house. */
export function recordingView(recording: Recording): RecordingView {
  const { id, sessionId, state, startedAt, endedAt, durationSeconds, object, decision, holds, failure } = recording;
  const { tombstone, deletableAt } = recording;
  return {
    id,
    visit: sessionId,
    state,
    startedAt,
    endedAt,
    durationSeconds,
    media: object && { size: object.size, sha256: object.sha256, contentType: object.contentType },
    retention: decision && {
      ...(decision.retainUntil === undefined ? {} : { retainUntil: decision.retainUntil }),
      ...(decision.warnAt === undefined ? {} : { warnAt: decision.warnAt }),
      ...(decision.graceUntil === undefined ? {} : { graceUntil: decision.graceUntil }),
      ...(deletableAt === undefined ? {} : { deletableAt }),
      ruleIds: decision.ruleIds,
    },
    holds,
    failure: failure?.code,
    ...(tombstone === undefined ? {} : { tombstone }),
  };
}
