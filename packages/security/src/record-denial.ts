import { errorFields, isMedzenError } from '@medzen/core';
import type { Attempt } from './attempt.ts';
import type { Denial } from './denials.ts';
import type { GuardTools } from './guard-tools.ts';

const denied: ReadonlySet<number> = new Set([401, 403, 429]);

/**
 * Writes down an answer that was a refusal: 401, 403, 429, 503 when the limit store is down, and any 4xx to a signed webhook, which the
 * provider will not send again.
 *
 * @param failure - what was thrown, if anything was
 * @returns never rejects
 */
export async function recordDenial(
  tools: GuardTools,
  attempt: Attempt,
  route: string,
  status: number,
  failure: unknown,
): Promise<void> {
  const code = isMedzenError(failure) ? failure.code : `http_${status}`;
  if (code === 'store_unavailable' && attempt.reason === 'limit_store') {
    const action = 'rate_limit.unavailable';
    return tools.denials.record({ ...common(attempt, route), action, outcome: 'failed', status, code });
  }
  // What a room refused, it wrote down itself, with the patient and the target, which the guard does not know.
  if (isMedzenError(failure) && failure.audited) return;
  if (attempt.signed && status >= 400 && status < 500 && !denied.has(status)) {
    const action = 'webhook.reject';
    return tools.denials.record({ ...common(attempt, route), action, outcome: 'failed', status, code });
  }
  if (!denied.has(status)) return;
  const action =
    code === 'rate_limited'
      ? 'rate_limit.exceeded'
      : code === 'signature_invalid'
        ? 'webhook.reject'
        : 'request.denied';
  await tools.denials.record({ ...common(attempt, route), action, outcome: 'denied', status, code });
}

/** Writes down, without holding the request up, that memory counted in place of the store. */
export function recordDegradedLimits(tools: GuardTools, attempt: Attempt, route: string, cause: unknown): void {
  const about = { route, requestId: attempt.requestId };
  tools.logger.warn('Limits are counted in memory', { ...about, ...errorFields(cause) });
  tools.onError(cause, about);
  const work = tools.denials.record({
    ...common(attempt, route),
    reason: 'counted in memory',
    // One event for all callers: it is the store that failed.
    subject: '',
    action: 'rate_limit.unavailable',
    outcome: 'failed',
    status: 200,
    code: 'store_unavailable',
  });
  attempt.info?.waitUntil?.(work);
}

function common(
  attempt: Attempt,
  route: string,
): Pick<Denial, 'tenant' | 'actor' | 'source' | 'route' | 'reason' | 'subject'> {
  const { scope, actor, source, reason, clientKey } = attempt;
  return { tenant: scope.tenant, actor, source, route, reason, subject: actor?.id ?? clientKey };
}
