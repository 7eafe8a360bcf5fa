import {
  equalBytes,
  fromBase64,
  type LogHead,
  type LogStore,
  type LogTile,
  MedzenError,
  openSealedEvent,
  sha256,
  toHex,
} from '@medzen/core';
import type { LeafTable } from './memory-archive.ts';
import type { EventTable } from './memory-audit.ts';

const leafPrefix = Uint8Array.of(0);

/** The sequencer's side of the events in memory. @param now - milliseconds of the store's clock */
export function memoryLog(events: EventTable, now: () => number, table: LeafTable): LogStore {
  const leaves = table.ids;
  const indexOf = new Map<string, number>();
  const tiles = new Map<string, LogTile>();
  const checkpoints: {
    readonly size: number;
    readonly checkpoint: string;
    readonly cosignatures: Map<string, string>;
  }[] = [];
  let head: LogHead = { size: 0, root: sha256() };
  const bound = (limit: number, most: number): void => {
    if (!Number.isInteger(limit) || limit < 1 || limit > most)
      throw new MedzenError('invalid_input', `limit must be an integer from 1 to ${most}`);
  };

  /** With its cosignatures, in the order of their keys. */
  const shown = ({
    size,
    checkpoint,
    cosignatures,
  }: (typeof checkpoints)[number]): { size: number; checkpoint: string } => {
    const lines = [...cosignatures].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
    return { size, checkpoint: checkpoint + lines.join('') };
  };

  const commitBatch: LogStore['commitBatch'] = async (commit) => {
    if (commit.expectedSize !== head.size || !equalBytes(commit.expectedRoot, head.root)) return { status: 'conflict' };
    if (commit.eventIds.length !== commit.leafHashes.length || commit.eventIds.length < 1)
      throw new MedzenError('invalid_input', 'leafHashes must have one hash for each event');
    if (new Set(commit.eventIds).size !== commit.eventIds.length)
      throw new MedzenError('invalid_input', 'eventIds must not name an event twice');
    if (commit.eventIds.some((id) => indexOf.has(id))) return { status: 'conflict' };
    for (const [i, id] of commit.eventIds.entries()) {
      const body = events.rows.get(id)?.body;
      const hash = commit.leafHashes[i];
      if (body === undefined || hash === undefined || !equalBytes(hash, sha256(leafPrefix, body)))
        throw new MedzenError('invalid_input', 'An event does not exist, or its leaf hash differs');
    }
    for (const id of commit.eventIds) {
      indexOf.set(id, leaves.length);
      leaves.push(id);
      events.pending.delete(id);
    }
    for (const tile of commit.tiles) {
      tiles.set(`${tile.level}/${tile.index}`, { ...tile, hashes: tile.hashes.slice() });
    }
    head = { size: leaves.length, root: commit.root.slice() };
    checkpoints.push({ size: head.size, checkpoint: commit.checkpoint, cosignatures: new Map() });
    return { status: 'committed' };
  };

  return {
    head: async () => {
      const last = checkpoints.at(-1);
      return { ...head, root: head.root.slice(), ...(last && { checkpoint: shown(last).checkpoint }) };
    },

    readBatch: async (limit) => {
      bound(limit, 10_000);
      const batch = [];
      for (const { id, body } of events.pending.values()) {
        if (batch.length === limit) break;
        if (body !== undefined) batch.push({ id, body: body.slice() });
      }
      return batch;
    },

    commitBatch,

    commitRebase: async (scope, event, commit) => {
      const { action, actor } = openSealedEvent(scope, event);
      if (action !== 'audit.rebase' || actor.type !== 'service')
        throw new MedzenError('invalid_input', 'A rebase is recorded by an event of action audit.rebase, by a service');
      if (commit.eventIds.length !== 1 || commit.eventIds[0] !== event.id)
        throw new MedzenError('invalid_input', 'A rebase commits its own event and no other');
      if (commit.expectedSize !== head.size || !equalBytes(commit.expectedRoot, head.root))
        return { status: 'conflict' };
      const [hash] = commit.leafHashes;
      if (hash === undefined || !equalBytes(hash, sha256(leafPrefix, event.body)))
        throw new MedzenError('invalid_input', 'The leaf hash of a rebase is not of its event');
      events.plan(scope, [event])();
      return commitBatch(commit);
    },

    readTile: async (level, index) => {
      const tile = tiles.get(`${level}/${index}`);
      return tile === undefined ? undefined : { ...tile, hashes: tile.hashes.slice() };
    },

    readLeaves: async (from, limit) => {
      bound(limit, 10_000);
      return leaves.slice(from, from + limit).map((eventId, i) => {
        const body = events.rows.get(eventId)?.body;
        const index = from + i;
        if (body === undefined) return { index, eventId, ...(table.isPurged(index) && { purged: true as const }) };
        return { index, eventId, body: body.slice() };
      });
    },

    leafOf: async (eventId) => indexOf.get(eventId),

    addCosignature: async (size, line) => {
      const key = keyOfSignature(line);
      const found = checkpoints.find((one) => one.size === size);
      if (found === undefined) return { status: 'unknown' };
      if (found.cosignatures.has(key)) return { status: 'repeated' };
      if (found.cosignatures.size >= 64)
        throw new MedzenError('invalid_input', 'A checkpoint carries at most 64 cosignatures');
      if (shown(found).checkpoint.length + line.length > 131_072)
        throw new MedzenError('invalid_input', 'The checkpoint would be longer than readers look at');
      found.cosignatures.set(key, line);
      return { status: 'added' };
    },

    checkpoints: async (afterSize, limit) => {
      bound(limit, 1000);
      return checkpoints
        .filter(({ size }) => size > afterSize)
        .slice(0, limit)
        .map(shown);
    },

    // Nothing stands beside the events but what they say.
    readStrays: async (after, limit) => {
      bound(limit, 10_000);
      if (after !== undefined)
        throw new MedzenError('invalid_input', 'after must be a place that an earlier page gave');
      return { strays: [] };
    },

    lag: async () => {
      const at = now();
      let [oldestMs, lost] = [0, 0];
      for (const { writtenAt, body } of events.pending.values()) {
        oldestMs = Math.max(oldestMs, at - writtenAt);
        if (body === undefined) lost++;
      }
      return { pending: events.pending.size, lost, oldestMs };
    },
  };
}

/** By what two cosignatures are told to be of one key: its name and its id, the first 4 bytes. */
function keyOfSignature(line: string): string {
  const [, name = '', payload] = /^\u2014 ([^+\p{White_Space}]+) ([A-Za-z0-9+/]+={0,2})\n$/u.exec(line) ?? [];
  // As every reader of signed notes has it (C2SP signed-note), since one name that is not refuses the whole checkpoint.
  const named = name !== '' && name.length <= 1024 && line.isWellFormed() && [...name].every((sign) => sign >= ' ');
  if (named && payload !== undefined && line.length <= 8192)
    try {
      const bytes = fromBase64(payload);
      if (bytes.length > 4) return `${name} ${toHex(bytes.subarray(0, 4))}`;
    } catch {
      // not base64
    }
  throw new MedzenError('invalid_input', "line must be a C2SP signature line ('— <name> <base64>')");
}
