import { equalBytes, type LogHead, type LogStore, MedzenError, sha256 } from '@medzen/core';
import { isSignedByLog, openCheckpoint } from './checkpoint.ts';
import { verifyConsistency } from './consistency-proof.ts';
import { isHash } from './is-hash.ts';
import { isSize } from './proof-ranges.ts';
import type { Signer } from './signer.ts';
import { createTileReader } from './tile-reader.ts';
import { createTreeEdge, edgeLayout, type TreeEdge } from './tree-edge.ts';
import type { TreeHasher } from './tree-hasher.ts';

/** A head whose signature was verified. */
interface SignedHead {
  readonly size: number;
  readonly root: Uint8Array;
  readonly checkpoint: string;
}

/** Stands between a log that may have been altered and the key that would sign it. */
export interface LogGuard {
  /**
   * Checks that head, checkpoint and tiles say the same, and that the log grew out of the last head this guard accepted.
   *
   * @returns the right edge, ready to grow
   * @throws MedzenError `checkpoint_inconsistent`; `store_unavailable`; `invalid_configuration` when the trusted checkpoint cannot be opened
   */
  check(head: LogHead): Promise<TreeEdge>;
  /** A batch was committed: from now on nothing less is accepted. */
  committed(head: SignedHead): void;
}

/** What a guard is made of. */
export interface LogGuardDeps {
  readonly store: Pick<LogStore, 'readTile'>;
  readonly signer: Signer;
  readonly previousKeys?: readonly string[];
  readonly trusted?: string;
  readonly hasher: TreeHasher;
}

/** Makes a guard; what it has accepted lives as long as it does. */
export function createLogGuard(deps: LogGuardDeps): LogGuard {
  const { store, signer, previousKeys = [], trusted, hasher } = deps;
  const tiles = createTileReader(store, hasher);
  const keys = [signer.verifierKey, ...previousKeys];
  let known: SignedHead | undefined;
  let started = false;

  const open = async (checkpoint: string): Promise<SignedHead | string> => {
    const opened = await openCheckpoint(checkpoint, keys);
    if (!opened.ok) return opened.reason;
    const own = opened.origin === signer.origin && isSignedByLog(opened);
    return own ? { size: opened.size, root: opened.root, checkpoint } : 'another origin';
  };

  const start = async (): Promise<void> => {
    if (trusted !== undefined) {
      const opened = await open(trusted);
      if (typeof opened === 'string')
        throw new MedzenError('invalid_configuration', `The trusted checkpoint cannot be opened: ${opened}`);
      known = opened;
    }
    started = true;
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
    const opened = head.checkpoint === known?.checkpoint ? known : await open(head.checkpoint);
    if (typeof opened === 'string') throw inconsistent(`The stored checkpoint cannot be opened: ${opened}`);
    if (opened.size !== head.size || !equalBytes(opened.root, head.root))
      throw inconsistent('The head of the log is not what its checkpoint says');
    return opened;
  };

  const mustFollow = async (earlier: SignedHead, head: LogHead): Promise<void> => {
    if (head.size < earlier.size) throw inconsistent('The log is shorter than a checkpoint it has signed');
    if (earlier.size === 0) return;
    const proof = await tiles.consistencyProof(earlier.size, head.size);
    if (!verifyConsistency({ size1: earlier.size, size2: head.size, root1: earlier.root, root2: head.root, proof }))
      throw inconsistent('The log did not grow out of a checkpoint it has signed');
  };

  return {
    check: async (head) => {
      if (!started) await start();
      const present = await signed(head);
      const partials: Uint8Array[] = [];
      for (const [level, { index, width }] of edgeLayout(head.size).entries())
        partials.push(width === 0 ? new Uint8Array() : await tiles.tile(level, index, width));
      const edge = createTreeEdge(hasher, head.size, partials);
      if (!equalBytes(edge.root(), head.root))
        throw inconsistent('The tiles of the log are not those of its checkpoint');
      if (known !== undefined && known.checkpoint !== head.checkpoint) await mustFollow(known, head);
      known = present ?? known;
      return edge;
    },
    committed: (head) => {
      known = head;
    },
  };
}

function inconsistent(message: string): MedzenError {
  return new MedzenError('checkpoint_inconsistent', message);
}
