import type { RetentionPolicy } from './policy.ts';
import type { Retention } from './retention.ts';
import type { RetentionRule } from './rule.ts';

/** What `createRetention` is built from. */
export interface RetentionConfig {
  readonly rules: readonly RetentionRule[];
  /** At most one per jurisdiction and class. */
  readonly policies?: readonly RetentionPolicy[];
}

/**
 * Binds rules and policies.
 *
 * @throws MedzenError `invalid_configuration`: two rules of one id, two policies of one class, a policy that names an unknown rule, days out of bounds
 * @example
 * ```ts
 * import { createRetention, georgiaPsychologist, retentionRules } from '@medzen/recording';
 * const retention = createRetention({ rules: retentionRules, policies: [georgiaPsychologist] });
 * retention.dayOf(new Date('2026-11-21T02:00:00Z'), 'America/New_York'); // '2026-11-20'
 * ```
 */
export function createRetention(config: RetentionConfig): Retention {
  throw new Error(`to come ${config.rules.length}`);
}
