import type { SweepRun } from './run.ts';

/**
 * Reports what no rule and no fact gives a date: kept for ever, until a policy is set or the fact is noted. In every report, since
 * such a row is never due for anything and would otherwise be heard of once.
 */
export async function reportUndecided({ room, scope, limit, tally }: SweepRun): Promise<void> {
  const { count, recordings } = await room.stores.recordings.undecided(scope, limit);
  tally.undecided = {
    count,
    recordings: recordings.map(({ id, retentionClass: { jurisdiction, providerClass }, decision }) => ({
      id,
      jurisdiction,
      providerClass,
      reason: decision?.undated === 'unjudged' ? 'unjudged' : 'unknown',
    })),
  };
  if (count > 0) room.logger.warn('recording: no rule decides how long these are kept', { count });
}
