import { equalBytes, type LogStore } from '@medzen/core';
import { type Arbitration, agrees, arbitrate, type TileRow } from '../arbitrate.ts';
import type { LogFinding } from '../log-finding.ts';
import { edgeRoot } from '../tree-edge.ts';
import { hashBytes, type TreeHasher, tileWidth } from '../tree-hasher.ts';
import { untilAborted } from './until-aborted.ts';

/** Options of a walk over a tree. */
export interface TreeWalkOptions {
  readonly store: Pick<LogStore, 'readTile'>;
  readonly hasher: TreeHasher;
  readonly report: (finding: LogFinding) => void;
  /** A row of a tile is settled. */
  readonly onRow?: ((level: number, index: number, hashes: Uint8Array) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Facts about a leaf beside its hash. */
interface LeafMark {
  /** The event's id, as its row has it; empty when nothing says one. */
  readonly eventId: string;
  /** Told once the leaf's tile is settled: `altered` when the bytes are not what was sealed. */
  settled?(index: number, altered: boolean): void;
}

/** Follows a tree from its first leaf to its last and compares leaves, stored tiles and root. Memory does not grow with the tree. */
export interface TreeWalk {
  /** The next leaf's index. */
  index(): number;
  /** Takes the next leaf. A promise only when its tile is full. */
  leaf(body: Uint8Array, mark: LeafMark): Promise<void> | undefined;
  /** The next leaf's bytes are gone: the stored hash stands for it, and the root proves that hash. */
  lost(): Promise<void> | undefined;
  /** The leaves up to `to`, and without it, are gone. Takes one step for each tile that is there, and few where none is. */
  skip(to: number): Promise<void>;
  /** Has a tile of leaf hashes read ahead of its turn. */
  prefetch(tile: number): void;
  /** Compares the right edge with the root. @returns whether the root came out */
  finish(root: Uint8Array | undefined): Promise<boolean>;
}

interface WalkLevel {
  index: number;
  width: number;
  readonly computed: Uint8Array;
  readonly known: Uint8Array;
}

const mostPositions = 8;

/** Makes a walk. Each full tile is settled as soon as its last hash is known, and then forgotten. */
export function createTreeWalk({ store, hasher, report, onRow, signal }: TreeWalkOptions): TreeWalk {
  const levels: WalkLevel[] = [];
  let marks: (LeafMark | undefined)[] = []; // of the leaves in the tile that is being filled
  let missing: number[] = []; // positions in it whose bytes are gone
  const asked = new Map<number, Promise<Uint8Array | undefined>>(); // tiles of level 0, ahead of their turn

  const levelAt = (level: number): WalkLevel => {
    const present = levels[level];
    if (present !== undefined) return present;
    const [computed, known] = [new Uint8Array(tileWidth * hashBytes), new Uint8Array(tileWidth)];
    const fresh = { index: 0, width: 0, computed, known };
    levels[level] = fresh;
    return fresh;
  };

  const tileAt = async (level: number, index: number): Promise<Uint8Array | undefined> => {
    const tile = await untilAborted(signal, store.readTile(level, index));
    const hashes: unknown = tile?.hashes; // of a database that may be damaged
    return hashes instanceof Uint8Array ? hashes : undefined;
  };

  /** A tile in its turn: what was read ahead, or is read now. */
  const take = (level: number, index: number): Promise<Uint8Array | undefined> => {
    const ahead = level === 0 ? asked.get(index) : undefined;
    if (level === 0) asked.delete(index);
    return ahead ?? tileAt(level, index);
  };

  const rowOf = (level: number, { width, computed, known }: WalkLevel, stored: Uint8Array | undefined): TileRow => {
    const row = { width, computed, known, stored };
    if (level === 0) for (const position of missing) takeStored(row, position);
    return row;
  };

  /** Names what was altered in a row whose two sides differ. */
  const name = (level: number, index: number, row: TileRow, places: Arbitration['differences']): void => {
    const inTile = places.filter(({ trusted }) => trusted !== 'stored');
    if (places.length > 0) {
      const whole = row.stored === undefined || row.stored.length < row.width * hashBytes;
      if (whole || inTile.length > mostPositions) report({ kind: 'tile_altered', level, index });
      else for (const { position } of inTile) report({ kind: 'tile_altered', level, index, position });
    }
    for (const { position, trusted } of places) {
      if (trusted !== 'stored' || row.known[position] !== 1) continue; // what is missing is reported where it is missed
      const place = index * tileWidth + position;
      if (level === 0) report({ kind: 'event_altered', index: place, eventId: marks[position]?.eventId ?? '' });
      else report({ kind: 'range_altered', index: place * tileWidth ** level, count: tileWidth ** level });
    }
    if (level > 0) return;
    const altered = new Set(places.flatMap(({ position, trusted }) => (trusted === 'computed' ? [] : [position])));
    for (let position = 0; position < row.width; position++)
      marks[position]?.settled?.(index * tileWidth + position, altered.has(position));
  };

  const gives = (hashes: Uint8Array, claim: Uint8Array): boolean => equalBytes(hasher.fold(hashes, tileWidth), claim);

  /** A tile is full: settle it and give its root to the level above. */
  const settle = async (level: number): Promise<void> => {
    const tile = levelAt(level);
    const row = rowOf(level, tile, await take(level, tile.index));
    let hashes: Uint8Array | undefined = tile.computed;
    if (agrees(row)) name(level, tile.index, row, []);
    else {
      const above = await tileAt(level + 1, Math.floor(tile.index / tileWidth));
      const from = (tile.index % tileWidth) * hashBytes;
      const claim = above?.subarray(from, from + hashBytes);
      const verdict = arbitrate([row], ([only]) => only !== undefined && claim !== undefined && gives(only, claim));
      name(level, tile.index, row, verdict.differences);
      hashes = verdict.rows?.[0];
    }
    if (hashes !== undefined) onRow?.(level, tile.index, hashes);
    if (level === 0) [marks, missing] = [[], []];
    tile.index++;
    tile.width = 0;
    await raise(level, hashes);
  };

  /** Gives the root of a tile to the level above; none for a tile of which a hash is lost. */
  const raise = async (level: number, hashes: Uint8Array | undefined): Promise<void> => {
    const parent = levelAt(level + 1);
    if (hashes !== undefined) parent.computed.set(hasher.fold(hashes, tileWidth), parent.width * hashBytes);
    parent.known[parent.width] = hashes === undefined ? 0 : 1;
    parent.width++;
    if (parent.width === tileWidth) await settle(level + 1);
  };

  const index = (): number => (levels[0]?.index ?? 0) * tileWidth + (levels[0]?.width ?? 0);

  const put = (body: Uint8Array | undefined, mark: LeafMark | undefined): Promise<void> | undefined => {
    const tile = levelAt(0);
    marks[tile.width] = mark;
    tile.known[tile.width] = body === undefined ? 0 : 1;
    if (body === undefined) missing.push(tile.width);
    else hasher.leaf(body, tile.computed, tile.width * hashBytes);
    tile.width++;
    return tile.width === tileWidth ? settle(0) : undefined; // no promise for the other 255
  };

  /** A tile that is about to begin is not stored, and nothing lies under it. Passes over it, and over as much beside it as is lost for the same reason. */
  const drop = async (level: number, to: number): Promise<void> => {
    const parent = levelAt(level + 1);
    const under = tileWidth ** (level + 1); // leaves under a tile of this level
    const stored = await tileAt(level + 1, parent.index);
    if (stored === undefined && parent.width === 0 && to - index() >= under * tileWidth) return drop(level + 1, to);
    // Where a stored parent has a hash for it, others beside it may be there; where none has, none could be proved.
    const standsIn = stored !== undefined && stored.length > parent.width * hashBytes;
    const most = standsIn ? 1 : Math.floor((to - index()) / under);
    const count = Math.min(tileWidth - parent.width, most);
    report({ kind: 'tile_altered', level, index: levelAt(level).index });
    for (let lower = 0; lower <= level; lower++) levelAt(lower).index += count * tileWidth ** (level - lower);
    parent.known.fill(0, parent.width, parent.width + count);
    parent.width += count;
    if (parent.width === tileWidth) await settle(level + 1);
  };

  return {
    index,
    leaf: put,
    lost: () => put(undefined, undefined),
    skip: async (to) => {
      while (index() < to) {
        signal?.throwIfAborted();
        const tile = levelAt(0);
        if (tile.width > 0 || to - index() < tileWidth) {
          await put(undefined, undefined);
          continue;
        }
        const stored = await take(0, tile.index);
        if (stored === undefined) {
          await drop(0, to);
          continue;
        }
        asked.set(tile.index, Promise.resolve(stored));
        for (let left = tileWidth; left > 0; left--) await put(undefined, undefined);
      }
    },
    prefetch: (tile) => {
      const hashes = asked.get(tile) ?? tileAt(0, tile);
      hashes.catch(() => {}); // awaited in its turn; until then its failure is nobody's
      asked.set(tile, hashes);
    },
    finish: async (root) => {
      // The right edge: its tiles have no full tile over them, only the root.
      const edge = levels.flatMap((tile, level) => (tile.width > 0 ? [{ tile, level }] : []));
      const rows = await Promise.all(
        edge.map(async ({ tile, level }) => rowOf(level, tile, await take(level, tile.index))),
      );
      const whole = (hashes: readonly Uint8Array[]): Uint8Array =>
        edgeRoot(
          hasher,
          edge.map(({ tile: { width } }, i) => ({ width, hashes: hashes[i] ?? new Uint8Array() })),
        );
      const verdict = arbitrate(rows, root === undefined ? undefined : (hashes) => equalBytes(whole(hashes), root));
      edge.forEach(({ tile, level }, i) => {
        const [row, hashes] = [rows[i], verdict.rows?.[i]];
        const places = verdict.differences.filter((difference) => difference.row === i);
        if (row !== undefined) name(level, tile.index, row, places);
        if (hashes !== undefined) onRow?.(level, tile.index, hashes);
      });
      return verdict.proved;
    },
  };
}

/** Replaces an event that is gone for good by its hash in the tile. */
function takeStored({ computed, known, stored, width }: TileRow, position: number): void {
  const from = position * hashBytes;
  if (position >= width || stored === undefined || stored.length < from + hashBytes) return;
  computed.set(stored.subarray(from, from + hashBytes), from);
  known[position] = 1;
}
