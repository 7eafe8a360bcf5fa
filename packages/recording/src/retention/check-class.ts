import { MedzenError, type RetentionClass } from '@medzen/core';
import { localDateAt } from '@medzen/core/calendar';
import { applicableRules } from './applicable-rules.ts';
import type { RetentionPolicy } from './policy.ts';
import type { RetentionRule } from './rule.ts';

/** Number of known names that a message lists. */
const shown = 40;

/**
 * Refuses a class that no rule and no policy knows: its recordings could never be decided about, and a misspelled name would look like
 * one that is kept for good reason. A class of which the law is known to give no period, or only by a compilation, is let in: its decisions
 * say `unknown`, and every sweep reports them.
 *
 * @param policy - of the operator for that class, if there is one
 * @throws MedzenError `invalid_input` with the field, its value and what is known, in the message and in `detail`
 */
export function checkClass(
  retentionClass: RetentionClass,
  rules: readonly RetentionRule[],
  policy: RetentionPolicy | undefined,
): void {
  const { jurisdiction, providerClass, zone } = retentionClass;
  try {
    localDateAt(new Date(0), zone);
  } catch (cause) {
    refuse('zone', zone, [], 'use an IANA time zone, such as America/New_York', cause);
  }
  if (applicableRules(retentionClass, rules, policy).length > 0) return;
  const here = rules.filter((rule) => rule.jurisdiction === jurisdiction);
  if (here.length === 0) {
    const known = [...new Set(rules.map((rule) => rule.jurisdiction))].sort();
    const near = known.find((one) => one.toUpperCase().endsWith(`-${jurisdiction.toUpperCase()}`));
    const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
    refuse('jurisdiction', jurisdiction, known, `use an ISO 3166 code that is known${hint}, or give a policy for it`);
  }
  const classes = [...new Set(here.map((rule) => rule.providerClass))].sort();
  // A recommendation, say: known, and undecided until a policy applies it.
  if (!classes.includes(providerClass))
    refuse(
      'providerClass',
      providerClass,
      classes,
      `use one that is known in ${jurisdiction}, or give a policy for it`,
    );
}

function refuse(
  field: keyof RetentionClass,
  value: string,
  known: readonly string[],
  remedy: string,
  cause?: unknown,
): never {
  const list = known.length === 0 ? '' : `: ${known.slice(0, shown).join(', ')}${known.length > shown ? ', …' : ''}`;
  throw new MedzenError(
    'invalid_input',
    `retentionClass.${field} ${JSON.stringify(value)} is not known; ${remedy}${list}`,
    { pointers: [`/retentionClass/${field}`], detail: { field, value, known: [...known] }, cause },
  );
}
