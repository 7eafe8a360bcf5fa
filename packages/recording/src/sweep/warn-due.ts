import type { Recording } from '@medzen/core';
import { withDeadline } from '../deadline.ts';
import type { RetentionWarning } from '../notifier.ts';
import { about, seal } from '../room.ts';
import { checkNotBehind } from './check-clock.ts';
import { aborted, forRow, type SweepRun } from './run.ts';

/** How many warnings one run may look at, those that cannot be given among them. */
const most = 1000;
/** After so many warnings in a row without an answer in time, the rest waits for the next run: the steps behind it must not. */
const mostUnanswered = 3;

/** Warnings in a row that the host did not answer in time. */
interface Silence {
  unanswered: number;
}

/**
 * Tells people first and notes it afterwards: dying in between tells them twice, the other way round never. A deadline that moves is a
 * new deadline, and is warned of again. What could not be told is postponed, and does not count toward the limit: the rows behind it would
 * otherwise be warned of late.
 */
export async function warnDue(run: SweepRun): Promise<void> {
  const { room, scope, limit, now, tally } = run;
  const tried = new Set<string>();
  const silence: Silence = { unanswered: 0 };
  while (tally.warned.length < limit && tried.size < most) {
    const enough = Math.min(limit - tally.warned.length + tried.size, most);
    const due = await room.stores.recordings.dueWarnings(scope, now, enough);
    const fresh = due.filter(({ id }) => !tried.has(id));
    if (fresh.length === 0) return;
    for (const recording of fresh) {
      if (aborted(run) || silence.unanswered >= mostUnanswered) return;
      tried.add(recording.id);
      await forRow(run, recording.id, 'warn', () => warn(run, recording, silence));
    }
  }
}

async function warn(run: SweepRun, recording: Recording, silence: Silence): Promise<void> {
  const { room, scope, ctx, now, tally } = run;
  const { graceUntil, warnAt = graceUntil, ruleIds = [] } = recording.decision ?? {};
  if (graceUntil === undefined || warnAt === undefined) return;
  await checkNotBehind(room, now);
  const deadline = endOfNotice(now, graceUntil, warnAt);
  await tell(run, silence, {
    tenant: scope.tenant,
    recordingId: recording.id,
    patient: recording.patient,
    deadline,
    ruleIds,
    held: recording.holds > 0,
  });
  const event = seal(room, ctx, {
    action: 'recording.retention_warning',
    kind: 'execute',
    outcome: 'success',
    ...about(recording),
    detail: { deadline, ruleIds: [...ruleIds] },
  });
  const { status } = await room.stores.recordings.recordWarning(scope, recording.id, graceUntil, event);
  if (status === 'recorded') tally.warned.push(recording.id);
}

/** @throws MedzenError `provider_unavailable` past the deadline or after an abort; or what the host throws */
async function tell({ room, signal }: SweepRun, silence: Silence, warning: RetentionWarning): Promise<void> {
  const { notifier, timeouts } = room;
  if (notifier === undefined) return;
  let late = false;
  try {
    await withDeadline({ ms: timeouts.providerMs, code: 'provider_unavailable', signal }, (within) => {
      within.addEventListener('abort', () => {
        late = true;
      });
      return notifier.retentionWarning(warning, within);
    });
  } finally {
    silence.unanswered = late ? silence.unanswered + 1 : 0;
  }
}

/** What to tell people: a late warning moves the deletion, which waits as long after it as was meant. The store reckons again, by its own clock. */
function endOfNotice(now: Date, graceUntil: string, warnAt: string): string {
  const end = Date.parse(graceUntil);
  return new Date(Math.max(end, now.getTime() + end - Date.parse(warnAt))).toISOString();
}
