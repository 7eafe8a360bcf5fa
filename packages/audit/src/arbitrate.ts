import { equalBytes } from '@medzen/core';
import { hashBytes, tileWidth } from './tree-hasher.ts';

/** One row of a tile, twice: as it follows from what lies below, and as it is stored. */
export interface TileRow {
  /** Hashes in the row, 1–256. */
  readonly width: number;
  /** 256 × 32 bytes, of which `width` count. */
  readonly computed: Uint8Array;
  /** 1 where `computed` has a hash; 0 where what lies below is missing. */
  readonly known: Uint8Array;
  /** The stored tile's hashes, of any length; undefined where there is none. */
  readonly stored: Uint8Array | undefined;
}

/** A position at which the two do not agree. */
interface Difference {
  /** Which row, which hash of it. */
  readonly row: number;
  readonly position: number;
  /** Which of the two is taken to be what was once sealed; `neither` where there is neither. */
  readonly trusted: 'stored' | 'computed' | 'neither';
}

/** Result of an arbitration. */
export interface Arbitration {
  /** The rows with each difference decided, 256 × 32 bytes each; undefined when a hash is lost. */
  readonly rows: readonly Uint8Array[] | undefined;
  readonly differences: readonly Difference[];
  /** Whether the rows give the hash that stands over them: then every decision is proved by it. */
  readonly proved: boolean;
}

const mostFree = 8;

/**
 * Decides, where an event and the stored hash of it disagree, which of the two was altered: the one that does not give the hash that stands
 * over both. Up to eight differences are tried in every combination; with more, all stored hashes, then all computed ones.
 * Undecided, the stored hashes are taken: whoever alters an event more rarely alters the tree.
 *
 * @param rows - one full tile, or all partial tiles of the right edge
 * @param holds - whether the rows give the hash over them; undefined where that is not known
 */
export function arbitrate(
  rows: readonly TileRow[],
  holds: ((rows: readonly Uint8Array[]) => boolean) | undefined,
): Arbitration {
  const found = rows.flatMap((row, i) => differencesOf(row).map((position) => ({ row: i, position })));
  const options = found.map(({ row, position }) => optionsAt(rows[row], position));
  const free = options.flatMap((option, i) => (option === 'both' ? [i] : []));

  const choose = (computed: ReadonlySet<number>): Arbitration['differences'] =>
    found.map((place, i) => {
      const option = options[i] ?? 'neither';
      return { ...place, trusted: option === 'both' ? (computed.has(i) ? 'computed' : 'stored') : option };
    });

  if (options.includes('neither')) return { rows: undefined, differences: choose(new Set()), proved: false };
  for (const candidate of candidates(free)) {
    const differences = choose(candidate);
    const settled = applied(rows, differences);
    if (holds?.(settled) === true) return { rows: settled, differences, proved: true };
  }
  const differences = choose(new Set());
  return { rows: applied(rows, differences), differences, proved: false };
}

/** Whether a row follows from what lies below exactly as it is stored. */
export function agrees({ width, computed, known, stored }: TileRow): boolean {
  if (stored === undefined || stored.length < width * hashBytes || known.subarray(0, width).includes(0)) return false;
  for (let i = 0; i < width * hashBytes; i++) if (computed[i] !== stored[i]) return false; // no secret: it may stop early
  return true;
}

function differencesOf(row: TileRow): readonly number[] {
  if (agrees(row)) return [];
  const positions: number[] = [];
  for (let i = 0; i < row.width; i++) {
    const [from, to] = [i * hashBytes, (i + 1) * hashBytes];
    const same =
      row.known[i] === 1 &&
      row.stored !== undefined &&
      equalBytes(row.computed.subarray(from, to), row.stored.subarray(from, to));
    if (!same) positions.push(i);
  }
  return positions;
}

function optionsAt(row: TileRow | undefined, position: number): Difference['trusted'] | 'both' {
  const computed = row?.known[position] === 1;
  const stored = row?.stored !== undefined && row.stored.length >= (position + 1) * hashBytes;
  if (computed && stored) return 'both';
  return computed ? 'computed' : stored ? 'stored' : 'neither';
}

/** Which of the free differences to take as computed: none, all, then every combination if they are few. */
function* candidates(free: readonly number[]): Generator<ReadonlySet<number>> {
  yield new Set();
  if (free.length === 0) return;
  yield new Set(free);
  if (free.length > mostFree) return;
  for (let mask = 1; mask < 2 ** free.length - 1; mask++) yield new Set(free.filter((_, bit) => (mask >> bit) & 1));
}

function applied(rows: readonly TileRow[], differences: readonly Difference[]): readonly Uint8Array[] {
  const settled = rows.map(({ computed }) => computed.slice(0, tileWidth * hashBytes));
  for (const { row, position, trusted } of differences) {
    const [from, to] = [position * hashBytes, (position + 1) * hashBytes];
    const stored = rows[row]?.stored;
    if (trusted === 'stored' && stored !== undefined) settled[row]?.set(stored.subarray(from, to), from);
  }
  return settled;
}
