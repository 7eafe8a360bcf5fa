import {
  type AuditActor,
  openEvent,
  type Scope,
  type SealDeps,
  type SealedEvent,
  sealEvent,
  toBase64,
} from '@medzen/core';
import { readHashLines } from '../hash-lines.ts';
import { isSize } from '../proof-ranges.ts';

/** The person who decided that a log continues without the leaves it lost. */
export interface RebaseDecider {
  /** The person's id, as the log's other events give it. Stays in the log in clear, also where identities are erasable. */
  readonly id: string;
  readonly name?: string;
  readonly role?: string;
}

/** Contents of the event of a rebase. */
export interface RebaseRecord {
  readonly oldOrigin: string;
  readonly oldSize: number;
  /** The last known checkpoint of the old origin: the whole signed note. */
  readonly oldCheckpoint: string;
  /** Leaves that were still there, and so the index of the event itself. */
  readonly surviving: number;
  /** The old origin's own checkpoint of that size; absent when nothing survived. */
  readonly survivingCheckpoint?: string;
  /** `oldSize` − `surviving`, ≥ 1. */
  readonly lost: number;
  readonly newOrigin: string;
  /** The key that signs from here on. */
  readonly newVerifierKey: string;
  /** Proves that what survived is a beginning of the old checkpoint; absent when the hashes of what was lost were not at hand. */
  readonly consistency?: readonly Uint8Array[];
  readonly decidedBy: RebaseDecider;
  readonly reason: string;
}

/** Actor of the event: a service, so that no store replaces its id by a pseudonym and changes the leaf. */
const actor: AuditActor = { id: 'medzen.rebase', type: 'service' };

/** Seals the event of a rebase. @throws MedzenError `invalid_input` when it is too large */
export function sealRebase(record: RebaseRecord, scope: Scope, deps: SealDeps): SealedEvent {
  const { reason, decidedBy, consistency, ...rest } = record;
  const { id, name, role } = decidedBy;
  return sealEvent(
    {
      action: 'audit.rebase',
      kind: 'execute',
      outcome: 'success',
      tenant: scope.tenant,
      actor,
      source: {},
      target: { type: 'audit_log', id: record.newOrigin },
      reason,
      detail: {
        ...rest,
        decidedBy: { id, ...(name !== undefined && { name }), ...(role !== undefined && { role }) },
        ...(consistency && { consistency: consistency.map(toBase64) }),
      },
    },
    deps,
  );
}

/** Reads the event of a rebase; undefined for any other event, and for bytes that are not an event. */
export function readRebase(body: Uint8Array): (RebaseRecord & { readonly at: string }) | undefined {
  try {
    const { action, at, reason, detail } = openEvent(body);
    if (action !== 'audit.rebase' || detail === undefined || typeof reason !== 'string') return undefined;
    const { oldOrigin, oldSize, oldCheckpoint, surviving, survivingCheckpoint, lost, newOrigin, newVerifierKey } =
      detail;
    const texts = [oldOrigin, oldCheckpoint, newOrigin, newVerifierKey, at];
    if (!texts.every((text) => typeof text === 'string')) return undefined;
    if (!isSize(oldSize) || !isSize(surviving) || lost !== oldSize - surviving || lost < 1) return undefined;
    const decider = deciderIn(detail.decidedBy);
    const proof = detail.consistency === undefined ? undefined : readProof(detail.consistency);
    if (decider === undefined || (detail.consistency !== undefined && proof === undefined)) return undefined;
    return {
      ...{ oldOrigin: String(oldOrigin), oldSize, oldCheckpoint: String(oldCheckpoint), surviving, lost },
      ...(typeof survivingCheckpoint === 'string' && { survivingCheckpoint }),
      ...{ newOrigin: String(newOrigin), newVerifierKey: String(newVerifierKey), decidedBy: decider, reason, at },
      ...(proof && { consistency: proof }),
    };
  } catch {
    return undefined; // no event
  }
}

function deciderIn(value: unknown): RebaseDecider | undefined {
  if (typeof value !== 'object' || value === null || !('id' in value) || typeof value.id !== 'string') return undefined;
  return {
    id: value.id,
    ...('name' in value && typeof value.name === 'string' && { name: value.name }),
    ...('role' in value && typeof value.role === 'string' && { role: value.role }),
  };
}

function readProof(value: unknown): readonly Uint8Array[] | undefined {
  const lines: unknown[] = Array.isArray(value) ? value : [undefined];
  return lines.every((line) => typeof line === 'string') ? readHashLines(lines) : undefined;
}
