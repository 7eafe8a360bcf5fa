import { equalBytes, type LogHead, MedzenError } from '@medzen/core';
import type { TileReader } from '../tile-reader.ts';
import { createTreeEdge, edgeLayout, type TreeEdge } from '../tree-edge.ts';
import type { TreeHasher } from '../tree-hasher.ts';

/**
 * Reads the right edge of a stored tree, ready to grow.
 *
 * @throws MedzenError `checkpoint_inconsistent` when the tiles do not give the head's root; `store_unavailable`
 */
export async function readEdge(tiles: TileReader, hasher: TreeHasher, head: LogHead): Promise<TreeEdge> {
  const partials: Uint8Array[] = [];
  for (const [level, { index, width }] of edgeLayout(head.size).entries())
    partials.push(width === 0 ? new Uint8Array() : await tiles.tile(level, index, width));
  const edge = createTreeEdge(hasher, head.size, partials);
  if (!equalBytes(edge.root(), head.root))
    throw new MedzenError('checkpoint_inconsistent', 'The tiles of the log are not those of its checkpoint');
  return edge;
}
