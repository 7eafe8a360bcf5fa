import { type AuditEvent, MedzenError } from '@medzen/core';
import { hourIn } from './local-hour.ts';
import type { EarlierEvent, ReviewRule } from './review-rule.ts';

/** Denials of one actor, one after the other. */
export interface DenialsOptions {
  /** How many in a row, ≥ 2; 5 when absent. */
  readonly count?: number;
  /** Within how many milliseconds; 15 minutes when absent. */
  readonly windowMs?: number;
}

/** Who is both staff and patient. */
export interface SelfAccessOptions {
  /** The patient id of an actor who is a patient too; the actor's own id when absent. */
  patientOf?(actor: string): string | undefined | Promise<string | undefined>;
  /** Whoever has this role and no other sees what is theirs by right; `patient` when absent. */
  readonly patientRole?: string;
}

/** When the house is open, and how many patients are many. */
export interface AfterHoursOptions {
  /** IANA name of the house's zone. */
  readonly zone: string;
  /** From and to, 0–24: `[8, 18.5]` is from eight to half past six. Across midnight when the first is the greater. */
  readonly open: readonly [from: number, to: number];
  /** Days that have opening hours, 0 for Sunday; Monday to Friday when absent. */
  readonly days?: readonly number[];
  /** Distinct patients read, ≥ 2; 20 when absent. */
  readonly patients?: number;
  /** Within how many milliseconds; an hour when absent. */
  readonly windowMs?: number;
}

/** Surnames, from wherever the host keeps them. */
export interface SameSurnameOptions {
  /** Undefined for whom nobody knows. */
  surnameOf(kind: 'actor' | 'patient', id: string): string | undefined | Promise<string | undefined>;
}

/** Which rules, with what the host knows. */
export interface ReviewRulesOptions {
  readonly denials?: DenialsOptions;
  readonly selfAccess?: SelfAccessOptions;
  /** Patients whose record draws the curious. */
  readonly vip?: (patient: string) => boolean | Promise<boolean>;
  readonly afterHours?: AfterHoursOptions;
  readonly sameSurname?: SameSurnameOptions;
}

/**
 * The rules of a review: break-glass, denials in a row and self-access always; VIP, bulk reads after hours and same-surname access once the host
 * says what these need. A rule of the host's own goes beside them.
 *
 * @throws MedzenError `invalid_configuration` for an unknown zone, or numbers out of their bounds
 * @see 45 CFR 164.308(a)(1)(ii)(D): regular review of records of information system activity
 * @example
 * ```ts
 * import { reviewRules } from '@medzen/audit';
 * const vips = new Set(['patient-17']);
 * const rules = reviewRules({
 *   vip: (patient) => vips.has(patient),
 *   afterHours: { zone: 'America/New_York', open: [7, 20] },
 * });
 * ```
 */
export function reviewRules(options: ReviewRulesOptions = {}): readonly ReviewRule[] {
  const { denials = {}, selfAccess = {}, vip, afterHours, sameSurname } = options;
  return [
    breakGlass,
    denialsInARow(denials),
    accessToOneself(selfAccess),
    ...(vip === undefined ? [] : [accessToVip(vip)]),
    ...(afterHours === undefined ? [] : [bulkAfterHours(afterHours)]),
    ...(sameSurname === undefined ? [] : [accessToSurname(sameSurname)]),
  ];
}

/** Every event under `BTG` or `ETREAT`, whatever its outcome: somebody claimed an emergency. */
const breakGlass: ReviewRule = {
  id: 'break-glass',
  look: ({ purpose }) => (purpose === 'BTG' || purpose === 'ETREAT' ? { detail: { purpose } } : undefined),
};

function denialsInARow({ count = 5, windowMs = 900_000 }: DenialsOptions): ReviewRule {
  atLeastTwo('denials.count', count);
  return {
    id: 'denials',
    windowMs,
    look: (event, earlier) => {
      if (event.outcome !== 'denied') return undefined;
      const before = earlier.length - 1 - earlier.findLastIndex(({ outcome }) => outcome !== 'denied');
      return before + 1 < count ? undefined : { key: onceEach(windowMs, event), detail: { count: before + 1 } };
    },
  };
}

function accessToOneself({ patientOf = (actor) => actor, patientRole = 'patient' }: SelfAccessOptions): ReviewRule {
  return {
    id: 'self-access',
    look: async (event) => {
      const { actor, patient } = event;
      if (!isAccess(event) || actor.role === patientRole || (await patientOf(actor.id)) !== patient) return undefined;
      return { key: onceEach(dayMs, event) };
    },
  };
}

function accessToVip(isVip: (patient: string) => boolean | Promise<boolean>): ReviewRule {
  return {
    id: 'vip',
    look: async (event) =>
      isAccess(event) && (await isVip(event.patient)) ? { key: onceEach(dayMs, event, event.patient) } : undefined,
  };
}

function bulkAfterHours(options: AfterHoursOptions): ReviewRule {
  const { zone, open, days = [1, 2, 3, 4, 5], patients = 20, windowMs = 3_600_000 } = options;
  atLeastTwo('afterHours.patients', patients);
  const hourOf = hourIn(zone);
  const [from, to] = open;
  if (![from, to].every((hour) => hour >= 0 && hour <= 24))
    throw new MedzenError('invalid_configuration', 'An hour lies between 0 and 24');
  const isOpen = (at: string): boolean => {
    const { weekday, hour } = hourOf(new Date(at));
    if (from <= to) return days.includes(weekday) && hour >= from && hour < to;
    // Past midnight, what is open is yesterday's day.
    return (days.includes(weekday) && hour >= from) || (days.includes((weekday + 6) % 7) && hour < to);
  };
  const counts = (event: EarlierEvent): boolean => event.kind === 'read' && isAccess(event) && !isOpen(event.at);
  return {
    id: 'after-hours',
    windowMs,
    look: (event, earlier) => {
      if (!counts(event)) return undefined;
      const seen = new Set([event, ...earlier.filter(counts)].map(({ patient }) => patient));
      return seen.size < patients ? undefined : { key: onceEach(windowMs, event), detail: { patients: seen.size } };
    },
  };
}

function accessToSurname({ surnameOf }: SameSurnameOptions): ReviewRule {
  return {
    id: 'same-surname',
    look: async (event) => {
      const { actor, patient } = event;
      if (!isAccess(event) || actor.type !== 'user' || actor.id === patient || patient === undefined) return undefined;
      const [one, other] = await Promise.all([surnameOf('actor', actor.id), surnameOf('patient', patient)]);
      if (one === undefined || other === undefined || plainName(one) !== plainName(other)) return undefined;
      return { key: onceEach(dayMs, event, patient) };
    },
  };
}

const dayMs = 86_400_000;

/** One finding for each actor and span of time, so that a night of reads is one thing to look at and not a thousand. */
function onceEach(spanMs: number, { actor, at }: AuditEvent, about = ''): string {
  return JSON.stringify([actor.type, actor.id, about, Math.floor(Date.parse(at) / spanMs)]);
}

function isAccess<E extends EarlierEvent>(event: E): event is E & { readonly patient: string } {
  return event.outcome === 'success' && event.patient !== undefined;
}

/** Accents, case and hyphens do not make another family. */
function plainName(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/[^\p{L}]/gu, '')
    .toLowerCase();
}

function atLeastTwo(option: string, count: number): void {
  if (!Number.isInteger(count) || count < 2 || count > 1000)
    throw new MedzenError('invalid_configuration', `${option} must be an integer from 2 to 1000`);
}
