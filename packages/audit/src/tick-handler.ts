import { equalBytes, isMedzenError, type Logger, MedzenError, sha256, silentLogger, toProblem } from '@medzen/core';
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
  const { sequencer, key, maxTicks = 20, logger = silentLogger } = options;
  if (key.length < 32) throw new MedzenError('invalid_configuration', 'The key of a tick has 32 characters or more');
  if (!Number.isInteger(maxTicks) || maxTicks < 1 || maxTicks > 1000)
    throw new MedzenError('invalid_configuration', 'A request ticks 1 to 1000 times');
  const expected = digest(`Bearer ${key}`);

  return async (request) => {
    if (request.method !== 'POST') return problem(new MedzenError('method_not_allowed', 'Ticks are posted'));
    // Digests, so that the time it takes tells nothing of the key.
    if (!equalBytes(digest(request.headers.get('Authorization') ?? ''), expected))
      return problem(new MedzenError('unauthenticated', 'The key of the scheduler is missing or another'));
    try {
      let [sequenced, size] = [0, 0];
      for (let ticks = 0; ticks < maxTicks; ticks++) {
        const result = await sequencer.tick(request.signal);
        sequenced += result.sequenced;
        if (result.status !== 'conflict') size = result.size;
        if (result.status === 'idle') break;
      }
      return Response.json({ sequenced, size }, { headers: { 'Cache-Control': 'no-store' } });
    } catch (error) {
      logger.error('a tick failed', { code: isMedzenError(error) ? error.code : 'internal' });
      return problem(error);
    }
  };
}

function digest(text: string): Uint8Array {
  return sha256(new TextEncoder().encode(text));
}

function problem(error: unknown): Response {
  const body = toProblem(error);
  return Response.json(body, {
    status: body.status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(body.status === 405 && { Allow: 'POST' }),
      ...(body.status === 401 && { 'WWW-Authenticate': 'Bearer' }),
    },
  });
}
