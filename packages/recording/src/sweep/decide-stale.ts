import { isMedzenError } from '@medzen/core';
import { decide, setAside } from '../retention/decide.ts';
import { aborted, forRow, type SweepRun } from './run.ts';

/**
 * Decides again what rests on earlier facts or earlier rules. All of it, page by page: what comes after in the sweep trusts stored
 * decisions. A row that the rules cannot judge gets a decision without dates, or it would stand at the head of every page.
 */
export async function decideStale(run: SweepRun): Promise<void> {
  const { room, scope, limit, now, tally } = run;
  const seen = new Set<string>();
  for (;;) {
    const page = await room.stores.recordings.staleDecisions(scope, room.retention.rulesVersion, limit);
    const fresh = page.filter(({ id }) => !seen.has(id));
    // Facts that keep arriving bring a row back; the next sweep has it.
    if (fresh.length === 0) return;
    for (const recording of fresh) {
      if (aborted(run)) return;
      seen.add(recording.id);
      await forRow(run, recording.id, 'decide', async () => {
        try {
          const { restored } = await decide(room, scope, recording, now);
          tally.decided += 1;
          if (restored) tally.restored.push(recording.id);
        } catch (error) {
          if (isMedzenError(error) && error.retryable) throw error;
          await setAside(room, scope, recording, now);
          throw error;
        }
      });
    }
  }
}
