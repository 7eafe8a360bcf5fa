import { isBeyondRecall, isMedzenError, type Recording } from '@medzen/core';
import { insist, officer } from '../people.ts';
import type { World } from '../world.ts';
import type { Invariant } from './invariants.ts';
import type { TrueRecording } from './truth.ts';

/** What must hold of the answers that people get. Checked when they get them. */
export const wordInvariants: readonly Invariant[] = [
  {
    id: 'recallable',
    sentence: 'A hold, a request or a floor is taken for as long as nothing of the recording was removed.',
  },
  { id: 'bounded-facts', sentence: 'No fact is noted whose day has not come.' },
];

function tally({ checks }: World, id: string): void {
  checks.set(id, (checks.get(id) ?? 0) + 1);
}

/** A person says something that keeps a recording, and is told whether it came in time. */
export async function keep<T>(
  world: World,
  name: string,
  recording: TrueRecording,
  verb: Parameters<typeof insist<T>>[3],
): Promise<T | undefined> {
  const answer = await insist(world, name, 3, async (...process) => {
    const { row: before, notes } = recording;
    try {
      return await verb(...process);
    } catch (error) {
      const { row: after } = recording;
      const whole = (row: Recording): boolean => row.state === 'deleting' && !isBeyondRecall(row);
      const refused = isMedzenError(error) && error.code === 'too_late';
      if (refused && whole(before) && whole(after) && recording.notes === notes)
        world.violate('recallable', `${recording.id}: ${name} came too late, and nothing was removed`);
      throw error;
    }
  });
  tally(world, 'recallable');
  return answer;
}

/** A slip of the host: a year is mistyped. */
export async function noteDayToCome(world: World, { row }: TrueRecording): Promise<void> {
  const ending = await world.run('day to come', (recordings) =>
    recordings.noteFact(
      { patient: row.patient, type: 'treatment', date: '9999-01-01', zone: row.retentionClass.zone },
      officer(world),
    ),
  );
  tally(world, 'bounded-facts');
  if (ending.status === 'answered') world.violate('bounded-facts', `${row.patient}: the year 9999 was noted`);
}
