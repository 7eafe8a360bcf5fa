import { MedzenError } from '@medzen/core';
import { addDays, type LocalDate, localDateAt, startOfDay } from '@medzen/core/calendar';
import { type Claims, claimsOf, suspended } from './claims.ts';
import type { RetentionBasis, RetentionDecision, RetentionInput } from './decision.ts';
import type { RetentionPolicy } from './policy.ts';
import type { RetentionRule } from './rule.ts';
import { rulePeriod } from './rule-period.ts';
import { careDays, later } from './trigger-day.ts';

/** Days between the end of the duty and deletion, unless a policy says otherwise. */
export const defaultGraceDays = 90;
/** Days before deletion at which people are told, unless a policy says otherwise. */
export const defaultWarnDays = 30;

/**
 * How long a recording must be kept, by which rules, and why. Pure: the same question always has the same answer.
 *
 * Calendar years are counted on local dates, from the original anchor: 2,555 days are not seven years, and 29 February and seven years
 * are 1 March. The duty ends at local midnight after the anniversary; where facts are from several zones, in the one in which it comes
 * last. The longest rule decides; rules known only from compilations
 * lengthen a duty but never end one; holds and open claims beat all. Without a birth date the patient is taken to be as young as the
 * first contact allows.
 *
 * @param input - the recording's class and day, and the facts of its patient
 * @param rules - all rules known; those of the class's place and kind are applied
 * @param now - the instant to judge at
 * @param policy - of the operator for that class, if there is one
 * @throws MedzenError `invalid_input` for a bad date or an unknown zone
 * @example
 * ```ts
 * import { evaluateRetention, georgiaPsychologist, retentionRules } from '@medzen/recording';
 * const decision = evaluateRetention(
 *   {
 *     retentionClass: { jurisdiction: 'US-GA', providerClass: 'psychologist', zone: 'America/New_York' },
 *     startedAt: '2026-11-21T15:00:00.000Z',
 *     facts: [{ id: '0190…', patient: 'p1', type: 'birth', date: '1980-05-01', zone: 'America/New_York' }],
 *     holds: 0,
 *   },
 *   retentionRules,
 *   new Date('2030-01-01T00:00:00Z'),
 *   georgiaPsychologist,
 * );
 * decision.retainUntil; // '2033-11-22T05:00:00.000Z'
 * ```
 */
export function evaluateRetention(
  input: RetentionInput,
  rules: readonly RetentionRule[],
  now: Date,
  policy?: RetentionPolicy,
): RetentionDecision {
  if (Number.isNaN(now.getTime())) throw new MedzenError('invalid_input', 'Not an instant');
  const days = careDays(input);
  const claims = claimsOf(input.facts);
  const basis: RetentionBasis[] = [];
  const unknown: string[] = [];
  let lastDay: LocalDate | undefined;
  let verified = false;
  for (const rule of applicable(input, rules, policy)) {
    const period = rulePeriod(rule, days);
    if (period.kind === 'silent') continue;
    const { id: ruleId, citation, source, confidence } = rule;
    if (period.kind === 'unknown') {
      unknown.push(period.why);
      basis.push({ ruleId, citation, source, confidence });
      continue;
    }
    basis.push({ ruleId, citation, source, confidence, until: addDays(period.day, 1) });
    lastDay = later(lastDay ?? period.day, period.day);
    if (confidence !== 'secondary-seen' || policy?.confirm?.includes(ruleId) === true) verified = true;
  }
  basis.sort(longestFirst);
  if (!verified) unknown.unshift('no verified rule gives a period for this place and kind of provider');
  if (lastDay === undefined || unknown.length > 0) return undated(input, claims, basis, unknown, lastDay);
  return dated(input, claims, basis, lastDay, now, policy);
}

function applicable(
  input: RetentionInput,
  rules: readonly RetentionRule[],
  policy: RetentionPolicy | undefined,
): readonly RetentionRule[] {
  const { jurisdiction, providerClass } = input.retentionClass;
  const own = policy?.rules ?? [];
  const named = new Set(policy?.apply ?? []);
  const binding = rules.filter(
    (rule) =>
      named.has(rule.id) ||
      (rule.kind === 'minimum_retention' &&
        rule.jurisdiction === jurisdiction &&
        (rule.providerClass === providerClass || rule.providerClass === 'all')),
  );
  return [...binding, ...own];
}

function undated(
  input: RetentionInput,
  claims: Claims,
  basis: readonly RetentionBasis[],
  why: readonly string[],
  lastDay: LocalDate | undefined,
): RetentionDecision {
  const atLeast = lastDay === undefined ? '' : ` What is known asks to keep at least until ${addDays(lastDay, 1)}.`;
  const explanation = `It cannot be told how long to keep: ${why.join('; ')}. Nothing is deleted.${atLeast}`;
  return { status: heldBy(input, claims) === undefined ? 'unknown' : 'held', basis, explanation };
}

function dated(
  input: RetentionInput,
  claims: Claims,
  basis: readonly RetentionBasis[],
  lastDay: LocalDate,
  now: Date,
  policy: RetentionPolicy | undefined,
): RetentionDecision {
  const { zone } = input.retentionClass;
  const held = heldBy(input, claims);
  // An open claim has no end yet, so there is no date to give.
  if (claims.open > 0) return { status: 'held', basis, explanation: `${held}. Nothing is deleted.` };
  let end = addDays(suspended(lastDay, claims), 1);
  if (input.lockedUntil !== undefined) end = later(end, addDays(localDateAt(new Date(input.lockedUntil), zone), 1));
  const grace = policy?.graceDays ?? defaultGraceDays;
  const deletable = addDays(end, grace);
  const zones = new Set([zone, ...input.facts.map((fact) => fact.zone)]);
  const retainUntil = lastStartOfDay(end, zones);
  const graceUntil = lastStartOfDay(deletable, zones);
  const warnAt = startOfDay(addDays(deletable, -Math.min(policy?.warnDays ?? defaultWarnDays, grace)), zone);
  const first = basis[0];
  const by = first === undefined ? '' : ` by ${first.ruleId} (${first.citation})`;
  const dates = `The duty to keep ends on ${end}${by}; nothing is deleted before ${deletable}.`;
  return {
    status: held === undefined ? phase(now, retainUntil, warnAt, graceUntil) : 'held',
    retainUntil: retainUntil.toISOString(),
    warnAt: warnAt.toISOString(),
    graceUntil: graceUntil.toISOString(),
    basis,
    explanation: held === undefined ? dates : `${held}, and nothing is deleted until it is released. ${dates}`,
  };
}

/** A day ends in the west hours after it ended in the east. */
function lastStartOfDay(day: LocalDate, zones: ReadonlySet<string>): Date {
  return new Date(Math.max(...[...zones].map((zone) => startOfDay(day, zone).getTime())));
}

function phase(now: Date, retainUntil: Date, warnAt: Date, graceUntil: Date): RetentionDecision['status'] {
  if (now < retainUntil) return 'retain';
  if (now >= graceUntil) return 'eligible';
  return now < warnAt ? 'grace' : 'warn';
}

function heldBy(input: RetentionInput, claims: Claims): string | undefined {
  if (input.holds > 0) return 'A legal hold stands';
  return claims.open > 0 ? 'A claim is open' : undefined;
}

/** Rules without a date first: they are what keeps it from having one. */
function longestFirst(a: RetentionBasis, b: RetentionBasis): number {
  const left = a.until ?? '9999-12-31';
  const right = b.until ?? '9999-12-31';
  if (left !== right) return left < right ? 1 : -1;
  return a.ruleId < b.ruleId ? -1 : 1;
}
