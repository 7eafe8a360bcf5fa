import {
  type AuditActor,
  type Clock,
  createIds,
  type Ids,
  MedzenError,
  type Random,
  type Stores,
  sealEvent,
  sha256,
  systemClock,
  systemRandom,
  toHex,
} from '@medzen/core';
import { isSignedByLog } from '../checkpoint.ts';
import { type EvidencePolicy, verifyEvidence } from '../evidence.ts';
import { leafHash } from '../tree-hash.ts';
import { openOwnCheckpoint } from '../verify/own-checkpoint.ts';
import { lineageOf, standingOf } from './lineage.ts';

/** Options of a readmission: the evidence, and the person who brings it. */
export interface ReadmitOptions extends Pick<EvidencePolicy, 'body' | 'minWitnesses'> {
  readonly stores: Pick<Stores, 'audit' | 'log'>;
  /** Evidence of one event, as `createEvidence` made it before the event was lost. From anybody. */
  readonly evidence: string;
  /** The present origin's and the ended ones'; those of witnesses, if they must have cosigned. */
  readonly verifierKeys: readonly string[];
  /** The person or service that readmits it. */
  readonly actor: AuditActor;
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly random?: Random;
}

/** Result of a readmission. */
export interface Readmitted {
  /**
   * `readmitted`: the event is in the log again, byte for byte, as a new leaf once it is sequenced. `listed`: it holds pseudonyms that nobody can turn back,
   * so that its evidence is recorded, not the event. `present`: it was not lost, or was brought before; nothing was written.
   */
  readonly status: 'readmitted' | 'listed' | 'present';
  readonly eventId: string;
  /** Index of its leaf under the ended origin. */
  readonly index: number;
  readonly oldOrigin: string;
}

/**
 * Takes back an event that a rebased log has lost, on evidence that was handed out earlier. The evidence is verified against the old origin's key; the
 * event becomes a leaf again, with an `audit.readmit` event beside it that says who brought what.
 *
 * @throws MedzenError `invalid_input` for evidence that proves nothing, or is of no origin that this log has ended; `checkpoint_inconsistent` when it
 * proves that more was lost than the rebase has said; `audit_conflict` when its id is taken by another event; `store_unavailable`
 * @example
 * ```ts
 * import { readmitEvent } from '@medzen/audit';
 * import type { Stores } from '@medzen/core';
 * const bring = (stores: Stores, evidence: string, verifierKeys: readonly string[]) =>
 *   readmitEvent({ stores, evidence, verifierKeys, actor: { id: 'officer-1', type: 'user' } });
 * ```
 */
export async function readmitEvent(options: ReadmitOptions): Promise<Readmitted> {
  const { stores, evidence, verifierKeys, actor, body, minWitnesses } = options;
  const { clock = systemClock, random = systemRandom } = options;
  const verdict = await verifyEvidence(evidence, verifierKeys, {
    ...(body !== undefined && { body }),
    ...(minWitnesses !== undefined && { minWitnesses }),
  });
  if (!verdict.ok || verdict.event?.tenant === undefined)
    throw new MedzenError(
      'invalid_input',
      `evidence must prove an event of this log: ${verdict.ok ? 'no_event' : verdict.reason}`,
    );
  const { event, index, size, origin: oldOrigin, root } = verdict;
  const { tenant } = verdict.event;
  const head = await openOwnCheckpoint((await stores.log.head()).checkpoint ?? '', verifierKeys);
  if (!head.ok || !isSignedByLog(head))
    throw new MedzenError('invalid_input', 'verifierKeys must hold the key of the present origin');
  const standing = standingOf({ origin: oldOrigin, size, root }, lineageOf(head) ?? []);
  const came = { eventId: event.id, index, oldOrigin };
  if (standing.is === 'foreign' && oldOrigin !== head.origin)
    throw new MedzenError('invalid_input', 'evidence must be of an origin that a rebase of this log has ended');
  if (standing.is === 'understated' || standing.is === 'forked')
    throw new MedzenError(
      'checkpoint_inconsistent',
      'The evidence proves that more was lost than the rebase of the log has said',
    );
  if (standing.is === 'foreign' || index < standing.kept || (await isStored(stores, event.id)))
    return { status: 'present', ...came };

  const scope = { tenant };
  const hash = toHex(leafHash(verdict.body));
  const brought = await broughtBefore(stores, scope, hash);
  if (brought) return { status: 'present', ...came };
  const hasPseudonyms = new TextDecoder().decode(verdict.body).includes('"erasable:v1:');
  const record = sealEvent(
    {
      ...{ action: 'audit.readmit', kind: 'create', outcome: 'success', tenant, actor, source: {} },
      target: { type: 'audit_event', id: event.id },
      detail: {
        ...{ oldOrigin, index, size, leafHash: hash, readmitted: !hasPseudonyms },
        evidenceSha256: toHex(sha256(new TextEncoder().encode(evidence))),
      },
    },
    { clock, random, ids: options.ids ?? createIds(clock, random) },
  );
  const events = hasPseudonyms ? [record] : [{ id: event.id, body: verdict.body }, record];
  await stores.audit.append(scope, events, { durability: 'independent' });
  return { status: hasPseudonyms ? 'listed' : 'readmitted', ...came };
}

async function isStored({ log }: ReadmitOptions['stores'], eventId: string): Promise<boolean> {
  return (await log.leafOf(eventId)) !== undefined;
}

/** Finds an earlier readmission of the same leaf; it may not be sequenced yet. */
async function broughtBefore(
  { audit }: ReadmitOptions['stores'],
  scope: { readonly tenant: string },
  hash: string,
): Promise<boolean> {
  const wanted = `"leafHash":"${hash}"`;
  for (let cursor: string | undefined; ; ) {
    const page = await audit.search(scope, {
      ...{ action: 'audit.readmit', limit: 1000 },
      ...(cursor !== undefined && { cursor }),
    });
    if (page.events.some(({ body }) => new TextDecoder().decode(body).includes(wanted))) return true;
    if (page.cursor === undefined) return false;
    cursor = page.cursor;
  }
}
