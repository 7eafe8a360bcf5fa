import { equalBytes, errorFields, type Logger, MedzenError, sha256, toProblem } from '@medzen/core';

/** A job that a scheduler starts by a request, and nobody else. */
export interface KeyedJob {
  /** What a scheduler must send as `Authorization: Bearer …`: a random secret of 32 characters or more, known to it alone. */
  readonly key: string;
  readonly logger: Logger;
  /** For the log, when it fails. */
  readonly name: string;
  /** Does the work, and says what came of it, in words and numbers that may stand in a log of the scheduler. */
  work(signal: AbortSignal): Promise<Readonly<Record<string, number>>>;
}

/**
 * Puts a job behind a request.
 *
 * @returns a handler of `POST`: 200 with what the job says; 401 without the key; 405; else a problem of RFC 9457
 * @throws MedzenError `invalid_configuration` for a key that could be guessed
 */
export function keyedHandler({ key, logger, name, work }: KeyedJob): (request: Request) => Promise<Response> {
  if (key.length < 32)
    throw new MedzenError('invalid_configuration', 'The key of a scheduler has 32 characters or more');
  const expected = digest(`Bearer ${key}`);
  return async (request) => {
    if (request.method !== 'POST') return problem(new MedzenError('method_not_allowed', 'Jobs are posted'));
    // Digests, so that the time it takes tells nothing of the key.
    if (!equalBytes(digest(request.headers.get('Authorization') ?? ''), expected))
      return problem(new MedzenError('unauthenticated', 'The key of the scheduler is missing or another'));
    try {
      return Response.json(await work(request.signal), { headers: { 'Cache-Control': 'no-store' } });
    } catch (error) {
      logger.error(`${name} failed`, errorFields(error));
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
