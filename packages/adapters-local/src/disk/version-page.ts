import { MedzenError, type ObjectVersion, type ObjectVersionPage } from '@medzen/core';

/** An order that never changes while versions come and go: by key, then by version id. */
export function compareVersions(
  a: { readonly key: string; readonly versionId: string },
  b: { readonly key: string; readonly versionId: string },
): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  if (a.versionId === b.versionId) return 0;
  return a.versionId < b.versionId ? -1 : 1;
}

/** Where a page ended, as opaque text. */
function writeCursor(last: { readonly key: string; readonly versionId: string }): string {
  return encodeURIComponent(JSON.stringify([last.key, last.versionId]));
}

/** @throws MedzenError `invalid_input` for a text that is no cursor */
function readCursor(cursor: string): { readonly key: string; readonly versionId: string } {
  try {
    const [key, versionId] = JSON.parse(decodeURIComponent(cursor)) as unknown[]; // checked below
    if (typeof key === 'string' && typeof versionId === 'string') return { key, versionId };
  } catch (cause) {
    throw new MedzenError('invalid_input', 'cursor must come from an earlier page of this store', { cause });
  }
  throw new MedzenError('invalid_input', 'cursor must come from an earlier page of this store');
}

/** Cuts a page out of all versions, which must be in order. */
export function pageOf<V extends Pick<ObjectVersion, 'key' | 'versionId'>>(
  ordered: readonly V[],
  cursor: string | undefined,
  limit: number,
): { readonly rows: readonly V[]; readonly next: Pick<ObjectVersionPage, 'cursor'> } {
  const after = cursor === undefined ? undefined : readCursor(cursor);
  const begin = after === undefined ? 0 : ordered.findIndex((row) => compareVersions(row, after) > 0);
  if (begin === -1) return { rows: [], next: {} };
  const rows = ordered.slice(begin, begin + limit);
  const last = rows.at(-1);
  const more = begin + limit < ordered.length;
  return { rows, next: more && last !== undefined ? { cursor: writeCursor(last) } : {} };
}
