import { equalBytes, fromBase64, toBase64 } from '@medzen/core';
import type { TreeHead } from '../checkpoint.ts';
import { isSize } from '../proof-ranges.ts';
import { isKeyName } from '../signed-note.ts';

/** An origin that a log had before a rebase, and how much of it the log still holds. */
export interface Predecessor {
  readonly origin: string;
  /** Leaves of the last checkpoint that was known of it. */
  readonly size: number;
  /** The root of that checkpoint, 32 bytes. */
  readonly root: Uint8Array;
  /**
   * Number of these leaves that the log still held when it was rebased: the first ones, fewer than `size`. The next
   * leaf records the rebase.
   */
  readonly surviving: number;
}

const mark = 'medzen.rebase/v1';

/**
 * Writes a predecessor as an extension line of a checkpoint. Every checkpoint after a rebase carries it, so nobody can verify one without being told
 * what was lost, also where the events themselves are not at hand.
 */
export function formatPredecessor({ origin, size, root, surviving }: Predecessor): string {
  return `${mark} ${origin} ${size} ${toBase64(root)} ${surviving}`;
}

/**
 * Reads the predecessors of a log out of its checkpoint, the oldest first.
 *
 * @returns undefined when a predecessor line is damaged or contradicts itself. Other lines are passed over
 */
export function lineageOf(head: Pick<TreeHead, 'origin' | 'size' | 'extensions'>): readonly Predecessor[] | undefined {
  const lineage: Predecessor[] = [];
  for (const line of head.extensions ?? []) {
    if (!line.startsWith(`${mark} `)) continue;
    const read = parsePredecessor(line);
    if (read === undefined || read.origin === head.origin) return undefined;
    if (lineage.some(({ origin }) => origin === read.origin)) return undefined;
    lineage.push(read);
  }
  // The leaf of the last rebase is there. Those of earlier ones may be among what was lost since.
  return (lineage.at(-1)?.surviving ?? -1) < head.size ? lineage : undefined;
}

function parsePredecessor(line: string): Predecessor | undefined {
  const [, origin, size, root, surviving, more] = line.split(' ');
  if (origin === undefined || root === undefined || more !== undefined || !isKeyName(origin)) return undefined;
  const [leaves, kept] = [size, surviving].map((digits) =>
    digits !== undefined && /^(0|[1-9][0-9]{0,15})$/.test(digits) ? Number(digits) : -1,
  );
  if (leaves === undefined || kept === undefined || !isSize(leaves) || !isSize(kept) || kept >= leaves)
    return undefined;
  if (!/^[A-Za-z0-9+/]{43}=$/.test(root)) return undefined;
  try {
    return { origin, size: leaves, root: fromBase64(root), surviving: kept };
  } catch {
    return undefined; // bits beyond the last byte
  }
}

/** State of the leaves that an earlier checkpoint covers. */
export type Standing =
  /** The first `kept` leaves are still in the log, and the others were lost: none when `kept` is the checkpoint's size. */
  | { readonly is: 'kept'; readonly kept: number }
  /** It covers more than the rebase has said was ever there. */
  | { readonly is: 'understated'; readonly said: number }
  /** It is another tree of the size that the rebase names. */
  | { readonly is: 'forked' }
  /** Of no origin that this log has had. */
  | { readonly is: 'foreign' };

/** Judges a checkpoint of an earlier origin by the lineage of the present one. */
export function standingOf(earlier: TreeHead, lineage: readonly Predecessor[]): Standing {
  const at = lineage.findIndex(({ origin }) => origin === earlier.origin);
  const own = lineage[at];
  if (own === undefined) return { is: 'foreign' };
  if (earlier.size > own.size) return { is: 'understated', said: own.size };
  if (earlier.size === own.size && !equalBytes(earlier.root, own.root)) return { is: 'forked' };
  return { is: 'kept', kept: Math.min(earlier.size, ...lineage.slice(at).map(({ surviving }) => surviving)) };
}
