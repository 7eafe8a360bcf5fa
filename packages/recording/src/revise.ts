import {
  type ChangeResult,
  MedzenError,
  type Recording,
  type RecordingChange,
  type Scope,
  type SealedEvent,
} from '@medzen/core';
import { storeTime } from './capture/store-time.ts';
import type { Room } from './room.ts';

/** A change as computed from one reading of the row, with the event that commits with it. */
export interface Revision {
  readonly change: Omit<RecordingChange, 'expectedRevision'>;
  readonly event: SealedEvent;
}

/** How often a row may change under our hands before we let others go first. */
const rounds = 20;

/**
 * Computes a change from the row as it is, and swaps it in; when the row moved in between, computes again from the new one. A change of state
 * is dated by the store's clock where this process's contradicts it: how long a recording has been waiting decides what becomes of it.
 *
 * @param compute - pure but for sealing the event; undefined when there is nothing to change
 * @returns what the last attempt came to, or `unchanged`; never `conflict`
 * @throws MedzenError `conflict` (retryable) when the row would not hold still
 */
export async function revise(
  room: Pick<Room, 'stores' | 'clock' | 'logger'>,
  scope: Scope,
  from: Recording,
  compute: (recording: Recording) => Revision | undefined,
): Promise<
  Exclude<ChangeResult, { status: 'conflict' }> | { readonly status: 'unchanged'; readonly recording: Recording }
> {
  let recording = from;
  for (let round = 0; round < rounds; round++) {
    const revision = compute(recording);
    if (revision === undefined) return { status: 'unchanged', recording };
    const at = revision.change.to === undefined ? revision.change.at : await storeTime(room);
    const change: RecordingChange = { ...revision.change, at, expectedRevision: recording.revision };
    const result = await room.stores.recordings.change(scope, recording.id, change, revision.event);
    if (result.status !== 'conflict') return result;
    recording = result.recording;
  }
  throw new MedzenError('conflict', 'The recording is being changed by others', { retryable: true });
}
