import { copyRemains, discardProviderCopy } from '../deletion/discard.ts';
import { aborted, type SweepRun, setAside } from './run.ts';

/** Has providers remove copies that an earlier attempt could not have removed, the oldest first. What fails again waits for its turn. */
export async function discardRemaining(run: SweepRun): Promise<void> {
  const { room, scope, ctx, limit, now, signal, tally } = run;
  for (const recording of await room.stores.recordings.dueDiscards(scope, copyRemains, now, limit)) {
    if (aborted(run)) return;
    const result = await discardProviderCopy(room, ctx, recording, 1, signal);
    if (result.gone) {
      tally.discarded.push(recording.id);
      continue;
    }
    const { id } = recording;
    const attempts = await setAside(run, id, 'discard', result.code);
    tally.failed.push({ id, step: 'discard', code: result.code, ...(attempts === undefined ? {} : { attempts }) });
  }
}
