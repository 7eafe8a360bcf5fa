import { equalBytes, type LogLeaf, type LogStore } from '@medzen/core';
import { agrees, arbitrate, type TileRow } from './arbitrate.ts';
import { createIdCheck } from './event-id.ts';
import type { LogFinding } from './log-finding.ts';
import { isSize } from './proof-ranges.ts';
import { edgeRoot } from './tree-edge.ts';
import { hashBytes, type TreeHasher, tileWidth } from './tree-hasher.ts';

/** What a walk is told. */
export interface LogWalkOptions {
  readonly store: Pick<LogStore, 'readLeaves' | 'readTile'>;
  readonly hasher: TreeHasher;
  /** Leaves to walk. */
  readonly size: number;
  /** Whether the size was signed. If not, the walk ends where the leaves end: it may be nonsense. */
  readonly sizeIsSigned: boolean;
  /** What the whole must come to; undefined when nothing says so. */
  readonly root: Uint8Array | undefined;
  readonly report: (finding: LogFinding) => void;
  /** A row of a tile is settled. */
  readonly onRow?: (level: number, index: number, hashes: Uint8Array) => void;
  /** A leaf is not read because it was purged: its stored hash is taken, which the root proves. */
  readonly onPurged?: () => void;
  readonly onPage?: (verified: number) => void;
  readonly signal?: AbortSignal | undefined;
}

interface WalkLevel {
  index: number;
  width: number;
  readonly computed: Uint8Array;
  readonly known: Uint8Array;
}

const pageSize = 4 * tileWidth;

/**
 * Walks a log from the first leaf to the last and compares three things that must be one: the events, the stored tiles, the root. Each full
 * tile is settled as soon as its last hash is known and then forgotten, so memory does not grow with the log.
 *
 * @returns whether the root came out as `root`
 */
export async function walkLog(options: LogWalkOptions): Promise<boolean> {
  const { store, hasher, size, root, report, onRow } = options;
  const levels: WalkLevel[] = [];
  let ids: string[] = []; // of the leaves in the tile that is being filled
  let mislabelled: number[] = []; // positions in it whose body is another event's
  let misfiled: number[] = []; // positions in it that searches do not find by what the body says
  let purged: number[] = []; // positions in it of which only the stored hash is left
  let nothingThere = false; // of a whole tile and its entries
  const holdsId = createIdCheck();
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
    const hashes: unknown = (await store.readTile(level, index))?.hashes; // of a database that may be damaged
    return hashes instanceof Uint8Array ? hashes : undefined;
  };

  const rowOf = async (level: number, { index, width, computed, known }: WalkLevel): Promise<TileRow> => {
    const stored = level === 0 ? asked.get(index) : undefined;
    if (level === 0) asked.delete(index);
    const row = { width, computed, known, stored: await (stored ?? tileAt(level, index)) };
    if (level === 0) for (const position of purged) takeStored(row, position);
    return row;
  };

  /** Names what was altered in a row whose two sides differ. */
  const name = (level: number, index: number, row: TileRow, places: readonly Place[]): void => {
    if (level === 0) {
      const differing = new Set(places.map(({ position }) => position));
      for (const position of mislabelled)
        if (!differing.has(position))
          report({ kind: 'event_altered', index: index * tileWidth + position, eventId: ids[position] ?? '' });
      for (const position of misfiled)
        if (!differing.has(position))
          report({ kind: 'event_misfiled', index: index * tileWidth + position, eventId: ids[position] ?? '' });
    }
    if (places.length === 0) return;
    const inTile = places.filter(({ trusted }) => trusted !== 'stored');
    const lost = row.stored === undefined || row.stored.length < row.width * hashBytes;
    if (lost || inTile.length > mostPositions) report({ kind: 'tile_altered', level, index });
    else for (const { position } of inTile) report({ kind: 'tile_altered', level, index, position });
    for (const { position, trusted } of places) {
      if (trusted !== 'stored' || row.known[position] !== 1) continue; // what is missing was reported where it was missed
      const place = index * tileWidth + position;
      if (level === 0) report({ kind: 'event_altered', index: place, eventId: ids[position] ?? '' });
      else report({ kind: 'range_altered', index: place * tileWidth ** level, count: tileWidth ** level });
    }
  };

  /** A tile is full: settle it and give its root to the level above. */
  const settle = async (level: number): Promise<void> => {
    const tile = levelAt(level);
    const row = await rowOf(level, tile);
    if (level === 0) nothingThere = row.stored === undefined && !row.known.includes(1);
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
    const parent = levelAt(level + 1);
    if (hashes !== undefined) parent.computed.set(hasher.fold(hashes, tileWidth), parent.width * hashBytes);
    parent.known[parent.width] = hashes === undefined ? 0 : 1;
    parent.width++;
    tile.index++;
    tile.width = 0;
    if (level === 0) [ids, mislabelled, misfiled, purged] = [[], [], [], []];
    if (parent.width === tileWidth) await settle(level + 1);
  };

  const gives = (hashes: Uint8Array, claim: Uint8Array): boolean => equalBytes(hasher.fold(hashes, tileWidth), claim);

  /** The next leaf, or that it is missing. */
  const feed = (leaf: LogLeaf | undefined): Promise<void> | undefined => {
    const tile = levelAt(0);
    const { body, eventId } = leaf ?? {};
    const present = body instanceof Uint8Array;
    ids[tile.width] = eventId ?? '';
    tile.known[tile.width] = present ? 1 : 0;
    if (present) {
      hasher.leaf(body, tile.computed, tile.width * hashBytes);
      // Of a log of somebody else's, whose entries have no ids, nobody says one.
      if (eventId !== '' && !holdsId(body, eventId ?? '')) mislabelled.push(tile.width);
      else if (leaf?.misfiled === true) misfiled.push(tile.width);
    } else if (leaf?.purged === true) {
      purged.push(tile.width);
      options.onPurged?.();
    }
    tile.width++;
    return tile.width === tileWidth ? settle(0) : undefined; // no promise for the other 255
  };

  const index = (): number => (levels[0]?.index ?? 0) * tileWidth + (levels[0]?.width ?? 0);

  const missing = async (count: number): Promise<void> => {
    report({ kind: 'event_missing', index: index(), count });
    for (let i = 0; i < count; i++) await feed(undefined);
  };

  const read = (from: number): Promise<readonly LogLeaf[]> | undefined => {
    if (from >= size) return undefined;
    const page = store.readLeaves(from, Math.min(pageSize, size - from));
    page.catch(quiet);
    for (
      let tile = Math.floor(from / tileWidth);
      tile < (from + pageSize) / tileWidth && tile * tileWidth < size;
      tile++
    ) {
      const hashes = asked.get(tile) ?? tileAt(0, tile);
      hashes.catch(quiet);
      asked.set(tile, hashes);
    }
    return page;
  };

  let next = read(0);
  while (index() < size) {
    options.signal?.throwIfAborted();
    const leaves = (await (next ?? read(index()))) ?? [];
    const before = index();
    next = leaves.length === pageSize ? read(before + pageSize) : undefined; // hash this page while the store reads the next
    for (const leaf of leaves) {
      const place: unknown = leaf.index;
      if (!isSize(place) || place < index() || place >= size) continue; // out of order: its own place will be found empty
      if (place > index()) {
        if (!options.sizeIsSigned) break; // nothing says how far the leaves should go
        await missing(place - index());
      }
      if (leaf.body === undefined && leaf.purged !== true)
        report({ kind: 'event_missing', index: place, count: 1, eventId: leaf.eventId });
      const full = feed(leaf);
      if (full !== undefined) await full;
    }
    if (index() === before) {
      if (!options.sizeIsSigned) break;
      await missing(size - before);
    }
    if (nothingThere && !options.sizeIsSigned) break;
    if (index() !== before + pageSize) next = undefined; // a gap was passed: the next page begins elsewhere
    options.onPage?.(index());
  }

  // The right edge: its tiles have no full tile over them, only the root.
  const edge = levels.flatMap((tile, level) => (tile.width > 0 ? [{ tile, level }] : []));
  const rows = await Promise.all(edge.map(({ tile, level }) => rowOf(level, tile)));
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
}

const mostPositions = 8;

/** For a promise that is awaited in its turn: until then its failure is nobody's. */
const quiet = (): void => {};

interface Place {
  readonly position: number;
  readonly trusted: 'stored' | 'computed' | 'neither';
}

/** Where the event itself is gone for good, its hash in the tile stands for it. */
function takeStored({ computed, known, stored, width }: TileRow, position: number): void {
  const from = position * hashBytes;
  if (position >= width || stored === undefined || stored.length < from + hashBytes) return;
  computed.set(stored.subarray(from, from + hashBytes), from);
  known[position] = 1;
}
