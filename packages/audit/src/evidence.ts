import { type AuditEvent, isUuid, type LogStore, MedzenError, openStoredEvent } from '@medzen/core';
import {
  type CheckpointFailure,
  isSignedByLog,
  type LogOrigin,
  type OpenCheckpoint,
  openCheckpoint,
  readTreeHead,
} from './checkpoint.ts';
import { createIdCheck } from './event-id.ts';
import { verifyInclusion } from './inclusion-proof.ts';
import { wellFormedNote } from './signed-note.ts';
import { createTileReader } from './tile-reader.ts';
import { formatTlogProof, parseTlogProof } from './tlog-proof.ts';
import { leafHash } from './tree-hash.ts';
import { createTreeHasher } from './tree-hasher.ts';
import { parseVerifierKey } from './verifier-key.ts';

/** Options of creating evidence. */
export interface EvidenceOptions {
  /**
   * The checkpoint to prove against: one that covers the event, such as the last that enough witnesses cosigned. The head's when absent.
   */
  readonly checkpoint?: string;
  /**
   * Whether the event itself is in the file. Without it (`left_out`) the file names no patient, and whoever verifies it must be given the event's bytes
   * in another way.
   */
  readonly event?: 'included' | 'left_out';
  /**
   * The event's canonical bytes, where the database no longer holds them: of a purged event, as `readArchive` gives. What is in the database is
   * not looked at then; what is not in the tree is refused.
   */
  readonly body?: Uint8Array;
}

/**
 * Makes the evidence that one event is in the log: a file that a stranger can check offline, years later, with nothing but the verifier key.
 * It holds the event, its inclusion proof, and the signed checkpoint with its cosignatures. Name it `….tlog-proof`.
 *
 * @param log - `sqlStores(wire).log`
 * @param eventId - UUIDv7
 * @returns the file's text: C2SP tlog-proof v1, the event's canonical bytes as its extra data
 * @throws MedzenError `not_found` for an event without a leaf (unknown, or not sequenced yet: try again once it is); `checkpoint_inconsistent` when
 * what is stored proves nothing, because it was altered; `invalid_input` for a checkpoint that does not cover the event; `store_unavailable`
 * @see C2SP tlog-proof
 * @example
 * ```ts
 * import { createEvidence, verifyEvidence } from '@medzen/audit';
 * import type { LogStore } from '@medzen/core';
 * async function forTheCourt(log: LogStore, eventId: string, verifierKey: string): Promise<string> {
 *   const text = await createEvidence(log, eventId);
 *   const verdict = await verifyEvidence(text, [verifierKey]);
 *   if (!verdict.ok) throw new Error(verdict.reason);
 *   return text;
 * }
 * ```
 */
export async function createEvidence(log: LogStore, eventId: string, options: EvidenceOptions = {}): Promise<string> {
  const index = isUuid(eventId) ? await log.leafOf(eventId) : undefined;
  if (index === undefined)
    throw new MedzenError('not_found', 'Event not found in the log: it is unknown or not sequenced yet');
  const checkpoint = options.checkpoint ?? wellFormedNote((await log.head()).checkpoint ?? '');
  const head = readTreeHead(checkpoint);
  if (head === undefined || head.size <= index)
    throw new MedzenError('invalid_input', 'The checkpoint does not cover the event');
  const { size, root } = head;
  const proof = await createTileReader(log, createTreeHasher()).inclusionProof(index, size);
  const body = options.body ?? (await storedBody(log, index));
  if (body === undefined || !createIdCheck()(body, eventId))
    throw new MedzenError('checkpoint_inconsistent', 'The event is missing, or is not the one that was sealed');
  // What would convince nobody is not handed out: the stored hashes may have been altered as well.
  if (!verifyInclusion({ leafHash: leafHash(body), index, size, proof, root }))
    throw new MedzenError('checkpoint_inconsistent', 'The stored event and proof do not match the signed root');
  return formatTlogProof({ index, proof, checkpoint, ...(options.event !== 'left_out' && { extra: body }) });
}

async function storedBody(log: LogStore, index: number): Promise<Uint8Array | undefined> {
  const [leaf] = await log.readLeaves(index, 1);
  return leaf?.index === index ? leaf.body : undefined;
}

/** Result of verifying evidence. */
export type EvidenceVerdict =
  | {
      readonly ok: true;
      /** The log's name. */
      readonly origin: string;
      /** Leaves the log had when it was signed. */
      readonly size: number;
      /** The signed root, 32 bytes. */
      readonly root: Uint8Array;
      /** Of the event among them. */
      readonly index: number;
      /** The bytes that are in the log. */
      readonly body: Uint8Array;
      /** What they say; absent when they are no event of ours (a log of somebody else's). */
      readonly event?: AuditEvent;
      /** Who vouches: the log, and the witnesses whose keys were given. */
      readonly signatures: OpenCheckpoint['signatures'];
    }
  | {
      readonly ok: false;
      /**
       * `malformed`: no tlog-proof, or its checkpoint is none. `no_event`: it holds no event and none was given. `not_included`: the proof does not
       * lead from the event to the signed root. `not_by_log`: witnesses or another log signed, the log itself did not. `too_few_witnesses`. The rest as `openCheckpoint`.
       */
      readonly reason:
        | 'malformed'
        | 'no_event'
        | 'not_included'
        | 'not_by_log'
        | 'too_few_witnesses'
        | CheckpointFailure['reason'];
    };

/** Requirements for accepting evidence. */
export interface EvidencePolicy extends LogOrigin {
  /** The event's bytes: where the file does not hold them, or to be sure that it is evidence of this event and no other. */
  readonly body?: Uint8Array;
  /** Witnesses that must have cosigned; all whose keys are given, when absent. */
  readonly minWitnesses?: number;
}

/**
 * Verifies evidence: offline, without a database, and safe with a file from anybody. The event was in the log when the checkpoint was signed; that
 * it happened as it says is for the log's owner to answer for.
 *
 * @param text - the file
 * @param verifierKeys - the log's, and those of witnesses you trust; got from their owners, not from the file
 * @returns what is proved, or why nothing is; never throws
 * @see C2SP tlog-proof
 * @example
 * ```ts
 * import { verifyEvidence } from '@medzen/audit';
 * const verdict = await verifyEvidence('c2sp.org/tlog-proof@v1\nindex 0\n\n', []);
 * verdict.ok; // false
 * ```
 */
export async function verifyEvidence(
  text: string,
  verifierKeys: readonly string[],
  policy: EvidencePolicy = {},
): Promise<EvidenceVerdict> {
  const evidence = parseTlogProof(text);
  if (evidence === undefined) return { ok: false, reason: 'malformed' };
  const opened = await openCheckpoint(evidence.checkpoint, verifierKeys);
  if (!opened.ok) return opened;
  const { origin, size, root, signatures } = opened;
  if (!isSignedByLog(opened, { ...policy, verifierKeys })) return { ok: false, reason: 'not_by_log' };
  const witnesses = new Set(verifierKeys.filter((key) => parseVerifierKey(key)?.type === 'cosignature')).size;
  const cosigned = signatures.filter(({ cosignedAt }) => cosignedAt !== undefined).length;
  // Not `<`, which a NaN would pass.
  if (!(cosigned >= (policy.minWitnesses ?? witnesses))) return { ok: false, reason: 'too_few_witnesses' };
  const body = policy.body ?? evidence.extra;
  if (body === undefined) return { ok: false, reason: 'no_event' };
  const { index, proof } = evidence;
  if (!verifyInclusion({ leafHash: leafHash(body), index, size, proof, root }))
    return { ok: false, reason: 'not_included' };
  const event = openStoredEvent(body); // undefined for another log's entry
  return { ok: true, origin, size, root, index, body, ...(event !== undefined && { event }), signatures };
}
