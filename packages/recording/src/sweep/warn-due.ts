import { about, seal } from '../room.ts';
import { aborted, forRow, type SweepRun } from './run.ts';

/**
 * Tells people first and notes it afterwards: dying in between tells them twice, the other way round never. A deadline that moves is a
 * new deadline, and is warned of again.
 */
export async function warnDue(run: SweepRun): Promise<void> {
  const { room, scope, ctx, limit, now, tally } = run;
  const due = await room.stores.recordings.dueWarnings(scope, now, limit);
  for (const recording of due) {
    if (aborted(run)) return;
    const { graceUntil, warnAt = graceUntil } = recording.decision ?? {};
    if (graceUntil === undefined || warnAt === undefined) continue;
    const deadline = endOfNotice(now, graceUntil, warnAt);
    await forRow(run, recording.id, 'warn', async () => {
      const ruleIds = recording.decision?.ruleIds ?? [];
      await room.notifier?.retentionWarning({
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
    });
  }
}

/** What to tell people: a late warning moves the deletion, which waits as long after it as was meant. The store reckons again, by its own clock. */
function endOfNotice(now: Date, graceUntil: string, warnAt: string): string {
  const end = Date.parse(graceUntil);
  return new Date(Math.max(end, now.getTime() + end - Date.parse(warnAt))).toISOString();
}
