import { createHash, hash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  createIds,
  type LogCommit,
  type LogHead,
  type LogStore,
  type LogTile,
  type SealedEvent,
  sealEvent,
  sha256,
} from '../packages/core/src/index.ts';

// What the audit benches share: events, a store that costs next to nothing, and the bare loops that are their limit.

/** Events as a telehealth backend logs them, about 520 bytes each, of a few kinds. */
export function sampleEvents(count: number): readonly SealedEvent[] {
  const ids = createIds();
  return Array.from({ length: count }, (_, i) =>
    sealEvent({
      action: i % 4 === 0 ? 'recording.download' : 'recording.view',
      kind: 'read',
      outcome: 'success',
      tenant: 'default',
      actor: { id: ids.uuid(), type: 'user', role: i % 3 === 0 ? 'patient' : 'provider' },
      patient: `patient-${i % 5000}`,
      target: { type: 'recording', id: ids.uuid() },
      purpose: 'TREAT',
      source: { ip: '192.0.2.7', userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0' },
    }),
  );
}

/** A log that keeps references and checks nothing: what is measured is not the store. */
export function referenceLog(events: readonly SealedEvent[]): LogStore {
  const tiles = new Map<string, LogTile>();
  let head: LogHead = { size: 0, root: sha256() };
  return {
    head: async () => head,
    readBatch: async (limit) => events.slice(head.size, head.size + limit),
    commitBatch: async (commit: LogCommit) => {
      for (const tile of commit.tiles) tiles.set(`${tile.level}/${tile.index}`, tile);
      head = { size: head.size + commit.eventIds.length, root: commit.root, checkpoint: commit.checkpoint };
      return { status: 'committed' };
    },
    commitRebase: async () => ({ status: 'conflict' }),
    readTile: async (level, index) => tiles.get(`${level}/${index}`),
    readLeaves: async (from, limit) =>
      events
        .slice(from, Math.min(from + limit, head.size))
        .map(({ id, body }, i) => ({ index: from + i, eventId: id, body })),
    leafOf: async () => undefined,
    checkpoints: async () => [],
    addCosignature: async () => ({ status: 'unknown' }),
    readStrays: async () => ({ strays: [] }),
    lag: async () => ({ lost: 0, pending: events.length - head.size, oldestMs: 0 }),
  };
}

/** RFC 6962 as one writes it first: a hash object a node, all nodes in memory. */
export function plainRoot(events: readonly SealedEvent[]): Uint8Array {
  const [zero, one] = [Uint8Array.of(0), Uint8Array.of(1)];
  let row: Uint8Array[] = events.map(({ body }) => createHash('sha256').update(zero).update(body).digest());
  while (row.length > 1) {
    const next: Uint8Array[] = [];
    for (let i = 0; i < row.length; i += 2) {
      const [left, right] = [row[i], row[i + 1]];
      if (left === undefined) break;
      next.push(right === undefined ? left : createHash('sha256').update(one).update(left).update(right).digest());
    }
    row = next;
  }
  return row[0] ?? sha256();
}

/** The least that any implementation must do, in the fastest way Node has: one one-shot hash a leaf and a node, in one flat array. */
export function bareRoot(events: readonly SealedEvent[]): Uint8Array {
  const rows = Buffer.alloc(events.length * 32);
  const leaf = new Uint8Array(65_536);
  const pair = new Uint8Array(65);
  pair[0] = 1;
  events.forEach(({ body }, i) => {
    leaf.set(body, 1);
    rows.write(hash('sha256', leaf.subarray(0, body.length + 1), 'binary'), i * 32, 32, 'latin1');
  });
  for (let width = events.length; width > 1; width = (width + 1) >> 1) {
    for (let i = 0; i < width >> 1; i++) {
      pair.set(rows.subarray(i * 64, i * 64 + 64), 1);
      rows.write(hash('sha256', pair, 'binary'), i * 32, 32, 'latin1');
    }
    if (width % 2 === 1) rows.copyWithin((width >> 1) * 32, (width - 1) * 32, width * 32);
  }
  return new Uint8Array(rows.subarray(0, 32));
}

setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');

/**
 * Things a CPU-second, of all threads of this process: other processes on the machine do not count, nor does the garbage that the
 * contestant before left behind.
 */
export async function perCpuSecond(count: number, work: () => unknown): Promise<number> {
  if (typeof collectGarbage === 'function') collectGarbage();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return count / ((user + system) / 1e6);
}
