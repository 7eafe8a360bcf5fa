import { MedzenError, type Recording, type RetentionFact, type Scope, type StoredDecision } from '@medzen/core';
import { tookPlaceAt } from '../capture/store-time.ts';
import { about, actingAs, type Room, seal } from '../room.ts';
import type { RetentionDecision } from './decision.ts';

/** A decision made now, as it was stored. */
export interface Decided {
  readonly decision: RetentionDecision;
  readonly factsRevision: number;
  readonly recording: Recording;
  /** It went from `archived` back to `available`. */
  readonly restored: boolean;
}

/** How often facts may arrive while we decide. */
const rounds = 5;

/**
 * Asks the rules about a recording and stores the answer, unless a fact came in between; then asks again.
 *
 * @param now - the instant to judge at; the room's clock when absent
 * @throws MedzenError `not_found`; `conflict` (retryable) when facts keep arriving; `invalid_input` when the row itself cannot be judged
 */
export async function decide(
  room: Room,
  scope: Scope,
  recording: Recording,
  now: Date = room.clock.now(),
): Promise<Decided> {
  for (let round = 0; round < rounds; round++) {
    const { decision, factsRevision } = await judge(room, scope, recording, now);
    const stored = storable(room, decision, factsRevision, now, decision.undated);
    const event = seal(room, actingAs(scope, 'sweep', 'system'), {
      action: 'recording.restore',
      kind: 'update',
      outcome: 'success',
      ...about(recording),
      detail: {
        ruleIds: [...stored.ruleIds],
        ...(stored.retainUntil === undefined ? {} : { retainUntil: stored.retainUntil }),
      },
    });
    const result = await room.stores.recordings.saveDecision(scope, recording.id, stored, event);
    if (result.status === 'not_found') throw new MedzenError('not_found', 'No such recording');
    if (result.status !== 'stale')
      return { decision, factsRevision, recording: result.recording, restored: result.status === 'restored' };
  }
  throw new MedzenError('conflict', 'Facts keep arriving', { retryable: true });
}

/** Asks the rules without storing the answer. */
export async function judge(
  room: Pick<Room, 'stores' | 'retention'>,
  scope: Scope,
  recording: Recording,
  now: Date,
): Promise<{ readonly decision: RetentionDecision; readonly factsRevision: number }> {
  const { facts, revision } = await room.stores.recordings.facts(scope, recording.patient);
  return { decision: askRules(room, recording, facts, now), factsRevision: revision };
}

function askRules(
  { retention }: Pick<Room, 'retention'>,
  recording: Recording,
  facts: readonly RetentionFact[],
  now: Date,
): RetentionDecision {
  const { retentionClass, holds, keepUntil } = recording;
  const startedAt = tookPlaceAt(recording);
  const floor = keepUntil === undefined ? {} : { keepUntil: keepUntil.until };
  return retention.evaluate({ retentionClass, startedAt, facts, holds, ...floor }, now);
}

function storable(
  room: Room,
  decision: Pick<RetentionDecision, 'basis' | 'retainUntil' | 'warnAt' | 'graceUntil'>,
  factsRevision: number,
  now: Date,
  undated: StoredDecision['undated'],
): StoredDecision {
  const { retainUntil, warnAt, graceUntil } = decision;
  return {
    rulesVersion: room.retention.rulesVersion,
    factsRevision,
    decidedAt: now.toISOString(),
    ruleIds: decision.basis.map(({ ruleId }) => ruleId),
    ...(retainUntil === undefined ? {} : { retainUntil }),
    ...(warnAt === undefined ? {} : { warnAt }),
    ...(graceUntil === undefined ? {} : { graceUntil }),
    ...(undated === undefined ? {} : { undated }),
  };
}

/**
 * Sets a row aside that the rules cannot judge: no dates, so nothing is ever due, and it is not asked about again until something changes.
 * The rules are asked once more, alone: an error of the store, however odd, says nothing about the row.
 *
 * @throws what the store throws
 */
export async function setAside(room: Room, scope: Scope, recording: Recording, now: Date): Promise<void> {
  const { facts, revision } = await room.stores.recordings.facts(scope, recording.patient);
  if (canBeJudged(room, recording, facts, now)) return;
  const event = seal(room, actingAs(scope, 'sweep', 'system'), {
    action: 'recording.restore',
    kind: 'update',
    outcome: 'success',
    ...about(recording),
  });
  await room.stores.recordings.saveDecision(
    scope,
    recording.id,
    storable(room, { basis: [] }, revision, now, 'unjudged'),
    event,
  );
}

function canBeJudged(...asked: Parameters<typeof askRules>): boolean {
  try {
    askRules(...asked);
    return true;
  } catch {
    return false; // the first call that asked has reported it
  }
}
