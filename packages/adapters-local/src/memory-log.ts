import { equalBytes, type LogHead, type LogStore, type LogTile, MedzenError, sha256 } from '@medzen/core';
import type { EventTable } from './memory-audit.ts';

const leafPrefix = Uint8Array.of(0);

/** The sequencer's side of the events in memory. @param now - milliseconds of the store's clock */
export function memoryLog(events: EventTable, now: () => number): LogStore {
  const leaves: string[] = [];
  const indexOf = new Map<string, number>();
  const tiles = new Map<string, LogTile>();
  const checkpoints: { readonly size: number; readonly checkpoint: string }[] = [];
  let head: LogHead = { size: 0, root: sha256() };
  const bound = (limit: number, most: number): void => {
    if (!Number.isInteger(limit) || limit < 1 || limit > most)
      throw new MedzenError('invalid_input', `A limit lies between 1 and ${most}`);
  };

  return {
    head: async () => ({ ...head, root: head.root.slice() }),

    readBatch: async (limit) => {
      bound(limit, 10_000);
      const batch = [];
      for (const { id, body } of events.pending.values()) {
        if (batch.length === limit) break;
        if (body !== undefined) batch.push({ id, body: body.slice() });
      }
      return batch;
    },

    commitBatch: async (commit) => {
      if (commit.expectedSize !== head.size || !equalBytes(commit.expectedRoot, head.root))
        return { status: 'conflict' };
      if (commit.eventIds.length !== commit.leafHashes.length || commit.eventIds.length < 1)
        throw new MedzenError('invalid_input', 'A batch has one leaf hash for each event');
      if (new Set(commit.eventIds).size !== commit.eventIds.length)
        throw new MedzenError('invalid_input', 'A batch names an event twice');
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
      head = { size: leaves.length, root: commit.root.slice(), checkpoint: commit.checkpoint };
      checkpoints.push({ size: head.size, checkpoint: commit.checkpoint });
      return { status: 'committed' };
    },

    readTile: async (level, index) => {
      const tile = tiles.get(`${level}/${index}`);
      return tile === undefined ? undefined : { ...tile, hashes: tile.hashes.slice() };
    },

    readLeaves: async (from, limit) => {
      bound(limit, 10_000);
      return leaves.slice(from, from + limit).map((eventId, i) => {
        const body = events.rows.get(eventId)?.body;
        return { index: from + i, eventId, ...(body === undefined ? {} : { body: body.slice() }) };
      });
    },

    leafOf: async (eventId) => indexOf.get(eventId),

    checkpoints: async (afterSize, limit) => {
      bound(limit, 1000);
      return checkpoints.filter(({ size }) => size > afterSize).slice(0, limit);
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
