/** What stands under a path: a level of the tree, or the entries themselves. */
export type TileKind = number | 'entries';

/**
 * The path of a tile below a log's prefix.
 *
 * @param kind - level 0 to 63, or `entries`
 * @param index - of the tile in its level
 * @param width - 1–255 of a partial tile; 256, or absent, of a full one
 * @see C2SP tlog-tiles, “Merkle Tree”, “Log entries”
 */
export function tilePath(kind: TileKind, index: number, width = 256): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? [];
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${kind}/${path}${width < 256 ? `.p/${width}` : ''}`;
}

/** The path of the signed checkpoint. */
export const checkpointPath = 'checkpoint';
