import { type AccessSummary, type AuditStore, type Clock, MedzenError, type Scope, systemClock } from '@medzen/core';

/** How far a summary goes back. */
export interface MonthlySummaryOptions {
  /** Whole months before this one, 0–120; 12 when absent. */
  readonly months?: number;
  /** Lines to give at most, 1–100 000; 10 000 when absent. */
  readonly limit?: number;
  /** Tells which month it is; the machine's own when absent. */
  readonly clock?: Clock;
}

/** A summary, and the span that it covers. */
export interface MonthlySummary extends AccessSummary {
  /** RFC 3339: the first instant of the first month, and that of the month after the last. */
  readonly from: string;
  readonly to: string;
}

/**
 * Access to what concerns patients, by month (UTC) and actor: how often, to how many patients, in how many kinds of record (tables). This month and
 * the twelve before it, counted by the store in one call; what the view `monthly_phi_access` shows.
 *
 * The store counts by its columns and opens no event: one that was damaged or misfiled is counted as its columns say, or is not counted, and is not named here.
 * A summary is whole only beside a `verifyLog` that found nothing.
 *
 * @param store - not recorded: run it in `audited` with `audit.report`
 * @throws MedzenError `invalid_input` for months or a limit out of bounds; `store_unavailable`
 * @see 45 CFR 164.308(a)(1)(ii)(D)
 * @example
 * ```ts
 * import { monthlySummary } from '@medzen/audit';
 * import type { AuditStore } from '@medzen/core';
 * async function busiest(store: AuditStore): Promise<string | undefined> {
 *   const { lines } = await monthlySummary(store, { tenant: 'default' }, { months: 0 });
 *   return lines[0]?.actor;
 * }
 * ```
 */
export async function monthlySummary(
  store: Pick<AuditStore, 'summarize'>,
  scope: Scope,
  options: MonthlySummaryOptions = {},
): Promise<MonthlySummary> {
  const { months = 12, limit, clock = systemClock } = options;
  if (!Number.isInteger(months) || months < 0 || months > 120)
    throw new MedzenError('invalid_input', 'months must be an integer from 0 to 120', { pointers: ['/months'] });
  const now = clock.now();
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const [from, to] = [new Date(Date.UTC(year, month - months)), new Date(Date.UTC(year, month + 1))];
  const summary = await store.summarize(scope, { from, to, ...(limit === undefined ? {} : { limit }) });
  return { ...summary, from: from.toISOString(), to: to.toISOString() };
}
