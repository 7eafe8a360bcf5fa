import { canonicalize, MedzenError, sha256, toHex } from '@medzen/core';
import { localDate, localDateAt, startOfDay } from '@medzen/core/calendar';
import { defaultGraceDays, defaultWarnDays, evaluateRetention } from './evaluate.ts';
import type { RetentionPolicy } from './policy.ts';
import type { Retention } from './retention.ts';
import type { RetentionRule } from './rule.ts';

/** What `createRetention` is built from. */
export interface RetentionConfig {
  readonly rules: readonly RetentionRule[];
  /** At most one per jurisdiction and class. */
  readonly policies?: readonly RetentionPolicy[];
}

/** Raised whenever the engine would answer the same question differently, so that stored decisions are made again. */
const engine = 2;

/**
 * Binds rules and policies.
 *
 * @throws MedzenError `invalid_configuration`: two rules of one id, two policies of one class, a policy that names an unknown rule, days or years out of bounds
 * @example
 * ```ts
 * import { createRetention, georgiaPsychologist, retentionRules } from '@medzen/recording';
 * const retention = createRetention({ rules: retentionRules, policies: [georgiaPsychologist] });
 * retention.dayOf(new Date('2026-11-21T02:00:00Z'), 'America/New_York'); // '2026-11-20'
 * ```
 */
export function createRetention(config: RetentionConfig): Retention {
  const policies = config.policies ?? [];
  const byClass = new Map<string, RetentionPolicy>();
  const ids = new Set<string>();
  for (const rule of [...config.rules, ...policies.flatMap((policy) => policy.rules ?? [])]) {
    if (ids.has(rule.id)) refuse(`Two retention rules are called ${rule.id}`);
    ids.add(rule.id);
    checkRule(rule);
  }
  for (const policy of policies) {
    const key = `${policy.jurisdiction} ${policy.providerClass}`;
    if (byClass.has(key)) refuse(`Two retention policies are given for ${key}`);
    byClass.set(key, policy);
    for (const id of [...(policy.apply ?? []), ...(policy.confirm ?? [])])
      if (!ids.has(id)) refuse(`The policy ${policy.name} names a rule that is not known`);
    const grace = policy.graceDays ?? defaultGraceDays;
    if (!whole(grace, 3650)) refuse(`The policy ${policy.name} has no valid graceDays`);
    if (!whole(policy.warnDays ?? Math.min(defaultWarnDays, grace), grace))
      refuse(`The policy ${policy.name} has no valid warnDays`);
  }
  const version = canonicalize(JSON.parse(JSON.stringify({ engine, rules: config.rules, policies })));
  return {
    rulesVersion: toHex(sha256(new TextEncoder().encode(version))).slice(0, 32),
    evaluate: (input, now) => {
      const { jurisdiction, providerClass } = input.retentionClass;
      return evaluateRetention(input, config.rules, now, byClass.get(`${jurisdiction} ${providerClass}`));
    },
    dayOf: localDateAt,
    check: (fact) => {
      startOfDay(localDate(fact.date), fact.zone);
    },
  };
}

function checkRule(rule: RetentionRule): void {
  const years = [rule.adultYears ?? 0, rule.minor?.n ?? 0, rule.minor?.nIfSeventeen ?? 0, rule.deceased?.years ?? 0];
  if (!years.every((n) => whole(n, 100))) refuse(`The rule ${rule.id} has years out of bounds`);
  const period = rule.adultYears !== null || rule.deceased !== null;
  if (period && (rule.citation === '' || rule.source === ''))
    refuse(`The rule ${rule.id} has no citation or no source`);
}

function whole(n: number, max: number): boolean {
  return Number.isInteger(n) && n >= 0 && n <= max;
}

function refuse(message: string): never {
  throw new MedzenError('invalid_configuration', message);
}
