import { canonicalize, MedzenError, type RetentionClass, sha256, toHex } from '@medzen/core';
import { localDate, localDateAt } from '@medzen/core/calendar';
import { checkClass } from './check-class.ts';
import { defaultGraceDays, defaultWarnDays, evaluateRetention } from './evaluate.ts';
import { checkFact } from './facts/check-fact.ts';
import type { RetentionPolicy } from './policy.ts';
import type { Retention } from './retention.ts';
import { agesOfMajority, type RetentionRule } from './rule.ts';

/** Configuration of `createRetention`. */
export interface RetentionConfig {
  readonly rules: readonly RetentionRule[];
  /** At most one per jurisdiction and class. */
  readonly policies?: readonly RetentionPolicy[];
}

/** Raised whenever the engine would answer the same question differently, so that stored decisions are made again. */
const engine = 3;

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
  const policyOf = ({ jurisdiction, providerClass }: RetentionClass): RetentionPolicy | undefined =>
    byClass.get(`${jurisdiction} ${providerClass}`);
  return {
    rulesVersion: versionOf(config.rules, policies),
    evaluate: (input, now) => evaluateRetention(input, config.rules, now, policyOf(input.retentionClass)),
    dayOf: localDateAt,
    check: checkFact,
    checkClass: (retentionClass) => checkClass(retentionClass, config.rules, policyOf(retentionClass)),
  };
}

/**
 * Only what decides, in an order of its own. A new version makes every decision of every recording stale, so a reworded note must not be
 * one.
 */
function versionOf(rules: readonly RetentionRule[], policies: readonly RetentionPolicy[]): string {
  const decides = ({ citation: _c, source: _s, note: _n, ...rule }: RetentionRule): object => rule;
  const byId = (list: readonly RetentionRule[]): object[] =>
    list.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(decides);
  const said = policies
    .map(({ name: _, rules: own, apply, confirm, ...policy }) => ({
      ...policy,
      rules: byId(own ?? []),
      apply: [...new Set(apply)].sort(),
      confirm: [...new Set(confirm)].sort(),
    }))
    .toSorted((a, b) => (`${a.jurisdiction} ${a.providerClass}` < `${b.jurisdiction} ${b.providerClass}` ? -1 : 1));
  const text = canonicalize(JSON.parse(JSON.stringify({ engine, agesOfMajority, rules: byId(rules), policies: said })));
  return toHex(sha256(new TextEncoder().encode(text))).slice(0, 32);
}

function checkRule(rule: RetentionRule): void {
  const { adultYears, minor, deceased, maxYears, ageOfMajority } = rule;
  const years = [adultYears, minor?.n, minor?.nIfSeventeen, deceased?.years, maxYears, ageOfMajority];
  if (!years.every((n) => whole(n ?? 0, 100)))
    refuse(`The rule ${rule.id} has years out of bounds: each must be a whole number from 0 to 100`);
  for (const date of [rule.effective?.from, rule.effective?.to]) {
    try {
      if (date !== undefined) localDate(date);
    } catch {
      refuse(`The rule ${rule.id} has no real date in effective: write YYYY-MM-DD`);
    }
  }
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
