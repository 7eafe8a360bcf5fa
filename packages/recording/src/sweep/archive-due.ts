import { about, seal, timestamp } from '../room.ts';
import { aborted, forRow, type SweepRun } from './run.ts';

/** Moves into the grace what is past its retention. A row that changes meanwhile is left to the next sweep. */
export async function archiveDue(run: SweepRun): Promise<void> {
  const { room, scope, ctx, limit, now, tally } = run;
  const due = await room.stores.recordings.dueArchives(scope, now, room.retention.rulesVersion, limit);
  for (const recording of due) {
    if (aborted(run)) return;
    await forRow(run, recording.id, 'archive', async () => {
      const { retainUntil, graceUntil, ruleIds } = recording.decision ?? { ruleIds: [] };
      const event = seal(room, ctx, {
        action: 'recording.archive',
        kind: 'update',
        outcome: 'success',
        ...about(recording),
        detail: {
          ruleIds: [...ruleIds],
          ...(retainUntil === undefined ? {} : { retainUntil }),
          ...(graceUntil === undefined ? {} : { graceUntil }),
        },
      });
      const change = { to: 'archived', at: timestamp(room), expectedRevision: recording.revision } as const;
      const { status } = await room.stores.recordings.change(scope, recording.id, change, event);
      if (status === 'changed') tally.archived.push(recording.id);
    });
  }
}
