import { isMedzenError, toProblem } from '@medzen/core';

/**
 * The answer to anything thrown, as `application/problem+json`. Nothing of an unknown error reaches the client.
 *
 * @param requestId - by which the host finds the error in its own logs
 * @see RFC 9457; RFC 9110 §11.6.1 and RFC 6750 §3 for `WWW-Authenticate`
 * @example
 * ```ts
 * import { MedzenError } from '@medzen/core';
 * import { problemResponse } from '@medzen/security';
 * problemResponse(new MedzenError('not_found', 'No such recording')).status; // 404
 * ```
 */
export function problemResponse(error: unknown, requestId?: string): Response {
  const problem = toProblem(error, requestId);
  const headers = new Headers({ 'content-type': 'application/problem+json' });
  if (isMedzenError(error)) {
    const { retryAfterSeconds } = error;
    if (retryAfterSeconds !== undefined && retryAfterSeconds >= 0)
      headers.set('retry-after', String(Math.ceil(retryAfterSeconds)));
    if (error.code === 'unauthenticated') headers.set('www-authenticate', 'Bearer');
    if (error.code === 'signature_invalid') headers.set('www-authenticate', 'Signature');
  }
  return new Response(body(problem), { status: problem.status, headers });
}

/** A fact that is not JSON (a bigint, a cycle) must not turn a refusal into something else. */
function body(problem: ReturnType<typeof toProblem>): string {
  try {
    return JSON.stringify(problem);
  } catch {
    const { facts: _, ...rest } = problem;
    return JSON.stringify(rest);
  }
}
