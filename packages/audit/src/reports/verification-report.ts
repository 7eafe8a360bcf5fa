import { type AuditContext, isMedzenError, type Json } from '@medzen/core';
import type { AuditLog } from '../audit-log.ts';
import { readTreeHead } from '../checkpoint.ts';
import { type LogVerdict, type VerifyLogOptions, verifyLog } from '../verify-log.ts';

/** Options of a verification that is recorded: the log, the verifier, and the store of the event. */
export interface ReportedVerificationOptions extends VerifyLogOptions {
  readonly audit: Pick<AuditLog, 'record'>;
  /** The verifier: a person, or a job (`{ scope }` with a service as the actor). */
  readonly ctx: AuditContext;
}

/**
 * Verifies the log and records what came of it, as an `audit.verify` event: who verified, up to which size and against which checkpoint, the verdict, how
 * many findings there were by their kind, how much was lost by rebases. No verdict without its event. The walk covers every tenant: let only those ask
 * for it who answer for the whole installation.
 *
 * @returns the verdict
 * @throws MedzenError as `verifyLog`, with a `failed` event; `store_unavailable` when the event cannot be written
 * @see 45 CFR 164.308(a)(1)(ii)(D), 164.308(a)(8)
 * @example
 * ```ts
 * import { type AuditLog, verifyAndReport } from '@medzen/audit';
 * import type { LogStore } from '@medzen/core';
 * const nightly = (audit: AuditLog, store: LogStore, verifierKey: string, checkpoint: string) =>
 *   verifyAndReport({
 *     ...{ audit, store, checkpoint, verifierKeys: [verifierKey] },
 *     ctx: { scope: { tenant: 'default' }, actor: { id: 'nightly', type: 'service', roles: [], tenant: 'default' } },
 *   });
 * ```
 */
export async function verifyAndReport(options: ReportedVerificationOptions): Promise<LogVerdict> {
  const { audit, ctx, ...verification } = options;
  const against = options.checkpoint === undefined ? undefined : readTreeHead(options.checkpoint);
  const told = { ...(against && { against: { origin: against.origin, size: against.size } }) };
  const record = (outcome: 'success' | 'failed', detail: Readonly<Record<string, Json>>) =>
    audit.record({ action: 'audit.verify', kind: 'execute', outcome, detail }, ctx, { durability: 'independent' });
  let verdict: LogVerdict;
  try {
    verdict = await verifyLog(verification);
  } catch (error) {
    await record('failed', { ...told, error: isMedzenError(error) ? error.code : 'internal' });
    throw error;
  }
  await record(verdict.ok ? 'success' : 'failed', { ...told, ...summaryOf(verdict) });
  return verdict;
}

/** Summarizes a verdict for the log: figures and codes, no ids of events. */
function summaryOf(verdict: LogVerdict): Readonly<Record<string, Json>> {
  const { ok, size, unsequenced, lost } = verdict;
  if (verdict.ok) return { ok, size, unsequenced, lost, purged: verdict.purged };
  const kinds: Record<string, number> = {};
  for (const { kind } of verdict.findings) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return { ok, size, unsequenced, lost, total: verdict.total, findings: kinds };
}
