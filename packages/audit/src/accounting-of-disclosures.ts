import { type AuditEvent, type Clock, MedzenError, type Scope, systemClock } from '@medzen/core';
import type { EventPages } from './access-report.ts';
import type { AccountingSuspension } from './accounting-suspension.ts';
import { standingOf } from './disclosure-standing.ts';
import type { ExemptBasis } from './exempt-disclosure.ts';
import { type CalendarDate, checkDay, dayIn } from './local-day.ts';
import { suspendedAt } from './suspended-recipients.ts';
import { pagesUntil } from './verify/until-aborted.ts';

/** Request for {@link accountingOfDisclosures}. */
export interface AccountingRequest {
  /** The day of the request, `YYYY-MM-DD`: what the six years reach back from. */
  readonly requestedOn: CalendarDate;
  /** First day, when the person asks for less than six years (164.528(a)(3)). */
  readonly from?: CalendarDate;
  /** Last day, inclusive; the day of the request when absent. */
  readonly to?: CalendarDate;
  /** IANA name of the zone whose calendar dates the disclosures. */
  readonly zone: string;
  /** Statements of health oversight agencies and law enforcement officials. */
  readonly suspensions?: readonly AccountingSuspension[];
  /**
   * Whether several disclosures under this basis may stand as a series: those under 164.502(a)(2)(ii) or 164.512 may (164.528(b)(3)). When absent:
   * a basis that cites one of the two.
   */
  readonly mayBeSeries?: (basis: string) => boolean;
  /** Gives `generatedAt`, and tells which suspensions hold; the machine's own when absent. */
  readonly clock?: Clock;
  /** Ends the report with its reason, while the store does not answer too. */
  readonly signal?: AbortSignal;
}

/** One disclosure, or a series of them. */
export interface AccountedDisclosure {
  /** Date of the disclosure; for a series, of the first one in the period. */
  readonly date: CalendarDate;
  readonly recipient: { readonly name: string; readonly address?: string };
  readonly description: string;
  /** The purpose, or a copy of the request. */
  readonly basis: string;
  /** Present when there were several to one recipient for one purpose (164.528(b)(3)): how many, and the date of the last. */
  readonly series?: { readonly count: number; readonly last: CalendarDate };
}

/** The accounting to give to the individual. */
export interface DisclosureAccounting {
  readonly patient: string;
  readonly requestedOn: CalendarDate;
  /** The period covered, both days inclusive. */
  readonly from: CalendarDate;
  readonly to: CalendarDate;
  /** True for an end of the period that lay outside the accountable range and was moved. */
  readonly clamped: { readonly from: boolean; readonly to: boolean };
  /** RFC 3339. */
  readonly generatedAt: string;
  /** By date. */
  readonly disclosures: readonly AccountedDisclosure[];
}

/**
 * Notes for the covered entity. Never give them to the individual: the existence of a suspension is itself
 * confidential.
 */
export interface AccountingRemarks {
  /** Left out under 164.528(a)(2). */
  readonly suspended: number;
  /** Left out under 164.528(a)(1), by basis. */
  readonly exempt: Readonly<Partial<Record<ExemptBasis, number>>>;
  /** Recorded as denied or failed: nothing was disclosed. */
  readonly notMade: number;
  /** Event ids of disclosures that are in the report although their basis looks like an exemption, or that lack a member; at most 1000. */
  readonly doubtful: readonly string[];
  /** Ids of rows that could not be opened, at most 1000: the report may lack these. See `verifyLog`. */
  readonly damaged: readonly string[];
}

const dayMs = 86_400_000;
const most = 1000;

/**
 * The accounting of disclosures that a person may ask for: what was disclosed of them to whom, when and why, in the six years before the request.
 * A disclosure is a successful event with a `disclosure`; {@link exemptDisclosures} tells how one says that it is exempt, and in doubt it is in the
 * report. Flat memory: keeps nothing but what it reports. It knows what the log knows: disclosures by business associates belong to the accounting
 * too (164.528(b)(1)), and have to be recorded to be in it. The short form for research on 50 or more individuals (164.528(b)(4)) is not
 * made: each such disclosure is listed like any other.
 *
 * @param log - an audit log, or whatever else gives pages of events
 * @param patient - the host's id of the patient
 * @returns the report for the person, and remarks that are not for them
 * @throws MedzenError `invalid_input` for no such day or zone, or a period that ends before it begins; as the log's `pages`
 * @see 45 CFR 164.528, https://www.ecfr.gov/current/title-45/section-164.528
 * @example
 * ```ts
 * import { type AuditLog, accountingOfDisclosures, accountingText } from '@medzen/audit';
 * async function account(audit: AuditLog, patient: string): Promise<string> {
 *   const { report } = await accountingOfDisclosures(audit, { tenant: 'default' }, patient, {
 *     requestedOn: '2026-11-22',
 *     zone: 'America/New_York',
 *   });
 *   return accountingText(report);
 * }
 * ```
 */
export async function accountingOfDisclosures(
  log: EventPages,
  scope: Scope,
  patient: string,
  request: AccountingRequest,
): Promise<{ readonly report: DisclosureAccounting; readonly remarks: AccountingRemarks }> {
  const period = periodOf(request);
  const now = (request.clock ?? systemClock).now();
  const dayOf = dayIn(request.zone);
  const isSuspended = suspendedAt(request.suspensions ?? [], now);
  const mayBeSeries = request.mayBeSeries ?? ((basis) => /164\.512|164\.502\(a\)\(2\)\(ii\)/.test(basis));
  const exempt: Partial<Record<ExemptBasis, number>> = {};
  const [doubtful, damaged]: [string[], string[]] = [[], []];
  let [suspended, notMade] = [0, 0];
  const lines = new Map<string, Line>();

  // A day more on either side: no zone is further from UTC.
  const from = new Date(Date.parse(period.from) - dayMs);
  const to = new Date(Date.parse(period.to) + 2 * dayMs);
  const pages = log.pages(scope, { patient, from, to, limit: 1000 });
  for await (const page of pagesUntil(request.signal, pages)) {
    damaged.push(...page.damaged.slice(0, most - damaged.length));
    for (const event of page.events) {
      if (event.disclosure === undefined || event.disclosure === null) continue;
      const date = dayOf(new Date(event.at));
      if (date < period.from || date > period.to) continue;
      const { whole, ...said } = disclosureOf(event);
      const standing = standingOf(said.basis, event);
      if (event.outcome !== 'success') notMade++;
      else if (standing.status === 'exempt') exempt[standing.basis] = (exempt[standing.basis] ?? 0) + 1;
      else if (isSuspended(said.recipient.name)) suspended++;
      else {
        if ((standing.status === 'doubtful' || !whole) && doubtful.length < most) doubtful.push(event.id);
        const { name, address = '' } = said.recipient;
        const key = mayBeSeries(said.basis) ? JSON.stringify([name, address, said.description, said.basis]) : event.id;
        addTo(lines, key, { ...said, first: event.at, last: event.at, count: 1 });
      }
    }
  }
  return {
    report: {
      patient,
      requestedOn: request.requestedOn,
      ...period,
      generatedAt: now.toISOString(),
      disclosures: [...lines.values()].sort(byDate).map(({ first, last, count, ...said }) => ({
        date: dayOf(new Date(first)),
        ...said,
        ...(count === 1 ? {} : { series: { count, last: dayOf(new Date(last)) } }),
      })),
    },
    remarks: { suspended, exempt, notMade, doubtful, damaged },
  };
}

interface Line extends Omit<AccountedDisclosure, 'date' | 'series'> {
  first: string;
  last: string;
  count: number;
}

function addTo(lines: Map<string, Line>, key: string, line: Line): void {
  const known = lines.get(key);
  if (known === undefined) lines.set(key, line);
  else {
    known.count++;
    if (line.first < known.first) known.first = line.first;
    if (line.last > known.last) known.last = line.last;
  }
}

function byDate(a: Line, b: Line): number {
  const [x, y] = [`${a.first} ${a.recipient.name} ${a.description}`, `${b.first} ${b.recipient.name} ${b.description}`];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** What the event says, whatever it lacks: an event that was written without our types must not fall out of an accounting. */
function disclosureOf({ disclosure }: AuditEvent): Omit<AccountedDisclosure, 'date' | 'series'> & { whole: boolean } {
  const said: { readonly recipient?: Partial<AccountedDisclosure['recipient']> } & Partial<
    Pick<AccountedDisclosure, 'description' | 'basis'>
  > = disclosure ?? {};
  const [name, address] = [textOf(said.recipient?.name), textOf(said.recipient?.address)];
  const [description, basis] = [textOf(said.description), textOf(said.basis)];
  const whole = [name, description, basis].every((text) => text !== '');
  return { recipient: address === '' ? { name } : { name, address }, description, basis, whole };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}

function periodOf(request: AccountingRequest): Pick<DisclosureAccounting, 'from' | 'to' | 'clamped'> {
  const requestedOn = checkDay(request.requestedOn, '/requestedOn');
  const asked = {
    from: checkDay(request.from ?? requestedOn, '/from'),
    to: checkDay(request.to ?? requestedOn, '/to'),
  };
  const earliest = sixYearsBefore(requestedOn);
  const clamped = { from: request.from !== undefined && asked.from < earliest, to: asked.to > requestedOn };
  const from = request.from === undefined || clamped.from ? earliest : asked.from;
  const to = clamped.to ? requestedOn : asked.to;
  if ((request.from ?? from) > to || from > to)
    throw new MedzenError('invalid_input', 'The period ends before it begins, or before what is accounted for');
  return { from, to, clamped };
}

/** In calendar years. 29 February becomes the 28th, so that nothing is left out: six years before a leap year there is none. */
function sixYearsBefore(day: CalendarDate): CalendarDate {
  const year = String(Number(day.slice(0, 4)) - 6).padStart(4, '0');
  return `${year}${day.slice(4)}`.replace(/-02-29$/, '-02-28');
}
