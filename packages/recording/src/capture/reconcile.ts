import { type Claim, errorFields, type Recording, type Scope } from '@medzen/core';
import { codeOf } from '../backoff.ts';
import { checkWhole } from '../check-input.ts';
import { withDeadline } from '../deadline.ts';
import type { CaptureStatus } from '../provider.ts';
import type { ReconcileOptions, ReconcileReport } from '../recordings.ts';
import { actingAs, providerOf, type Room } from '../room.ts';
import { applyPlan } from './apply-plan.ts';
import { type LookOutcome, planLook } from './look-plan.ts';

/** Asked at once: providers allow dozens of questions a second, and each takes a few. */
const together = 5;
/** Rows whose provider is not configured are set aside without counting; so many times the limit at most. */
const asideFactor = 10;

/** A report while it is being filled. */
type Tally = { -readonly [K in keyof ReconcileReport]: ReconcileReport[K] extends readonly (infer T)[] ? T[] : number };

/** See `Recordings.reconcile`. */
export async function reconcile(room: Room, scope: Scope, options: ReconcileOptions = {}): Promise<ReconcileReport> {
  const { limit = 100, leaseMs = 120_000, signal } = options;
  checkWhole(limit, 1, 1000, '/limit');
  checkWhole(leaseMs, 1000, 3_600_000, '/leaseMs');
  const tally: Tally = { asked: 0, moved: [], stopped: [], failed: [], retrying: [], setAside: [], overdue: [] };
  while (tally.asked < limit && tally.setAside.length < limit * asideFactor && signal?.aborted !== true) {
    const batch = { limit: Math.min(together, limit - tally.asked), leaseMs };
    const claims = await room.stores.recordings.claimReconciliations(scope, batch);
    if (claims.length === 0) break;
    const now = await room.stores.recordings.clock();
    await Promise.all(claims.map((claim) => reconcileOne(room, scope, claim, now, tally, signal)));
  }
  return tally;
}

/** Never throws: what one row comes to stops nothing else. */
async function reconcileOne(
  room: Room,
  scope: Scope,
  claim: Claim,
  now: Date,
  tally: Tally,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { recording, token, attempts } = claim;
  const { id, state } = recording;
  const ctx = actingAs(scope, 'reconcile', 'system');
  let again: number | null = 300;
  try {
    const answer = await ask(room, recording, attempts, tally, signal);
    const plan = planLook(recording, answer, now, attempts);
    again = plan.againSeconds;
    if (plan.overdue === true) tally.overdue.push({ id, state, since: recording.stateAt });
    const result = await applyPlan(room, ctx, recording, plan, signal);
    if (result.stopped) tally.stopped.push(id);
    const { recording: row } = result;
    if (row.state !== state) tally.moved.push({ id, from: state, to: row.state });
    if (row.state === 'failed' && state !== 'failed') tally.failed.push({ id, code: row.failure?.code ?? 'internal' });
  } catch (error) {
    const code = codeOf(error);
    room.logger.warn('recording: could not be reconciled', { recording: id, ...errorFields(error), attempts });
    tally.retrying.push({ id, code, attempts });
    // What the answer called for was not done, or nobody knows: the row has not moved, so it must not be left alone for good.
    again = Math.min(again ?? 300, 300);
  }
  // An operator who stops us is no reason to wait. Should the store be down, the lease ends by itself.
  await room.stores.recordings
    .releaseReconciliation(scope, id, token, signal?.aborted === true ? 1 : again)
    .catch((failure: unknown) =>
      room.logger.warn('recording: a claim was not given back, and ends by itself', {
        recording: id,
        ...errorFields(failure),
      }),
    );
}

async function ask(
  room: Room,
  recording: Recording,
  attempts: number,
  tally: Tally,
  signal: AbortSignal | undefined,
): Promise<LookOutcome> {
  const { id } = recording;
  if (!Object.hasOwn(room.providers, recording.provider)) {
    tally.setAside.push({ id, code: 'provider_not_configured' });
    return { status: 'not_configured' };
  }
  tally.asked += 1;
  try {
    return await look(room, recording, signal);
  } catch (error) {
    // A run that was aborted has not asked.
    if (signal?.aborted === true) throw error;
    const code = codeOf(error);
    room.logger.warn('recording: the provider could not be asked', { recording: id, ...errorFields(error), attempts });
    tally.retrying.push({ id, code, attempts });
    return { status: 'unreachable' };
  }
}

/** Asks the provider, with a deadline. @throws MedzenError `provider_unavailable`, `invalid_configuration` */
export async function look(room: Room, recording: Recording, signal?: AbortSignal): Promise<CaptureStatus> {
  const provider = providerOf(room, recording);
  return withDeadline({ ms: room.timeouts.providerMs, code: 'provider_unavailable', signal }, (within) =>
    provider.look(recording, within),
  );
}
