import type { RetentionClass } from '@medzen/core';
import type { RetentionPolicy } from './policy.ts';
import type { RetentionRule } from './rule.ts';

/** The rules that have a say about a class: those of its place and kind, those that the policy names, and the policy's own. */
export function applicableRules(
  { jurisdiction, providerClass }: Pick<RetentionClass, 'jurisdiction' | 'providerClass'>,
  rules: readonly RetentionRule[],
  policy: RetentionPolicy | undefined,
): readonly RetentionRule[] {
  const named = new Set(policy?.apply ?? []);
  const binding = rules.filter(
    (rule) =>
      named.has(rule.id) ||
      (rule.kind === 'minimum_retention' &&
        rule.jurisdiction === jurisdiction &&
        (rule.providerClass === providerClass || rule.providerClass === 'all')),
  );
  const all = [...binding, ...(policy?.rules ?? [])];
  return all.filter((rule) => !givesNoPeriod(rule) || !isFilled(rule, all, policy));
}

/** The law was searched, and gives no fixed period. */
function givesNoPeriod({ adultYears, deceased }: RetentionRule): boolean {
  return adultYears === null && deceased === null;
}

/**
 * True when the gap is decided where the law gives no period: by the operator, or by a rule that is closer to the class
 * than one of all.
 */
function isFilled(rule: RetentionRule, all: readonly RetentionRule[], policy: RetentionPolicy | undefined): boolean {
  if ((policy?.rules?.length ?? 0) > 0 || (policy?.apply?.length ?? 0) > 0) return true;
  if (policy?.confirm?.includes(rule.id) === true) return true;
  return rule.providerClass === 'all' && all.some((one) => one.providerClass !== 'all' && !givesNoPeriod(one));
}
