import { MedzenError, type RetentionFact, type RetentionFactType } from '@medzen/core';
import { addDays, addYears, compareDates, type LocalDate, localDateAt, startOfDay } from '@medzen/core/calendar';
import { applicableRules } from './applicable-rules.ts';
import { type Claims, claimsOf, suspended } from './claims.ts';
import type { RetentionBasis, RetentionDecision, RetentionInput } from './decision.ts';
import { sortFacts } from './facts/standing-facts.ts';
import type { RetentionPolicy } from './policy.ts';
import type { RetentionRule } from './rule.ts';
import { rulePeriod } from './rule-period.ts';
import { careDays, later } from './trigger-day.ts';

/** Days between the end of the duty and deletion, unless a policy says otherwise. */
export const defaultGraceDays = 90;
/** Days before deletion at which people are told, unless a policy says otherwise. */
export const defaultWarnDays = 30;

/** Result of the rules, before it is turned into dates. */
interface Reading {
  readonly basis: readonly RetentionBasis[];
  /** Reasons why the period is unknown; empty when it is known. */
  readonly unknown: readonly string[];
  readonly lastDay: LocalDate | undefined;
  readonly claims: Claims;
  /** Facts that count. */
  readonly facts: readonly RetentionFact[];
  readonly common: Pick<RetentionDecision, 'basis' | 'verified' | 'missing' | 'assumptions' | 'voided'>;
}

/**
 * Evaluates how long a recording must be kept, by which rules, and why. Pure: the same question always has the same
 * answer.
 *
 * Calendar years are counted on local dates, from the original anchor: 2,555 days are not seven years, and 29 February and seven years
 * are 1 March. The duty ends at local midnight after the anniversary; where facts are from several zones, in the one in which it comes
 * last. The longest rule decides; rules known only from compilations
 * lengthen a duty but never end one; holds and open claims beat all. Without a birth date the patient is taken for born on the day of the
 * recording, and the answer says so. A treatment that is added never brings the end nearer.
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
 * decision.missing; // []: with no birth date it would be ['birth'], and the date that of a newborn
 * ```
 */
export function evaluateRetention(
  input: RetentionInput,
  rules: readonly RetentionRule[],
  now: Date,
  policy?: RetentionPolicy,
): RetentionDecision {
  if (Number.isNaN(now.getTime())) throw new MedzenError('invalid_input', 'now must be an instant');
  const reading = read(input, rules, policy);
  const { lastDay, unknown } = reading;
  return lastDay === undefined || unknown.length > 0
    ? undated(input, reading)
    : dated(input, reading, lastDay, now, policy);
}

function read(input: RetentionInput, rules: readonly RetentionRule[], policy: RetentionPolicy | undefined): Reading {
  const { standing, voided } = sortFacts(input.facts);
  const days = careDays(input, standing);
  const basis: RetentionBasis[] = [];
  const unknown: string[] = [];
  const missing = new Set<RetentionFactType>();
  const assuming: string[] = [];
  let lastDay: LocalDate | undefined;
  let verified = false;
  for (const rule of applicableRules(input.retentionClass, rules, policy)) {
    const period = rulePeriod(rule, days);
    if (period.kind === 'silent') continue;
    const { id: ruleId, citation, source, confidence, maxYears } = rule;
    if (period.kind === 'unknown') {
      unknown.push(period.why);
      if (period.missing !== undefined) missing.add(period.missing);
      basis.push({ ruleId, citation, source, confidence });
      continue;
    }
    if (period.assumedBirth === true) {
      missing.add('birth');
      assuming.push(ruleId);
    }
    basis.push({
      ruleId,
      citation,
      source,
      confidence,
      until: addDays(period.day, 1),
      ...(maxYears === undefined ? {} : { noLongerThan: addYears(period.start, maxYears) }),
    });
    lastDay = later(lastDay ?? period.day, period.day);
    if (confidence !== 'secondary-seen' || policy?.confirm?.includes(ruleId) === true) verified = true;
  }
  basis.sort(longestFirst);
  if (!verified) unknown.unshift('no verified rule gives a period for this place and kind of provider');
  const assumptions =
    assuming.length === 0
      ? []
      : [
          `No birth date is noted, so the patient is taken for born on the day of the recording: kept as if a minor by ${assuming.join(', ')}.`,
        ];
  return {
    basis,
    unknown,
    lastDay,
    claims: claimsOf(standing),
    facts: standing,
    common: { basis, verified, missing: [...missing], assumptions, voided: voided.map(({ fact }) => fact.id) },
  };
}

function undated(input: RetentionInput, { unknown, lastDay, claims, common }: Reading): RetentionDecision {
  const atLeast = lastDay === undefined ? '' : `What is known asks to keep at least until ${addDays(lastDay, 1)}.`;
  const sentences = [
    `It cannot be told how long to keep: ${unknown.join('; ')}.`,
    'Nothing is deleted.',
    atLeast,
    ...remarks(common),
  ];
  const held = heldBy(input, claims);
  return {
    status: held === undefined ? 'unknown' : 'held',
    ...common,
    undated: 'unknown',
    explanation: join([held === undefined ? '' : `${held}.`, ...sentences]),
  };
}

function dated(
  input: RetentionInput,
  { basis, claims, facts, common }: Reading,
  lastDay: LocalDate,
  now: Date,
  policy: RetentionPolicy | undefined,
): RetentionDecision {
  const { zone } = input.retentionClass;
  const held = heldBy(input, claims);
  // An open claim has no end yet, so there is no date to give.
  if (claims.open > 0)
    return {
      status: 'held',
      ...common,
      undated: 'claim',
      explanation: join([`${held}.`, 'Nothing is deleted.', ...remarks(common)]),
    };
  let end = addDays(suspended(lastDay, claims), 1);
  const floors: string[] = [];
  const raise = (instant: string | undefined, what: string): void => {
    if (instant === undefined) return;
    const floor = addDays(localDateAt(new Date(instant), zone), 1);
    if (compareDates(floor, end) <= 0) return;
    end = floor;
    floors.push(`${what} keeps it until ${floor}, longer than any rule.`);
  };
  raise(input.lockedUntil, 'The object store’s lock');
  raise(input.keepUntil, 'A floor set for this recording');
  const grace = policy?.graceDays ?? defaultGraceDays;
  const deletable = addDays(end, grace);
  const zones = new Set([zone, ...facts.map((fact) => fact.zone)]);
  const retainUntil = lastStartOfDay(end, zones);
  const graceUntil = lastStartOfDay(deletable, zones);
  const warnAt = startOfDay(addDays(deletable, -Math.min(policy?.warnDays ?? defaultWarnDays, grace)), zone);
  const first = basis[0];
  const by = first === undefined || floors.length > 0 ? '' : ` by ${first.ruleId} (${first.citation})`;
  const forbidden = basis
    .filter(({ noLongerThan }) => noLongerThan !== undefined && compareDates(noLongerThan, deletable) < 0)
    .map(
      ({ ruleId, noLongerThan }) =>
        `${ruleId} forbids keeping it after ${noLongerThan}; nothing is deleted by that alone, a person must decide.`,
    );
  return {
    status: held === undefined ? phase(now, retainUntil, warnAt, graceUntil) : 'held',
    retainUntil: retainUntil.toISOString(),
    warnAt: warnAt.toISOString(),
    graceUntil: graceUntil.toISOString(),
    ...common,
    explanation: join([
      held === undefined ? '' : `${held}, and nothing is deleted until it is released.`,
      `The duty to keep ends on ${end}${by}; nothing is deleted before ${deletable}.`,
      ...floors,
      ...forbidden,
      ...remarks(common),
    ]),
  };
}

/** Lists assumptions and voided facts. */
function remarks({ assumptions, voided }: Reading['common']): readonly string[] {
  if (voided.length === 0) return assumptions;
  const count = voided.length === 1 ? '1 fact was' : `${voided.length} facts were`;
  return [...assumptions, `${count} taken back as mistaken and did not count.`];
}

function join(sentences: readonly string[]): string {
  return sentences.filter((sentence) => sentence !== '').join(' ');
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
