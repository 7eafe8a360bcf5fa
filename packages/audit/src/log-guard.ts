import { equalBytes, type LogHead, type LogStore, MedzenError, sha256 } from '@medzen/core';
import { isSignedByLog, readStoredHead } from './checkpoint.ts';
import { verifyConsistency } from './consistency-proof.ts';
import { isHash } from './is-hash.ts';
import { isSize } from './proof-ranges.ts';
import type { CheckpointMemory } from './sequencer/checkpoint-memory.ts';
import { lineageOf, standingOf } from './sequencer/lineage.ts';
import { readEdge } from './sequencer/read-edge.ts';
import type { Signer } from './signer.ts';
import { createTileReader } from './tile-reader.ts';
import type { TreeEdge } from './tree-edge.ts';
import type { TreeHasher } from './tree-hasher.ts';
import { openOwnCheckpoint } from './verify/own-checkpoint.ts';

/** A head whose signature was verified. */
interface SignedHead {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly extensions?: readonly string[];
  readonly checkpoint: string;
  /** The checkpoint without damaged lines, for the memory. */
  readonly note: string;
}

/** A head that may be grown. */
interface GuardedLog {
  /** The right edge, ready to grow. */
  readonly edge: TreeEdge;
  /** Extension lines that every further checkpoint must carry. */
  readonly extensions: readonly string[];
}

/** Stands between a log that may have been altered and the key that would sign it. */
export interface LogGuard {
  /**
   * Checks that head, checkpoint and tiles say the same, and that the log grew out of the last head this guard accepted and the last one that is
   * remembered outside the database.
   *
   * @throws MedzenError `checkpoint_inconsistent`; `store_unavailable`; `invalid_configuration` when the trusted checkpoint cannot be opened, or the
   * memory knows nothing of a log that has leaves
   */
  check(head: LogHead): Promise<GuardedLog>;
  /** A batch was committed: from now on nothing less is accepted. Resolves once it is remembered. */
  committed(head: LogHead & { readonly checkpoint: string }): Promise<void>;
}

/** Dependencies of a log guard. */
export interface LogGuardDeps {
  readonly store: Pick<LogStore, 'readTile'>;
  readonly signer: Signer;
  readonly previousKeys?: readonly string[];
  readonly trusted?: string;
  readonly memory: CheckpointMemory | undefined;
  readonly hasher: TreeHasher;
}

/** Makes a guard; what it has accepted lives as long as it does, and longer in its memory. */
export function createLogGuard(deps: LogGuardDeps): LogGuard {
  const { store, signer, previousKeys = [], trusted, memory, hasher } = deps;
  const tiles = createTileReader(store, hasher);
  const keys = [signer.verifierKey, ...previousKeys];
  let known: SignedHead | undefined;
  let trustedSeen = trusted === undefined;

  const open = async (checkpoint: string): Promise<SignedHead | string> => {
    const opened = await openOwnCheckpoint(checkpoint, keys);
    if (!opened.ok) return opened.reason;
    if (!isSignedByLog(opened)) return 'not_by_log';
    const { origin, size, root, note, extensions } = opened;
    return { origin, size, root, checkpoint, note, ...(extensions && { extensions }) };
  };

  /** Opens a checkpoint of this origin. */
  const openOwn = async (checkpoint: string): Promise<SignedHead | string> => {
    if (checkpoint === known?.checkpoint) return known;
    const opened = await open(checkpoint);
    return typeof opened !== 'string' && opened.origin !== signer.origin ? 'another origin' : opened;
  };

  /** The head, with its signature verified; the empty tree has none. */
  const signed = async (head: LogHead): Promise<SignedHead | undefined> => {
    if (!isSize(head.size) || !isHash(head.root)) throw inconsistent('The head of the log is damaged');
    if (head.size === 0) {
      if (head.checkpoint !== undefined || !equalBytes(head.root, sha256()))
        throw inconsistent('An empty log has a checkpoint, or the root of a tree');
      return undefined;
    }
    if (head.checkpoint === undefined) throw inconsistent('The log has leaves but no checkpoint');
    const opened = await openOwn(head.checkpoint);
    if (typeof opened === 'string') throw ofAnother(head.checkpoint, opened);
    if (opened.size !== head.size || !equalBytes(opened.root, head.root))
      throw inconsistent('The head of the log is not what its checkpoint says');
    return opened;
  };

  /** A checkpoint that cannot be opened: that of another origin tells what to do. */
  const ofAnother = (checkpoint: string, reason: string): MedzenError => {
    const head = readStoredHead(checkpoint);
    if (head === undefined || head.origin === signer.origin)
      return inconsistent(`The stored checkpoint cannot be opened: ${reason}`);
    const rebased = lineageOf(head)?.some(({ origin }) => origin === signer.origin) === true;
    return rebased
      ? inconsistent('The log was rebased: this origin has ended; use the signer of the new origin', head.origin)
      : inconsistent('The stored checkpoint is of another origin; use its signer, or rebase the log', head.origin);
  };

  const mustFollow = async (earlier: SignedHead, head: LogHead, present: SignedHead | undefined): Promise<void> => {
    if (head.size < earlier.size)
      throw inconsistent(
        `The log has ${head.size} leaves, and a checkpoint of ${earlier.size} was signed: if a backup was restored, rebase the log`,
      );
    if (earlier.size === 0) return;
    if (extensionsOf(earlier) !== extensionsOf(present))
      throw inconsistent('The checkpoint of the log tells of another rebase than an earlier one');
    const proof = await tiles.consistencyProof(earlier.size, head.size);
    if (!verifyConsistency({ size1: earlier.size, size2: head.size, root1: earlier.root, root2: head.root, proof }))
      throw inconsistent('The log did not grow out of a checkpoint it has signed');
  };

  /** The trusted checkpoint may be of an origin that a rebase has ended: what was lost of it, the log must have said. */
  const openTrusted = async (text: string, present: SignedHead | undefined): Promise<SignedHead | undefined> => {
    const opened = await open(text);
    if (typeof opened === 'string')
      throw new MedzenError('invalid_configuration', `trusted must be a checkpoint of this log: ${opened}`);
    if (opened.origin === signer.origin) return opened;
    const standing = standingOf(opened, (present && lineageOf(present)) ?? []);
    if (standing.is === 'foreign')
      throw new MedzenError('invalid_configuration', 'trusted must be a checkpoint of this log: another origin');
    if (standing.is !== 'kept')
      throw inconsistent('The rebase of the log hides leaves that the trusted checkpoint covers');
    if (standing.kept < opened.size || present === undefined) return undefined;
    return { ...opened, ...(present.extensions && { extensions: present.extensions }) }; // its tree is a beginning of ours
  };

  const remembered = async (head: LogHead): Promise<SignedHead | undefined> => {
    if (memory === undefined) return undefined;
    const found = await memory.read(signer.origin);
    if (found === undefined) {
      if (head.size > 0 && trusted === undefined)
        throw new MedzenError(
          'invalid_configuration',
          `memory knows no checkpoint of this log, which has ${head.size} leaves; give the last known one as trusted`,
        );
      return undefined;
    }
    if (found.successor !== undefined)
      throw inconsistent(
        'A rebase has ended this origin; use the signer of the new one, or finish the rebase',
        found.successor.origin,
      );
    const opened = await openOwn(found.checkpoint);
    if (typeof opened === 'string')
      throw new MedzenError('invalid_configuration', `memory holds a checkpoint that cannot be opened: ${opened}`);
    return opened;
  };

  const remember = async ({ note, size }: SignedHead): Promise<void> => {
    if (memory === undefined) return;
    for (;;) {
      const found = await memory.read(signer.origin);
      if (found?.successor !== undefined)
        throw inconsistent('A rebase has ended this origin meanwhile', found.successor.origin);
      // Of a sequencer that was faster: what it has signed came after ours, in the same database.
      if (found !== undefined && (readStoredHead(found.checkpoint)?.size ?? -1) >= size) return;
      if (await memory.replace(signer.origin, found, { checkpoint: note })) return;
    }
  };

  return {
    check: async (head) => {
      // The memory first: a key that does not open it is a wrong key, not a damaged log.
      const earlier = [known, await remembered(head)];
      const present = await signed(head);
      if (!trustedSeen && trusted !== undefined) earlier.push(await openTrusted(trusted, present));
      const edge = await readEdge(tiles, hasher, head);
      for (const one of earlier)
        if (one !== undefined && one.checkpoint !== head.checkpoint) await mustFollow(one, head, present);
      trustedSeen = true;
      known = present ?? known;
      if (present !== undefined) await remember(present);
      return { edge, extensions: present?.extensions ?? [] };
    },
    committed: async (head) => {
      const opened = await openOwn(head.checkpoint);
      if (typeof opened === 'string') throw inconsistent(`The checkpoint just signed cannot be opened: ${opened}`);
      known = opened;
      await remember(opened);
    },
  };
}

function extensionsOf(head: SignedHead | undefined): string {
  return (head?.extensions ?? []).join('\n');
}

function inconsistent(message: string, origin?: string): MedzenError {
  return new MedzenError('checkpoint_inconsistent', message, origin === undefined ? {} : { detail: { origin } });
}
