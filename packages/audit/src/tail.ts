import { type CursorStore, type IdentityStore, type LogStore, MedzenError } from '@medzen/core';
import { type OpenedLeaves, openLeaves } from './open-leaves.ts';
import { revealLeaves } from './reveal-leaves.ts';
import { sleepUntil } from './sleep-until.ts';
import { untilAborted } from './verify/until-aborted.ts';

/** Log to read and cursor store for the position. */
export interface TailDeps {
  readonly log: Pick<LogStore, 'readLeaves'>;
  readonly cursors: CursorStore;
}

/** Who follows the log, and how. */
export interface TailOptions {
  /** The cursor's: one for each place to which the log is shipped. */
  readonly name: string;
  /** Leaves in a batch at most, 1–10 000; 500 when absent. */
  readonly batch?: number;
  /** How long to wait, in milliseconds, once there is nothing new; a second when absent. */
  readonly pollMs?: number;
  /**
   * `stores.identities`, to ship clear values where the log holds pseudonyms. When absent, pseudonyms are shipped: an erasure does not reach
   * what has left.
   */
  readonly identities?: Pick<IdentityStore, 'reveal'>;
  /** Ends it, between two batches and while it waits. */
  readonly signal?: AbortSignal;
}

/** Some events of all tenants, in the order of the log. */
export interface TailBatch extends OpenedLeaves {
  /** The leaves that it covers: from the first up to, and without, the last. */
  readonly from: number;
  readonly to: number;
}

/**
 * Follows the sequenced log, for shipping it to a SIEM: gives batch after batch, and waits for new events once it has given all. To ask for the
 * next batch says that the last one has arrived, and moves the durable cursor past it. What was not said so comes again, after a crash, a `break` or a
 * throw: each event at least once, and the receiver tells repeats by their id. Nothing is read ahead, so a slow receiver slows it down. What has
 * been purged is counted and skipped.
 *
 * @returns an async iterable that ends only by the signal
 * @throws MedzenError `conflict` when another of this name moved the cursor meanwhile: both have shipped the batch, and only the other goes on;
 * `invalid_configuration` for a batch size or wait out of bounds; `store_unavailable`, and then a new tail goes on where this one was
 * @example
 * ```ts
 * import { tail } from '@medzen/audit';
 * import type { Stores } from '@medzen/core';
 * async function ship(stores: Stores, send: (lines: string) => Promise<void>, signal: AbortSignal) {
 *   for await (const { events } of tail(stores, { name: 'siem', signal }))
 *     await send(events.map(({ event }) => `${JSON.stringify(event)}\n`).join(''));
 * }
 * ```
 */
export async function* tail({ log, cursors }: TailDeps, options: TailOptions): AsyncGenerator<TailBatch, void, void> {
  const { name, batch = 500, pollMs = 1000, signal = new AbortController().signal } = options;
  if (!Number.isInteger(batch) || batch < 1 || batch > 10_000 || !(pollMs >= 0 && pollMs <= 3_600_000))
    throw new MedzenError(
      'invalid_configuration',
      'batch must be an integer from 1 to 10,000 and pollMs from 0 to 3,600,000',
    );
  let from = await cursors.read(name);
  while (!signal.aborted) {
    const leaves = await untilAborted(signal, log.readLeaves(from, batch)).catch((error: unknown) => {
      if (!signal.aborted) throw error;
      return []; // told to end while the store does not answer
    });
    if (leaves.length === 0) {
      await sleepUntil(pollMs, signal);
      continue;
    }
    const to = from + leaves.length;
    yield { from, to, ...(await revealLeaves(openLeaves(leaves), options.identities)) };
    const { status } = await cursors.move(name, from, to);
    if (status === 'conflict')
      throw new MedzenError('conflict', 'Another consumer advanced the cursor of this name; run one consumer per name');
    from = to;
  }
}
