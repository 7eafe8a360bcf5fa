import type { RetentionFact } from '@medzen/core';
import { holdsOn, isRequested, type TrueRecording, type Truth } from './truth.ts';

/** How long the law and the operator keep a recording, as the simulator itself reads them. */
export interface TrueRules {
  readonly name: string;
  /** Periods of which the longest counts. */
  readonly periods: readonly TruePeriod[];
  /** Whole years from birth, for who was a minor then. */
  readonly minorYears: number;
  readonly graceDays: number;
  readonly warnDays: number;
}

/** A duty of so many whole years from the last treatment, for as long as the law had it. */
export interface TruePeriod {
  readonly years: number;
  /** The first and the last day of that law, YYYY-MM-DD. What began to run under it goes on. */
  readonly from?: string;
  readonly to?: string;
}

const day = 86_400_000;
const zone = 'America/New_York';

const local = new Intl.DateTimeFormat('en-CA', {
  timeZone: zone,
  hourCycle: 'h23',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/** The wall clock of the zone, as if it were UTC. */
function wall(ms: number): number {
  const parts = new Map(local.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
}

/** Remembers what a function of one number answered: the same days are asked about at every step of a world. */
function remembered(reckon: (n: number) => number): (n: number) => number {
  const known = new Map<number, number>();
  return (n) => {
    const before = known.get(n);
    if (before !== undefined) return before;
    const answer = reckon(n);
    known.set(n, answer);
    return answer;
  };
}

/** The instant of a local midnight: the zone is 4 or 5 hours behind. */
const midnight = remembered((date) => {
  for (const hours of [4, 5]) {
    const instant = date + hours * 3_600_000;
    if (wall(instant) === date) return instant;
  }
  throw new RangeError('No such midnight');
});

/** The date of an instant, as midnight of it in UTC. */
const dateOf = remembered((ms) => Math.floor(wall(ms) / day) * day);

function plusYears(date: number, years: number): number {
  const at = new Date(date);
  // 29 February and a year without one is 1 March.
  return Date.UTC(at.getUTCFullYear() + years, at.getUTCMonth(), at.getUTCDate());
}

/** Facts that no later fact takes back, unless that one was taken back itself. */
function standing(facts: readonly RetentionFact[]): readonly RetentionFact[] {
  const taken = new Set<string>();
  const kept: RetentionFact[] = [];
  for (const fact of facts.toReversed()) {
    if (taken.has(fact.id)) continue;
    if (fact.voids !== undefined) taken.add(fact.voids);
    kept.push(fact);
  }
  return kept;
}

const contacts: ReadonlySet<RetentionFact['type']> = new Set(['treatment', 'discharge', 'therapy_ended']);

/** Claims day by day, the opening of one before the closing of another. */
function claimSteps(facts: readonly RetentionFact[]): readonly { readonly by: number; readonly at: number }[] {
  return facts
    .filter(({ type }) => type === 'claim_opened' || type === 'claim_closed')
    .map(({ type, date }) => ({ by: type === 'claim_opened' ? 1 : -1, at: Date.parse(`${date}T00:00:00Z`) }))
    .toSorted((a, b) => a.at - b.at || b.by - a.by);
}

/** How many claims are open in the end. A closing that finds no open claim closes none that is still to come. */
function openClaims(facts: readonly RetentionFact[]): number {
  return claimSteps(facts).reduce((open, { by }) => Math.max(0, open + by), 0);
}

/**
 * The last day of a period of which the days with an open claim do not count. A claim that was opened after it had ended lengthens it no more.
 * Of two closings of one claim the later counts.
 *
 * @param until - the last day of the period without claims
 */
function withoutClaims(until: number, facts: readonly RetentionFact[]): number {
  let [end, open, since] = [until, 0, 0];
  let closed: number | undefined;
  for (const { by, at } of claimSteps(facts)) {
    if (open === 0 && by > 0) {
      if (at > end) break;
      since = at;
    }
    if (open > 0 || by > 0) {
      open += by;
      if (open > 0) continue;
      end += at - since + day;
      closed = at;
    } else if (closed !== undefined) {
      end += at - closed;
      closed = at;
    }
  }
  return end;
}

/**
 * The first instant at which rules and facts let a recording be deleted: an independent reckoning, on plain numbers.
 *
 * @returns infinity while a claim is open
 */
function deletableFrom(truth: Truth, recording: TrueRecording, rules: TrueRules): number {
  const facts = standing(truth.facts.get(recording.row.patient) ?? []);
  const own = dateOf(recording.startedAt);
  const days = facts.filter(({ type }) => contacts.has(type)).map(({ date }) => Date.parse(`${date}T00:00:00Z`));
  const births = facts.filter(({ type }) => type === 'birth').map(({ date }) => Date.parse(`${date}T00:00:00Z`));
  const birth = births.length === 0 ? Math.min(own, ...days) : Math.max(...births);
  if (openClaims(facts) > 0) return Number.POSITIVE_INFINITY;
  const adult = Math.max(...rules.periods.map((period) => endOf(period, own, days)));
  const wasMinor = own < plusYears(birth, 18);
  const until = wasMinor ? Math.max(adult, plusYears(birth, rules.minorYears)) : adult;
  const duty = withoutClaims(until, facts);
  const floor = recording.keptUntil === undefined ? duty : dateOf(recording.keptUntil);
  return midnight(Math.max(duty, floor) + day + rules.graceDays * day);
}

/** The last day of a period; minus infinity where it never began. */
function endOf({ years, from, to }: TruePeriod, own: number, days: readonly number[]): number {
  const first = from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(from);
  const last = to === undefined ? Number.POSITIVE_INFINITY : Date.parse(to);
  if (own > last) return Number.NEGATIVE_INFINITY;
  const start = Math.max(own, ...days.filter((date) => date <= last));
  return start < first ? Number.NEGATIVE_INFINITY : plusYears(start, years);
}

/** Why a recording may not be deleted now; empty when it may. */
export function whyKept(truth: Truth, recording: TrueRecording, rules: TrueRules, now: number): readonly string[] {
  const why: string[] = [];
  if (holdsOn(truth, recording) > 0) why.push('a legal hold stands');
  if (isRequested(truth, recording)) why.push('an access request is open');
  const from = deletableFrom(truth, recording, rules);
  if (now < from)
    why.push(`rules keep it until ${Number.isFinite(from) ? new Date(from).toISOString() : 'the claim is closed'}`);
  const { notice } = recording;
  if (notice === undefined) why.push('nobody was told');
  else if (now < notice.deadline) why.push(`people were told ${new Date(notice.deadline).toISOString()}`);
  else if (now < notice.at + rules.warnDays * day - 3_600_000) why.push('people were told too late');
  return why;
}
