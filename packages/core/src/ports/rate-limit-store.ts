import type { Scope } from '../scope.ts';

/** One policy against one key. */
export interface RateLimitRequest {
  /** Opaque; 1–512 characters. Already an HMAC when the store is shared. */
  readonly key: string;
  /** Requests per period, ≥ 1. */
  readonly rate: number;
  /** Milliseconds, ≥ 1. */
  readonly periodMs: number;
  /** Requests that may come at once, ≥ 1. */
  readonly burst: number;
  /** Units this request costs, ≥ 1 and ≤ burst. */
  readonly cost: number;
}

/** The verdict on one policy. */
export interface RateLimitDecision {
  readonly allowed: boolean;
  /** Whole units left at once, ≥ 0. After the spend when everything was allowed. */
  readonly remaining: number;
  /** Milliseconds until this request could pass; 0 when allowed. */
  readonly retryAfterMs: number;
  /** Milliseconds until the full burst is available again. */
  readonly resetMs: number;
}

/**
 * Generic cell rate algorithm over one timestamp a key (ITU-T I.371; the "virtual scheduling" form).
 */
export interface RateLimitStore {
  /**
   * Decides on all requests at one instant of the store's own clock, atomically. Unless every one is allowed, nothing is
   * written: a refused request costs nothing and moves nothing.
   *
   * @param scope - keys of two tenants never meet
   * @param requests - 1–16, distinct keys
   * @returns decisions in the same order
   * @throws MedzenError `invalid_input`; `store_unavailable`
   */
  consume(scope: Scope, requests: readonly RateLimitRequest[]): Promise<readonly RateLimitDecision[]>;

  /**
   * Drops keys whose burst is whole again.
   *
   * @param limit - at most this many, 1–100 000
   * @returns how many went
   */
  cleanup(limit: number): Promise<number>;
}
