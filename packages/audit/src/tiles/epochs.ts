import { MedzenError, sha256, toHex } from '@medzen/core';
import { readTreeHead, type TreeHead } from '../checkpoint.ts';
import { lineageOf } from '../sequencer/lineage.ts';
import { checkpointPath } from '../tile-path.ts';
import type { TileSource, TileTarget } from '../tile-storage.ts';

/** Says where the log goes on, in the folder of an origin that a rebase has ended. A hint: what it leads to is verified by itself. */
const successorPath = 'successor';

/** Folder of an origin's files: the top for the first origin, a folder of its own for each later one. */
export function folderOf(origin: string, isFirst: boolean): string {
  return isFirst ? '' : `epoch/${toHex(sha256(new TextEncoder().encode(origin))).slice(0, 32)}/`;
}

/**
 * Folder of a checkpoint's log.
 *
 * @throws MedzenError `checkpoint_inconsistent` when its lines about a rebase are damaged
 */
export function epochOf(head: TreeHead): string {
  const lineage = lineageOf(head);
  if (lineage === undefined)
    throw new MedzenError('checkpoint_inconsistent', 'The checkpoint says of its rebase what cannot be');
  return folderOf(head.origin, lineage.length === 0);
}

/** A folder of a source. */
function sourceWithin(source: TileSource, folder: string): TileSource {
  return folder === '' ? source : { read: (path) => source.read(folder + path) };
}

/** A folder of a target. */
export function targetWithin(target: TileTarget, folder: string): TileTarget {
  if (folder === '') return target;
  return {
    read: (path) => target.read(folder + path),
    write: (path, bytes, options) => target.write(folder + path, bytes, options),
  };
}

/** The files of one origin of a published log. */
export interface PublishedEpoch {
  /** Below the log's prefix: '' for the first origin. */
  readonly folder: string;
  readonly source: TileSource;
  /** As it was found; nothing is verified. */
  readonly checkpoint: string;
}

/** More rebases than a log will ever see. */
const mostEpochs = 1000;

/**
 * Follows a published log over its rebases, the first origin first.
 *
 * @param source - the log's prefix, as `publishLog` was given it
 * @throws MedzenError `store_unavailable`
 */
export async function* followEpochs(source: TileSource): AsyncGenerator<PublishedEpoch> {
  const seen = new Set<string>();
  for (let folder: string | undefined = ''; folder !== undefined && !seen.has(folder) && seen.size < mostEpochs; ) {
    seen.add(folder);
    const checkpoint = await source.read(folder + checkpointPath);
    if (checkpoint !== undefined)
      yield { folder, source: sourceWithin(source, folder), checkpoint: new TextDecoder().decode(checkpoint) };
    const next: Uint8Array | undefined = await source.read(folder + successorPath);
    folder = next === undefined ? undefined : folderIn(next);
  }
}

/**
 * The files of a published log's present origin, for `tileLog`: behind as many rebases as there were.
 *
 * @returns the source itself where there was none
 * @example
 * ```ts
 * import { httpTiles, presentEpoch, tileLog, verifyLog } from '@medzen/audit';
 * async function fromOutside(verifierKeys: string[]) {
 *   const source = await presentEpoch(httpTiles('https://log.clinic.example/'));
 *   return verifyLog({ store: tileLog(source, { entries: 'absent' }), verifierKeys });
 * }
 * ```
 */
export async function presentEpoch(source: TileSource): Promise<TileSource> {
  let last = source;
  for await (const epoch of followEpochs(source)) last = epoch.source;
  return last;
}

/**
 * Writes, beside each ended origin's files, where the log goes on; and refuses a target that holds more of one than the log says it ever had.
 *
 * @throws MedzenError `checkpoint_inconsistent`; `store_unavailable`
 */
export async function linkEpochs(target: TileTarget, head: TreeHead): Promise<number> {
  const lineage = lineageOf(head) ?? [];
  const origins = [...lineage.map(({ origin }) => origin), head.origin];
  let written = 0;
  for (const [at, predecessor] of lineage.entries()) {
    const folder = folderOf(predecessor.origin, at === 0);
    const present = await target.read(folder + checkpointPath);
    const theirs = present === undefined ? undefined : readTreeHead(new TextDecoder().decode(present));
    if (present !== undefined && (theirs?.origin !== predecessor.origin || theirs.size > predecessor.size))
      throw new MedzenError(
        'checkpoint_inconsistent',
        'The target holds more than the rebase of the log has said there was',
      );
    if (theirs?.size === predecessor.size && toHex(theirs.root) !== toHex(predecessor.root))
      throw new MedzenError(
        'checkpoint_inconsistent',
        'The target holds another tree than the rebase of the log names',
      );
    if ((await target.read(folder + successorPath)) !== undefined) continue;
    const next = new TextEncoder().encode(`${folderOf(origins[at + 1] ?? '', false)}\n`);
    await target.write(folder + successorPath, next, { contentType: 'text/plain; charset=utf-8', immutable: true });
    written++;
  }
  return written;
}

function folderIn(bytes: Uint8Array): string | undefined {
  return /^(epoch\/[0-9a-f]{32}\/)\n$/.exec(new TextDecoder().decode(bytes))?.[1];
}
