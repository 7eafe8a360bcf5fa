import {
  type AuditStore,
  type CallContext,
  draftEvent,
  MedzenError,
  type SealDeps,
  type SealedEvent,
  sealEvent,
} from '@medzen/core';
import type { PatientReads } from './patient-reads.ts';

/** The most that a store takes at once. */
const batch = 1000;

/**
 * Makes what was read durable: one event a patient, a thousand a call.
 *
 * @param query - what was called
 * @throws MedzenError `invalid_configuration` for a store that is inside a transaction; whatever the store throws
 */
export async function recordReads(
  audit: AuditStore,
  ctx: CallContext,
  reads: PatientReads,
  query: { readonly model: string; readonly operation: string },
  sealing: SealDeps,
): Promise<void> {
  const target = { type: 'model', id: query.model };
  let events: SealedEvent[] = [];
  const flush = async (): Promise<void> => {
    if (events.length === 0) return;
    const { status } = await audit.append(ctx.scope, events, { durability: 'independent' });
    if (status !== 'durable')
      throw new MedzenError(
        'invalid_configuration',
        'auditedModels: the store is inside a transaction that may roll back',
      );
    events = [];
  };
  for (const [patient, { fields, rows }] of reads) {
    const draft = draftEvent(
      {
        action: 'table.read',
        kind: 'read',
        outcome: 'success',
        ...(patient === undefined ? {} : { patient }),
        target,
        fields: [...fields].sort(),
        detail: { operation: query.operation, rows: Object.fromEntries(rows) },
      },
      ctx,
    );
    if (events.push(sealEvent(draft, sealing)) === batch) await flush();
  }
  await flush();
}
