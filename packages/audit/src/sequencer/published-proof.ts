import { type LogHead, MedzenError } from '@medzen/core';
import { readTreeHead, type TreeHead } from '../checkpoint.ts';
import { verifyConsistency } from '../consistency-proof.ts';
import { tileLog } from '../tile-log.ts';
import { createTileReader } from '../tile-reader.ts';
import type { TileSource } from '../tile-storage.ts';
import { followEpochs } from '../tiles/epochs.ts';
import { createTreeHasher } from '../tree-hasher.ts';

/**
 * Proves from the published hashes that what is left of a log is a beginning of what was known of it.
 *
 * @returns undefined where nothing is left, or the files do not reach as far as what was known
 * @throws MedzenError `checkpoint_inconsistent` when they show that it is not; `store_unavailable`
 */
export async function publishedProof(
  published: TileSource | undefined,
  known: TreeHead,
  left: LogHead,
): Promise<readonly Uint8Array[] | undefined> {
  if (published === undefined || left.size === 0) return undefined;
  for await (const { source, checkpoint } of followEpochs(published)) {
    const theirs = readTreeHead(checkpoint);
    if (theirs?.origin !== known.origin || theirs.size < known.size) continue;
    const reader = createTileReader(tileLog(source, { entries: 'absent' }), createTreeHasher());
    const proof = await reader.consistencyProof(left.size, known.size);
    if (verifyConsistency({ size1: left.size, size2: known.size, root1: left.root, root2: known.root, proof }))
      return proof;
    throw new MedzenError(
      'checkpoint_inconsistent',
      'The database must hold a beginning of the published log: it was altered, which a rebase does not cover',
    );
  }
  return undefined;
}
