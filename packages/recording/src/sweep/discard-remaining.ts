import { copyRemains, discardProviderCopy } from '../discard.ts';
import { aborted, type SweepRun } from './run.ts';

/** Has providers remove copies that an earlier attempt could not have removed. */
export async function discardRemaining(run: SweepRun): Promise<void> {
  const { room, scope, ctx, limit, tally } = run;
  const query = { state: 'available', failureCode: copyRemains, limit: Math.min(limit, 200) } as const;
  const { recordings } = await room.stores.recordings.list(scope, query);
  for (const recording of recordings) {
    if (aborted(run)) return;
    if (recording.failure?.code !== copyRemains) continue;
    if (await discardProviderCopy(room, ctx, recording, 1)) tally.discarded.push(recording.id);
    else tally.failed.push({ id: recording.id, step: 'discard', code: 'provider_unavailable' });
  }
}
