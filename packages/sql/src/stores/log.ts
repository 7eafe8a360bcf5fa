import {
  isUuid,
  type LogCommit,
  type LogLeaf,
  type LogStore,
  MedzenError,
  type OldTransaction,
  type OpenWriter,
  type Stray,
  type Wire,
  type WireRow,
  type WireValue,
} from '@medzen/core';
import { bytesIn, integerIn, statusIn, textIn } from '../row.ts';
import { callJson } from './call-json.ts';
import { list, oneOf, type Reader, shape, text } from './read-json.ts';

/** The sequencer's side of the audit log. Always on the root wire: its work is never part of a host's transaction. */
export function logStore(wire: Wire): LogStore {
  const { root } = wire;
  return {
    async head() {
      const [row] = await root.call('read_head', {});
      const checkpoint = row?.checkpoint;
      // Whatever an altered row says, or none: the sequencer's guard and verification call it damaged.
      return {
        size: Number(row?.size ?? Number.NaN),
        root: row?.root instanceof Uint8Array ? row.root : new Uint8Array(),
        ...(typeof checkpoint === 'string' ? { checkpoint } : {}),
      };
    },

    async readBatch(limit) {
      const rows = await root.call('read_batch', { limit: whole(limit) });
      return rows.map((row) => ({ id: textIn(row, 'id'), body: bytesIn(row, 'body') }));
    },

    async commitBatch(commit) {
      const rows = await root.call('commit_batch', { event_ids: commit.eventIds, ...argumentsOf(commit) });
      return statusIn(rows, ['committed', 'conflict']);
    },

    async commitRebase(scope, event, commit) {
      if (commit.eventIds.length !== 1 || commit.eventIds[0] !== event.id)
        throw new MedzenError('invalid_input', 'A rebase commits its own event and no other');
      const rows = await root.call('commit_rebase', {
        tenant: scope.tenant,
        event_id: event.id,
        event_body: event.body,
        ...argumentsOf(commit),
      });
      return statusIn(rows, ['committed', 'conflict']);
    },

    async readTile(level, index) {
      const [row] = await root.call('read_tile', { level: whole(level), index: String(whole(index)) });
      return row === undefined ? undefined : { level, index, hashes: bytesIn(row, 'hashes') };
    },

    async readLeaves(from, limit) {
      const rows = await root.call('read_leaves', { from: String(whole(from)), limit: whole(limit) });
      return rows.map((row) => ({
        index: Number(textIn(row, 'leaf_index')), // one that no number holds is past the end of every tree
        eventId: textIn(row, 'event_id'),
        ...(row.body instanceof Uint8Array ? { body: row.body } : {}),
        ...(row.misfiled === true ? { misfiled: true } : {}),
        ...(row.purged === true ? { purged: true } : {}),
        ...(isRowsState(row.rows) && { rows: row.rows }),
        ...(typeof row.unknown === 'string' && { unknown: row.unknown.split(' ') }),
      }));
    },

    async leafOf(eventId) {
      if (!isUuid(eventId)) return undefined;
      const [row] = await root.call('leaf_of', { event_id: eventId });
      return row === undefined ? undefined : integerIn(row, 'leaf_index');
    },

    async addCosignature(size, line) {
      // On its way half a pair would become a character that was never signed.
      if (!line.isWellFormed())
        throw new MedzenError('invalid_input', "line must be a C2SP signature line ('— <name> <base64>')");
      return statusIn(await root.call('add_cosignature', { size: String(whole(size)), line }), [
        'added',
        'repeated',
        'unknown',
      ]);
    },

    async checkpoints(afterSize, limit) {
      const rows = await root.call('read_checkpoints', { after_size: String(whole(afterSize)), limit: whole(limit) });
      return rows.map((row) => ({ size: integerIn(row, 'size'), checkpoint: textIn(row, 'checkpoint') }));
    },

    readStrays: async (after, limit) =>
      callJson(root, 'read_strays', { after: after ?? null, limit: whole(limit) }, strayPage),

    async lag() {
      const [row] = await root.call('audit_lag', {});
      return {
        pending: integerIn(row, 'pending'),
        lost: integerIn(row, 'lost'),
        oldestMs: integerIn(row, 'oldest_ms'),
        ...(row?.more === true && { more: true }),
        ...(row?.writer === true && { openWriter: openWriter(row) }),
        ...(row?.oldest === true && { oldestTransaction: oldestTransaction(row) }),
      };
    },
  };
}

function isRowsState(value: unknown): value is NonNullable<LogLeaf['rows']> {
  return value === 'missing' || value === 'altered' || value === 'unbound';
}

const stray: Reader<Stray> = (value, path) => {
  const { kind } = shape({ kind: oneOf(...strayKinds) })(value, path);
  switch (kind) {
    case 'event':
    case 'rows':
      return { kind, ...shape({ eventId: text })(value, path) };
    case 'leaf':
      return { kind, ...shape({ index: text, eventId: text })(value, path) };
    case 'identity':
    case 'restored':
      return { kind, ...shape({ tenant: text, pseudonym: text })(value, path) };
    case 'review':
      return { kind, ...shape({ tenant: text, id: text })(value, path) };
    default:
      return { kind, ...shape({ index: text })(value, path) };
  }
};

const strayKinds = ['event', 'leaf', 'rows', 'identity', 'restored', 'review', 'archive', 'checkpoint'] as const;
const strayPage = shape({ strays: list(stray) }, { next: text });

function openWriter(row: WireRow): OpenWriter {
  const { writer_pid: pid, writer_since: since } = row;
  return {
    prepared: row.writer_prepared === true,
    ...(typeof pid === 'number' && { pid }),
    ...(typeof since === 'string' && { since, openMs: integerIn(row, 'writer_ms') }),
  };
}

function oldestTransaction(row: WireRow): OldTransaction {
  const { oldest_pid: pid, oldest_since: since } = row;
  return {
    prepared: row.oldest_prepared === true,
    elsewhere: row.oldest_elsewhere === true,
    ...(typeof pid === 'number' && { pid }),
    ...(typeof since === 'string' && { since, openMs: integerIn(row, 'oldest_open_ms') }),
  };
}

function whole(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new MedzenError('invalid_input', 'Sizes and indexes must be integers ≥ 0');
}

function argumentsOf(commit: LogCommit): Record<string, WireValue> {
  return {
    expected_size: String(commit.expectedSize),
    expected_root: commit.expectedRoot,
    leaf_hashes: joined(commit),
    tile_keys: commit.tiles.map(({ level, index }) => `${level}/${index}`),
    tile_hashes: commit.tiles.map(({ hashes }) => hashes),
    root: commit.root,
    checkpoint: commit.checkpoint,
  };
}

/** The hashes one after the other, which the database compares with its own in one go. */
function joined(commit: LogCommit): Uint8Array {
  if (commit.leafHashes.some(({ length }) => length !== 32))
    throw new MedzenError('invalid_input', 'A leaf hash has 32 bytes');
  const bytes = new Uint8Array(32 * commit.leafHashes.length);
  for (const [at, hash] of commit.leafHashes.entries()) bytes.set(hash, 32 * at);
  return bytes;
}
