import type { AuditEvent, Json } from '@medzen/core';

/** What is kept of an event for those that come after it. */
export type EarlierEvent = Pick<
  AuditEvent,
  'id' | 'at' | 'action' | 'kind' | 'outcome' | 'patient' | 'purpose' | 'target'
>;

/** What a rule says of an event that somebody must look at. */
export interface RuleFinding {
  /**
   * Findings of one rule under one key are one: queued once, whatever event completes them. The event's id when absent. It goes into the
   * finding's id as a hash, and nowhere else.
   */
  readonly key?: string;
  /** Small, without PHI: counts, spans. */
  readonly detail?: { readonly [key: string]: Json };
}

/**
 * One reason for somebody to look at what was done: a function over an event, and over what the same actor did shortly before. Of its
 * own, a rule remembers nothing, so that it finds the same wherever a scan begins.
 *
 * @see 45 CFR 164.308(a)(1)(ii)(D)
 * @example
 * ```ts
 * import type { ReviewRule } from '@medzen/audit';
 * const downloads: ReviewRule = {
 *   id: 'downloads',
 *   windowMs: 3_600_000,
 *   look: (event, earlier) =>
 *     event.action === 'recording.download' && earlier.filter(({ action }) => action === 'recording.download').length >= 9
 *       ? { key: `${event.actor.id} ${event.at.slice(0, 13)}` }
 *       : undefined,
 * };
 * ```
 */
export interface ReviewRule {
  /** 1–64 of `a-z`, `0-9` and `-`. */
  readonly id: string;
  /** How far back it looks, in milliseconds, up to a day; not at all when absent. */
  readonly windowMs?: number;
  /**
   * @param event - one of the log, whatever its outcome
   * @param earlier - of the same tenant and actor, within the window, in the order of the log; the latest 1000
   * @returns undefined for nothing to look at. What it throws stops the scan, which begins there again
   */
  look(event: AuditEvent, earlier: readonly EarlierEvent[]): RuleFinding | undefined | Promise<RuleFinding | undefined>;
}
