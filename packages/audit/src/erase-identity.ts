import {
  type AuditContext,
  type AuditFacts,
  type AuditStore,
  type Clock,
  createIds,
  draftEvent,
  type IdentityErasure,
  type IdentityErasureResult,
  type IdentityStore,
  type Ids,
  isMedzenError,
  MedzenError,
  type Random,
  sealEvent,
  systemClock,
  systemRandom,
} from '@medzen/core';

/** What an erasure works on: `sqlStores(wire)`, `memoryStores()`, or a host's own. */
export interface EraseIdentityDeps {
  readonly identities: Pick<IdentityStore, 'pseudonyms' | 'erase'>;
  /** For the refusal, which is an event too. */
  readonly audit: Pick<AuditStore, 'append'>;
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly random?: Random;
}

/** The identity to erase and the reason. */
export interface EraseIdentityRequest extends IdentityErasure {
  /** Given by a person, ≤ 2048 characters, without the value: it stays in the log. */
  readonly reason: string;
}

/**
 * Erases an identity from the audit log: its clear value and its salts go, in one transaction with the event `identity.erase`, which says the
 * pseudonym, the kind and the reason. Every event, leaf, proof and archive stays what it was; nobody can say any more whom the pseudonym stands for, or
 * confirm a guess. A later event about the same person gets another pseudonym. Backups and copies in clear that a host has made (a SIEM, exports, the
 * database's own archive of its changes) are the host's to erase.
 *
 * A patient who is a user, too, is two identities; so are a name and an address. What is business data (recordings, consents, messages) is not touched.
 *
 * Refused while a legal hold stands on the patient, or on anything that the identity's events are about; and, unless `despiteRetention` is said,
 * for six years after the last event that names it. 45 CFR 164.316(b)(2)(i) keeps for six years what has to be documented, and 164.528 has
 * patients told for six years to whom they were disclosed. Whether an audit trail as such is documentation in that sense no source settles, and how
 * a state's law or a right to erasure weighs against it is unknown here: hence the refusal, and the override with a reason. A
 * refusal leaves a denied event.
 *
 * @param request - the value as events said it
 * @returns `absent` for one that was never named, or is erased already
 * @throws MedzenError `invalid_input` for no reason, or one that holds the value; `conflict` when the identity got another pseudonym during each of eight tries: call again;
 * `store_unavailable`
 * @see 45 CFR 164.316(b)(2)(i), https://www.ecfr.gov/current/title-45/section-164.316; 45 CFR 164.528
 * @example
 * ```ts
 * import { eraseIdentity } from '@medzen/audit';
 * import type { CallContext, Stores } from '@medzen/core';
 * async function forget(stores: Stores, ctx: CallContext, patient: string): Promise<boolean> {
 *   const request = { kind: 'patient', value: patient, reason: 'Request 2033-17, retention has ended' } as const;
 *   const { status } = await eraseIdentity(stores, ctx, request);
 *   return status === 'erased' || status === 'absent';
 * }
 * ```
 */
export async function eraseIdentity(
  deps: EraseIdentityDeps,
  ctx: AuditContext,
  request: EraseIdentityRequest,
): Promise<IdentityErasureResult> {
  const { identities, audit, clock = systemClock, random = systemRandom } = deps;
  const sealing = { clock, random, ids: deps.ids ?? createIds(clock, random) };
  const { reason, ...erasure } = request;
  const { kind, value, despiteRetention = false } = erasure;
  if (value === '' || reason.trim() === '' || reason.includes(value))
    throw new MedzenError('invalid_input', 'value and reason must not be blank, and reason must not contain value');
  for (let left = mostRounds; ; left--) {
    try {
      return await eraseOnce();
    } catch (error) {
      // A writer gave it another pseudonym meanwhile, which the event does not name. Nothing was written.
      if (!isMedzenError(error) || error.code !== 'conflict' || left <= 1) throw error;
    }
  }

  async function eraseOnce(): Promise<IdentityErasureResult> {
    const pseudonyms = await identities.pseudonyms(ctx.scope, { kind, value });
    const [pseudonym] = pseudonyms;
    if (pseudonym === undefined) return { status: 'absent' };
    const facts: AuditFacts = {
      action: 'identity.erase',
      kind: 'delete',
      outcome: 'success',
      target: { type: 'identity', id: pseudonym },
      purpose: ctx.purpose ?? 'HOPERAT',
      reason,
      // All that go are named: a verifier demands an erasure for each pseudonym without an identity.
      detail: { kind, despiteRetention, ...(pseudonyms.length > 1 && { pseudonyms: [...pseudonyms] }) },
    };
    const result = await identities.erase(ctx.scope, erasure, sealEvent(draftEvent(facts, ctx), sealing));
    if (result.status === 'held' || result.status === 'too_young') {
      const detail = { kind, despiteRetention, refused: result.status };
      const denied = sealEvent(draftEvent({ ...facts, outcome: 'denied', detail }, ctx), sealing);
      await audit.append(ctx.scope, [denied], { durability: 'independent' });
    }
    return result;
  }
}

/** Each round meets fewer writers that have not seen the pseudonym of the others: one more is enough but for a rare chance. */
const mostRounds = 8;
