import type { LogLeaf, LogStore } from '@medzen/core';
import { createIdCheck } from '../event-id.ts';
import type { LogFinding } from '../log-finding.ts';
import { isSize } from '../proof-ranges.ts';
import { type TreeHasher, tileWidth } from '../tree-hasher.ts';
import type { PurgeProofs } from './purge-proofs.ts';
import { createTreeWalk } from './tree-walk.ts';
import { untilAborted } from './until-aborted.ts';

/** Options of a walk over the log. */
export interface LogWalkOptions {
  readonly store: Pick<LogStore, 'readLeaves' | 'readTile'>;
  readonly hasher: TreeHasher;
  /** Leaves to walk. */
  readonly size: number;
  /** True when the size was signed. If not, the walk ends where the leaves end: the size may be nonsense. */
  readonly sizeIsSigned: boolean;
  /** True when the log has no bodies, by design: then every leaf is its stored hash, which the root proves. */
  readonly hashesOnly: boolean;
  /** Expected root of the whole tree; undefined when it is not known. */
  readonly root: Uint8Array | undefined;
  readonly report: (finding: LogFinding) => void;
  /** Keeps a place among the findings for what is said at the end. */
  readonly reserve: () => number;
  /** Is told of every leaf, there or missing. */
  readonly purges: PurgeProofs;
  /** A leaf's event is there, at its place: what else stands beside it is looked at. */
  readonly onLeaf?: (leaf: LogLeaf & { readonly body: Uint8Array }) => void;
  /** A row of a tile is settled. */
  readonly onRow?: ((level: number, index: number, hashes: Uint8Array) => void) | undefined;
  readonly onPage?: (verified: number) => void;
  readonly signal?: AbortSignal | undefined;
}

const pageSize = 4 * tileWidth;

/**
 * Walks a log from the first leaf to the last and compares three things that must be one: the events, the stored tiles, the root. Driven by
 * what is read: however large a size was signed, a range of which nothing is there takes one step.
 *
 * @returns whether the root came out as `root`
 * @throws the signal's reason, while the store does not answer too; MedzenError `store_unavailable`
 */
export async function walkLog(options: LogWalkOptions): Promise<boolean> {
  const { store, size, report, reserve, purges, hashesOnly, signal } = options;
  const tree = createTreeWalk(options);
  const holdsId = createIdCheck();

  /** The next leaf, as it was read. */
  const feed = (leaf: LogLeaf): Promise<void> | undefined => {
    const { index, body, eventId } = leaf;
    if (!(body instanceof Uint8Array)) {
      if (!hashesOnly) purges.missing(index, 1, leaf, reserve);
      return tree.lost();
    }
    options.onLeaf?.({ ...leaf, body });
    purges.present(index, body);
    // Entries of a log that is not Medzen's have no ids.
    const isOther = eventId !== '' && !holdsId(body, eventId ?? '');
    return tree.leaf(body, {
      eventId: eventId ?? '',
      settled: (at, altered) => {
        if (altered || isOther) purges.distrust(at);
        if (!altered && isOther) report({ kind: 'event_altered', index: at, eventId });
        else if (!altered && leaf.misfiled === true) report({ kind: 'event_misfiled', index: at, eventId });
      },
    });
  };

  const skip = async (to: number): Promise<void> => {
    if (!hashesOnly) purges.missing(tree.index(), to - tree.index(), undefined, reserve);
    await tree.skip(to);
  };

  const read = (from: number): Promise<readonly LogLeaf[]> | undefined => {
    if (from >= size) return undefined;
    const page = untilAborted(signal, store.readLeaves(from, Math.min(pageSize, size - from)));
    page.catch(() => {}); // awaited in its turn; until then its failure is nobody's
    for (let tile = Math.floor(from / tileWidth); tile * tileWidth < Math.min(from + pageSize, size); tile++)
      tree.prefetch(tile);
    return page;
  };

  let next = read(0);
  while (tree.index() < size) {
    signal?.throwIfAborted();
    const leaves = (await (next ?? read(tree.index()))) ?? [];
    const before = tree.index();
    next = leaves.length === pageSize ? read(before + pageSize) : undefined; // hash this page while the store reads the next
    for (const leaf of leaves) {
      const place: unknown = leaf.index;
      if (!isSize(place) || place < tree.index() || place >= size) continue; // out of order: its own place will be found empty
      if (place > tree.index()) {
        if (!options.sizeIsSigned) break; // nothing says how far the leaves should go
        await skip(place);
      }
      const full = feed(leaf);
      if (full !== undefined) await full;
    }
    if (tree.index() === before) {
      if (!options.sizeIsSigned) break;
      await skip(size);
    }
    if (tree.index() !== before + pageSize) next = undefined; // a gap was passed: the next page begins elsewhere
    options.onPage?.(tree.index());
  }
  return tree.finish(options.root);
}
