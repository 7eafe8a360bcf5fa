import { type Logger, MedzenError, stderrLogger } from '@medzen/core';
import { keyedHandler } from './keyed-handler.ts';
import type { Sequencer } from './sequencer.ts';

/** How the handler works. */
export interface TickHandlerOptions {
  readonly sequencer: Pick<Sequencer, 'tick'>;
  /** What a scheduler must send as `Authorization: Bearer …`: a random secret of 32 characters or more, known to it alone. */
  readonly key: string;
  /** Batches a request at most, 1–1000; 20 when absent. What is left waits for the next one. */
  readonly maxTicks?: number;
  readonly logger?: Logger;
}

/**
 * Puts the sequencer behind a request, for hosts without a process that runs on: pg_cron with pg_net, EventBridge, a Worker's cron. Each request
 * ticks until nothing waits. Any number of requests may overlap.
 *
 * @returns a handler of `POST`: 200 with `{ sequenced, size }`; 401 without the key; 405; else a problem of RFC 9457
 * @throws MedzenError `invalid_configuration` for a key that could be guessed, or a bad number of ticks
 * @example
 * ```ts
 * import { createTickHandler, type Sequencer } from '@medzen/audit';
 * // Deno.serve(handler(sequencer, Deno.env.get('TICK_KEY') ?? ''));
 * const handler = (sequencer: Sequencer, key: string) => createTickHandler({ sequencer, key });
 * ```
 */
export function createTickHandler(options: TickHandlerOptions): (request: Request) => Promise<Response> {
  const { sequencer, key, maxTicks = 20, logger = stderrLogger } = options;
  if (!Number.isInteger(maxTicks) || maxTicks < 1 || maxTicks > 1000)
    throw new MedzenError('invalid_configuration', 'maxTicks must be an integer from 1 to 1000');
  return keyedHandler({
    key,
    logger,
    name: 'a tick',
    work: async (signal) => {
      let [sequenced, size] = [0, 0];
      for (let ticks = 0; ticks < maxTicks; ticks++) {
        const result = await sequencer.tick(signal);
        sequenced += result.sequenced;
        if (result.status !== 'conflict') size = result.size;
        if (result.status === 'idle') break;
      }
      return { sequenced, size };
    },
  });
}
