import { equalBytes } from '@medzen/core';
import { isSignedByLog, type OpenCheckpoint, openCheckpoint, type TreeHead } from '../checkpoint.ts';
import { verifyConsistency } from '../consistency-proof.ts';
import { createEarlierRoot, type EarlierRoot } from '../earlier-root.ts';
import type { LogFinding } from '../log-finding.ts';
import { lineageOf, type Predecessor, standingOf } from '../sequencer/lineage.ts';
import { type RebaseDecider, readRebase } from '../sequencer/rebase-record.ts';
import type { ReadableLog } from '../tile-log.ts';
import { leafHash } from '../tree-hash.ts';
import { hashBytes, type TreeHasher, tileWidth } from '../tree-hasher.ts';

/** A rebase that a log has been through: signed in its checkpoint, and recorded by the leaf after what survived. */
export interface VerifiedRebase {
  readonly oldOrigin: string;
  /** Leaves of the last checkpoint that was known of the old origin. */
  readonly oldSize: number;
  readonly newOrigin: string;
  /** Leaves of it that were still there: leaf `surviving` is the event that records the rebase. */
  readonly surviving: number;
  /** `oldSize` − `surviving`: these leaves are gone. */
  readonly lost: number;
  /**
   * Proof that the surviving leaves are a beginning of that checkpoint. `proved`: by a consistency proof in the event,
   * or because nothing survived. `signed`: the old origin's own signatures say so. `unknown`: the event is not at hand.
   */
  readonly survivors: 'proved' | 'signed' | 'unknown';
  /** The event that says more. `lost`: a later rebase has lost it. `absent`: the events are not among the files. */
  readonly record: 'present' | 'purged' | 'lost' | 'absent';
  /** From the event, when it is present. */
  readonly decidedBy?: RebaseDecider;
  readonly reason?: string;
  /** RFC 3339. */
  readonly at?: string;
  /** The last known checkpoint of the old origin, the whole signed note. */
  readonly oldCheckpoint?: string;
  /** True when one of the given keys opens it; without a key the new origin's signature alone vouches for it. */
  readonly oldCheckpointOpened?: boolean;
}

/** Follows a verification, and judges at its end what the log says of its rebases. */
export interface RebaseCheck {
  /** A row of a tile is settled: its hashes from position 0. */
  take(level: number, index: number, hashes: Uint8Array): void;
  /** Lists the rebases that the log names and the leaves prove. Reports those that they disprove. */
  finish(): Promise<readonly VerifiedRebase[]>;
}

/** Dependencies of the check. */
export interface RebaseCheckDeps {
  readonly store: Pick<ReadableLog, 'readLeaves'>;
  readonly hasher: TreeHasher;
  /** The stored checkpoint, opened; undefined when it cannot be. */
  readonly signed: OpenCheckpoint | undefined;
  readonly verifierKeys: readonly string[];
  readonly report: (finding: LogFinding) => void;
}

/** Makes the check for one walk over a log. */
export function createRebaseCheck({ store, hasher, signed, verifierKeys, report }: RebaseCheckDeps): RebaseCheck {
  const lineage = signed === undefined ? [] : lineageOf(signed);
  const borders = (lineage ?? []).map((predecessor, at) => {
    const next = lineage?.[at + 1];
    const isThere = (lineage ?? []).slice(at + 1).every(({ surviving }) => predecessor.surviving < surviving);
    const upTo = isThere && predecessor.surviving >= 1 ? createEarlierRoot(hasher, predecessor.surviving) : undefined;
    return { predecessor, newOrigin: next?.origin ?? signed?.origin ?? '', isThere, upTo, leaf: noHash };
  });

  return {
    take: (level, index, hashes) => {
      for (const border of borders) {
        border.upTo?.take(level, index, hashes);
        const { surviving } = border.predecessor;
        if (level !== 0 || Math.floor(surviving / tileWidth) !== index) continue;
        const from = (surviving % tileWidth) * hashBytes;
        border.leaf = hashes.slice(from, from + hashBytes);
      }
    },
    finish: async () => {
      if (lineage === undefined && signed !== undefined)
        report({ kind: 'rebase_invalid', index: signed.size, reason: 'lineage' });
      const rebases: VerifiedRebase[] = [];
      for (const border of borders) rebases.push(await judge(border));
      return rebases;
    },
  };

  async function judge(border: Border): Promise<VerifiedRebase> {
    const { predecessor, newOrigin, isThere, upTo, leaf } = border;
    const { origin: oldOrigin, size: oldSize, surviving } = predecessor;
    const said = { oldOrigin, oldSize, newOrigin, surviving, lost: oldSize - surviving };
    const survivors = surviving === 0 ? 'proved' : 'unknown';
    if (!isThere) return { ...said, survivors, record: 'lost' };
    const [found] = await store.readLeaves(surviving, 1);
    const body: unknown = found?.index === surviving ? found.body : undefined; // of a database that may be damaged
    if (!(body instanceof Uint8Array)) {
      // Its absence was reported by the walk, unless it may be absent.
      return { ...said, survivors, record: found?.purged === true && found.eventId !== '' ? 'purged' : 'absent' };
    }
    const wrong = (reason: string): VerifiedRebase => {
      report({ kind: 'rebase_invalid', index: surviving, reason });
      return { ...said, survivors, record: 'absent' };
    };
    // The leaf that the root proves, not whatever the database shows the second time.
    if (!equalBytes(leafHash(body), leaf)) return wrong('altered');
    const record = readRebase(body);
    if (record === undefined) return wrong('no_record');
    const { consistency, decidedBy, reason, at, oldCheckpoint } = record;
    const same = record.oldOrigin === oldOrigin && record.oldSize === oldSize && record.surviving === surviving;
    if (!same || record.newOrigin !== newOrigin) return wrong('other_record');
    const opened = await openCheckpoint(oldCheckpoint, verifierKeys);
    if (!opened.ok && opened.reason !== 'unknown_key') return wrong('old_checkpoint');
    if (opened.ok && !(isSignedByLog(opened) && isHeadOf(opened, predecessor))) return wrong('old_checkpoint');
    const left = upTo?.root();
    const proved =
      consistency !== undefined &&
      left !== undefined &&
      verifyConsistency({
        ...{ size1: surviving, size2: oldSize, root1: left, root2: predecessor.root, proof: consistency },
      });
    if (consistency !== undefined && !proved) return wrong('survivors');
    return {
      ...said,
      survivors: proved || surviving === 0 ? 'proved' : 'signed',
      record: 'present',
      ...{ decidedBy, reason, at, oldCheckpoint, oldCheckpointOpened: opened.ok },
    };
  }
}

const noHash: Uint8Array = new Uint8Array();

interface Border {
  readonly predecessor: Predecessor;
  readonly newOrigin: string;
  /** True when the leaf that records it survived the rebases after it. */
  readonly isThere: boolean;
  readonly upTo: EarlierRoot | undefined;
  readonly leaf: Uint8Array;
}

function isHeadOf(head: TreeHead, { origin, size, root }: Predecessor): boolean {
  return head.origin === origin && head.size === size && equalBytes(head.root, root);
}

/**
 * Holds a trusted checkpoint of an ended origin against the log that goes on.
 *
 * @returns how many of its first leaves must be a beginning of the log; undefined when that cannot be compared
 */
export function judgeTrusted(
  trusted: TreeHead,
  signed: TreeHead,
  report: (finding: LogFinding) => void,
): number | undefined {
  const standing = standingOf(trusted, lineageOf(signed) ?? []);
  switch (standing.is) {
    case 'foreign':
      report({ kind: 'wrong_key', which: 'stored' });
      return undefined;
    case 'understated':
      report({ kind: 'loss_understated', said: standing.said, trustedSize: trusted.size });
      return undefined;
    case 'forked':
      report({ kind: 'history_rewritten', size: signed.size, trustedSize: trusted.size });
      return undefined;
    case 'kept':
      if (standing.kept < trusted.size)
        report({
          ...{ kind: 'leaves_lost', index: standing.kept, count: trusted.size - standing.kept },
          trustedSize: trusted.size,
        });
      return standing.kept === trusted.size && trusted.size >= 1 ? trusted.size : undefined;
  }
}
