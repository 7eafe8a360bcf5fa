import {
  type Clock,
  errorFields,
  isMedzenError,
  type Logger,
  type LogHead,
  type LogStore,
  MedzenError,
} from '@medzen/core';
import { wellFormedNote } from './signed-note.ts';
import type { TileReader } from './tile-reader.ts';
import type { WitnessClient } from './witness-client.ts';

/** Dependencies of the cosignature collector. */
export interface CosigningDeps {
  readonly store: Pick<LogStore, 'head' | 'addCosignature'>;
  readonly tiles: Pick<TileReader, 'consistencyProof'>;
  readonly witnesses: readonly WitnessClient[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Puts a log's committed checkpoints before its witnesses. */
export interface Cosigning {
  /**
   * Asks each witness that has not cosigned this head, and stores what they give. A witness that does not answer holds nobody up; it is
   * asked again later, ever less often.
   *
   * @returns how many have cosigned it
   * @throws MedzenError `checkpoint_inconsistent` when a witness has seen a log that this one did not grow out of
   */
  cosign(head: LogHead, signal: AbortSignal | undefined): Promise<number>;
  /**
   * Number of witnesses that have answered about a head of this size: cosigned it, or reported that another sequencer
   * is further.
   */
  answered(size: number): number;
}

/** One witness, and how it went with it. */
interface Asked {
  readonly witness: WitnessClient;
  /** Up to here there is nothing left to ask: cosigned, or by another sequencer already further. */
  done: number;
  cosigned: number;
  failures: number;
  /** When it last failed, in ms since 1970. */
  failedAt: number;
}

const [firstPauseMs, maxPauseMs] = [1000, 600_000];

/** Committed first, cosigned then: a cosigned head that is not in the store could never be grown out of. */
export function createCosigning({ store, tiles, witnesses, clock, logger }: CosigningDeps): Cosigning {
  const asked: Asked[] = witnesses.map((witness) => ({ witness, done: -1, cosigned: -1, failures: 0, failedAt: 0 }));

  const ask = async (
    one: Asked,
    head: LogHead & { checkpoint: string },
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    const { size, checkpoint } = head;
    const consistencyProof = (from: number): Promise<readonly Uint8Array[]> => tiles.consistencyProof(from, size);
    try {
      const answer = await one.witness.cosign({
        checkpoint: wellFormedNote(checkpoint),
        size,
        consistencyProof,
        ...(signal && { signal }),
      });
      if (answer.status === 'inconsistent') throw forked(one);
      if (answer.status === 'ahead') {
        if ((await store.head()).size < answer.witnessSize) throw forked(one);
      } else {
        await store.addCosignature(size, answer.line);
        one.cosigned = size;
      }
      one.done = size;
      one.failures = 0;
    } catch (error) {
      signal?.throwIfAborted();
      const code = isMedzenError(error) ? error.code : 'internal';
      if (code === 'checkpoint_inconsistent') throw error;
      one.failures++;
      one.failedAt = clock.now().getTime();
      logger.warn('a witness did not cosign', { witness: nameOf(one), failures: one.failures, ...errorFields(error) });
    }
  };

  /** Time, not rounds: while there is work these follow at once, and each would wait for a witness that does not answer. */
  const rests = ({ failures, failedAt }: Asked): boolean => {
    const since = clock.now().getTime() - failedAt;
    return failures > 0 && since >= 0 && since < Math.min(firstPauseMs * 2 ** (failures - 1), maxPauseMs);
  };

  return {
    cosign: async (head, signal) => {
      const { size, checkpoint } = head;
      if (checkpoint === undefined) return 0;
      const due = asked.filter((one) => one.done < size && !rests(one));
      const results = await Promise.allSettled(due.map((one) => ask(one, { ...head, checkpoint }, signal)));
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      return asked.filter((one) => one.cosigned === size).length;
    },
    answered: (size) => asked.filter(({ done }) => done >= size).length,
  };
}

function forked(one: Asked): MedzenError {
  return new MedzenError(
    'checkpoint_inconsistent',
    'A witness has cosigned a tree that is inconsistent with this log; stop and investigate a possible fork',
    {
      detail: { witness: nameOf(one) },
    },
  );
}

function nameOf({ witness }: Asked): string {
  return witness.verifierKey.split('+')[0] ?? '';
}
