import { type ArchiveRow, type ArchiveStore, type LeafSpan, MedzenError, type Wire, type WireRow } from '@medzen/core';
import { integerIn, statusIn, textIn } from '../row.ts';

/** The archive's side of the audit log. Always on the root wire: what is in an object store is no part of a host's transaction. */
export function archiveStore(wire: Wire): ArchiveStore {
  const { root } = wire;
  return {
    async begin(maxLeaves) {
      const [row] = await root.call('open_archive', { max_leaves: maxLeaves }, patiently);
      return row === undefined ? undefined : rowIn(row);
    },

    async finish(span, manifestSha256) {
      const rows = await root.call('finish_archive', { ...ends(span), manifest_sha256: manifestSha256 });
      return statusIn(rows, ['archived', 'repeated', 'conflict']);
    },

    async list(from, limit) {
      const rows = await root.call('read_archives', { from: leaf(from), limit });
      return rows.map(rowIn);
    },

    async purge(scope, order, event) {
      const { manifestSha256: manifest_sha256, years } = order;
      const args = { tenant: scope.tenant, ...ends(order), manifest_sha256, years };
      const rows = await root.call('purge_archive', { ...args, event_id: event.id, event_body: event.body }, patiently);
      return statusIn(rows, ['purged', 'repeated', 'not_archived', 'too_young', 'held']);
    },
  };
}

/** A range of a million events is looked through, or removed, at once. */
const patiently = { patienceMs: 15 * 60_000 };

function ends({ first, end }: LeafSpan): { readonly first: string; readonly end: string } {
  return { first: leaf(first), end: leaf(end) };
}

function leaf(index: number): string {
  if (Number.isSafeInteger(index) && index >= 0) return String(index);
  throw new MedzenError('invalid_input', 'Leaf indexes must be integers ≥ 0');
}

function rowIn(row: WireRow): ArchiveRow {
  const { manifest_sha256: manifestSha256, purge_event: purgeEventId } = row;
  const archived = manifestSha256 instanceof Uint8Array;
  const purged = typeof purgeEventId === 'string';
  return {
    first: integerIn(row, 'first_leaf'),
    end: integerIn(row, 'end_leaf'),
    status: purged ? 'purged' : archived ? 'archived' : 'begun',
    newestAt: textIn(row, 'newest_at'),
    ...(archived && { manifestSha256 }),
    ...(purged && { purgeEventId }),
  };
}
