import { type LogLeaf, type LogStore, MedzenError, openStoredEvent, sha256 } from '@medzen/core';
import { readStoredHead } from './checkpoint.ts';
import { parseEntryBundle } from './entry-bundle.ts';
import { checkpointPath, type TileKind, tilePath } from './tile-path.ts';
import type { TileSource } from './tile-storage.ts';
import { hashBytes, tileWidth } from './tree-hasher.ts';

/** How the files are read. */
export interface TileLogOptions {
  /** Whether the entries are looked for. Without them (`absent`) the tree is verified over the leaf hashes alone. */
  readonly entries: 'present' | 'absent';
}

/** The part of a log's store that its verification reads. */
export interface ReadableLog
  extends Pick<LogStore, 'head' | 'readTile' | 'readLeaves' | 'lag'>,
    Partial<Pick<LogStore, 'readStrays'>> {
  /** Set by a log of static files: whether its entries are among them. `absent`: only hashes are verified, by design. */
  readonly entries?: 'present' | 'absent';
}

/**
 * Reads a log's static files as a log, for `verifyLog`. The size is that of the checkpoint it found first, so that a log which grows meanwhile
 * stays one log.
 *
 * @returns a log whose `head` throws MedzenError `not_found` where there is no checkpoint
 * @see C2SP tlog-tiles
 * @example
 * ```ts
 * import { httpTiles, tileLog, verifyLog } from '@medzen/audit';
 * async function fromOutside(verifierKey: string): Promise<boolean> {
 *   const source = httpTiles('https://log.clinic.example/');
 *   const verdict = await verifyLog({ store: tileLog(source, { entries: 'absent' }), verifierKeys: [verifierKey] });
 *   return verdict.ok;
 * }
 * ```
 */
export function tileLog(source: TileSource, options: TileLogOptions): ReadableLog {
  const found = source.read(checkpointPath).then((bytes) => (bytes === undefined ? undefined : textIn(bytes)));
  found.catch(() => undefined); // thrown to whoever asks
  const sized = found.then((checkpoint) => readStoredHead(checkpoint)?.size ?? 0);
  sized.catch(() => undefined);
  const size = (): Promise<number> => sized;

  /** Hashes or entries of a tile at the present size: of the partial file, or of the full one when the partial one is no longer kept. */
  const items = async <T>(kind: TileKind, index: number, parse: Parser<T>): Promise<readonly T[] | undefined> => {
    const total = Math.floor((await size()) / tileWidth ** (kind === 'entries' ? 0 : kind));
    const width = Math.min(tileWidth, total - index * tileWidth);
    if (width < 1) return undefined;
    for (const wide of new Set([width, tileWidth])) {
      const bytes = await source.read(tilePath(kind, index, wide));
      const found = bytes === undefined ? undefined : parse(bytes);
      // Exactly as many as the path says: a file that was cut or continued is damaged.
      if (bytes !== undefined) return found?.length === wide ? found.slice(0, width) : [];
    }
    return undefined;
  };

  const hashesOf = recent((level: number, index: number) => items(level, index, parseHashes));

  /** Leaves of a tile, as far as its hashes or its entries are there; none where neither is. */
  const leavesOf = async (tile: number): Promise<readonly LogLeaf[]> => {
    const first = tile * tileWidth;
    const bodies = options.entries === 'present' ? await items('entries', tile, parseEntryBundle) : undefined;
    const count = bodies?.length || (await hashesOf(0, tile))?.length || 0;
    return Array.from({ length: count }, (_, at) => {
      const body = bodies?.[at];
      const index = first + at;
      if (options.entries === 'absent') return { index, eventId: '', purged: true };
      return {
        index,
        // What an event calls itself, for a finding to name; empty where the entry is not a Medzen event.
        eventId: (body && openStoredEvent(body)?.id) ?? '',
        ...(body && { body }),
      };
    });
  };

  /**
   * The tile to go on with where one is not there: the next one, as long as the tile over it is there; else the first one under the next tile of
   * the lowest level that may be. However many were signed, this takes a few steps.
   */
  const after = async (tile: number): Promise<number> => {
    for (let level = 1, index = tile; ; level++) {
      const above = Math.floor(index / tileWidth);
      if (tileWidth ** (level + 1) >= (await size()))
        return level === 1 ? tile + 1 : (index + 1) * tileWidth ** (level - 1);
      if (((await hashesOf(level, above))?.length ?? 0) > 0) return (index + 1) * tileWidth ** (level - 1);
      index = above;
    }
  };

  return {
    entries: options.entries,
    head: async () => {
      const checkpoint = await found;
      if (checkpoint === undefined) throw new MedzenError('not_found', 'There is no checkpoint among the files');
      const { size, root } = readStoredHead(checkpoint) ?? { size: 0, root: sha256() };
      return { size, root, checkpoint };
    },
    readTile: async (level, index) => {
      const hashes = await hashesOf(level, index);
      return hashes && { level, index, hashes: joined(hashes) };
    },
    readLeaves: async (from, limit) => {
      const leaves: LogLeaf[] = [];
      const end = await size();
      for (let tile = Math.floor(from / tileWidth); tile * tileWidth < end && leaves.length < limit; ) {
        const found = (await leavesOf(tile)).filter(({ index }) => index >= from && index < end);
        leaves.push(...found.slice(0, limit - leaves.length));
        tile = found.length > 0 ? tile + 1 : await after(tile);
      }
      return leaves;
    },
    lag: async () => ({ pending: 0, lost: 0, oldestMs: 0 }),
  };
}

/** Keeps the last few answers: a tile is asked for as hashes and as leaves, and again by a search above a gap. */
function recent<T>(read: (level: number, index: number) => Promise<T>): (level: number, index: number) => Promise<T> {
  const answers = new Map<string, Promise<T>>();
  return (level, index) => {
    const key = `${level}/${index}`;
    const known = answers.get(key);
    if (known !== undefined) return known;
    const answer = read(level, index);
    answer.catch(() => answers.delete(key)); // asked again; whoever asked now is told
    answers.set(key, answer);
    const [oldest] = answers.size > mostRecent ? answers.keys() : [];
    if (oldest !== undefined) answers.delete(oldest);
    return answer;
  };
}

const mostRecent = 16;

type Parser<T> = (bytes: Uint8Array) => readonly T[] | undefined;

const parseHashes: Parser<Uint8Array> = (bytes) =>
  bytes.length % hashBytes === 0
    ? Array.from({ length: bytes.length / hashBytes }, (_, at) => bytes.subarray(at * hashBytes, (at + 1) * hashBytes))
    : undefined;

function joined(hashes: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * hashBytes);
  for (const [at, hash] of hashes.entries()) bytes.set(hash, at * hashBytes);
  return bytes;
}

function textIn(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return ''; // no checkpoint is of such bytes
  }
}
