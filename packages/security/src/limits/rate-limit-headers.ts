import type { RateLimitDecision } from '@medzen/core';
import type { Limit } from './limit.ts';

/** Names and values to set on an answer. */
export type HeaderFields = readonly (readonly [name: string, value: string])[];

/** Whole seconds, rounded up: a client that waits so long is never early. */
function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}

/**
 * `RateLimit-Policy` and `RateLimit`, and on a refusal `Retry-After`. A refusal lists only the policies that refused, so
 * that no `t` is later than `Retry-After`.
 *
 * @param decisions - of the limits, in the same order
 * @see draft-ietf-httpapi-ratelimit-headers-11; RFC 9651 (Structured Fields); RFC 9110 §10.2.3
 */
export function rateLimitFields(limits: readonly Limit[], decisions: readonly RateLimitDecision[]): HeaderFields {
  const policies: string[] = [];
  const states: string[] = [];
  let retryAfter = 0;
  const refused = decisions.some((decision) => !decision.allowed);
  for (const [i, limit] of limits.entries()) {
    const decision = decisions[i];
    if (decision === undefined) continue;
    policies.push(`"${limit.name}";q=${limit.rate};w=${seconds(limit.periodMs)}`);
    if (refused && decision.allowed) continue;
    const wait = refused ? Math.max(1, seconds(decision.retryAfterMs)) : seconds(decision.resetMs);
    states.push(`"${limit.name}";r=${refused ? 0 : Math.max(0, Math.floor(decision.remaining))};t=${wait}`);
    retryAfter = Math.max(retryAfter, refused ? wait : 0);
  }
  if (policies.length === 0) return [];
  return [
    ['ratelimit-policy', policies.join(', ')],
    ['ratelimit', states.join(', ')],
    ...(refused ? [['retry-after', String(retryAfter)] as const] : []),
  ];
}
