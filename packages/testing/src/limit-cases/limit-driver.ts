import type { RateLimitDecision, RateLimitRequest, RateLimitStore, Scope } from '@medzen/core';
import { at, holds } from '../assertions.ts';
import type { ContractCase } from '../contract.ts';
import { caseDefiner, type DefineCase } from '../define-case.ts';
import type { RateLimitStoreContext } from '../store-context.ts';

/** A case of this suite. */
export type LimitCase = ContractCase<RateLimitStoreContext>;

/** Defines one. */
export const define: DefineCase<RateLimitStoreContext> = caseDefiner('limit');

/** Ten a minute, five at once. */
export function policy(key: string, given: Partial<RateLimitRequest> = {}): RateLimitRequest {
  return { key, rate: 10, periodMs: 60_000, burst: 5, cost: 1, ...given };
}

/** The decision on one policy. */
export async function one(limits: RateLimitStore, scope: Scope, request: RateLimitRequest): Promise<RateLimitDecision> {
  const decisions = await limits.consume(scope, [request]);
  holds(decisions.length === 1, `${decisions.length} decisions for one request`);
  return at(decisions, 0, 'decision');
}
