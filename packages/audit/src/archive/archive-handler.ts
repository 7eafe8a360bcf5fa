import { type Logger, MedzenError, stderrLogger } from '@medzen/core';
import { keyedHandler } from '../keyed-handler.ts';
import type { Archiver } from './archiver.ts';

/** Options of the archive handler. */
export interface ArchiveHandlerOptions {
  readonly archiver: Pick<Archiver, 'archive'>;
  /** What a scheduler must send as `Authorization: Bearer …`: a random secret of 32 characters or more, known to it alone. */
  readonly key: string;
  /** Ranges a request at most, 1–1000; 10 when absent. What is left waits for the next one. */
  readonly maxRanges?: number;
  readonly logger?: Logger;
}

/**
 * Puts the archiver behind a request: for any scheduler, daily at 02:00 as hosts know it. Any number of requests may overlap. The purge is not
 * behind it: it needs a connection of the owner of the tables, which no service should hold.
 *
 * @returns a handler of `POST`: 200 with `{ ranges, leaves }`; 401 without the key; 405; else a problem of RFC 9457
 * @throws MedzenError `invalid_configuration` for a key that could be guessed, or a bad number of ranges
 * @example
 * ```ts
 * import { type Archiver, createArchiveHandler } from '@medzen/audit';
 * // Deno.serve(handler(archiver, Deno.env.get('ARCHIVE_KEY') ?? ''));
 * const handler = (archiver: Archiver, key: string) => createArchiveHandler({ archiver, key });
 * ```
 */
export function createArchiveHandler(options: ArchiveHandlerOptions): (request: Request) => Promise<Response> {
  const { archiver, key, maxRanges = 10, logger = stderrLogger } = options;
  if (!Number.isInteger(maxRanges) || maxRanges < 1 || maxRanges > 1000)
    throw new MedzenError('invalid_configuration', 'maxRanges must be an integer from 1 to 1000');
  return keyedHandler({
    key,
    logger,
    name: 'archiving the audit log',
    work: async (signal) => {
      let [ranges, leaves] = [0, 0];
      while (ranges < maxRanges) {
        const result = await archiver.archive(signal);
        if (result.status === 'idle') break;
        ranges++;
        leaves += result.end - result.first;
      }
      return { ranges, leaves };
    },
  });
}
