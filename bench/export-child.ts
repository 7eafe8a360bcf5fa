import { createWriteStream, readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { createAuditLog, exportLog } from '../packages/audit/src/index.ts';
import { type AuditStore, MedzenError } from '../packages/core/src/index.ts';
import { sampleEvents } from './audit-log.ts';

// A part of the bench `export`: a process of its own, since peak memory is a process's.

/** What a process needed, in MB. */
export interface Peak {
  /** After the first half. */
  readonly half: number;
  readonly peak: number;
}

/** A log of any length that costs nothing to keep: the same events on every page, in bytes of their own, as a driver would hand them out. */
function endlessStore(count: number, atHalf: () => void): AuditStore {
  const page = sampleEvents(1000);
  return {
    append: async () => ({ status: 'durable' }),
    search: async (_, { cursor = '0', limit = 100 }) => {
      const done = Number(cursor) + limit;
      if (done === count / 2) atHalf();
      const events = page.slice(0, limit).map(({ id, body }) => ({ id, body: body.slice() }));
      return { events, ...(done < count ? { cursor: String(done) } : {}) };
    },
    summarize: async () => ({ lines: [], more: false }),
  };
}

/** Linux hands `maxRSS` down from the process that started this one; the mark of its own memory begins anew. */
function peakMb(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024;
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
}

/** Exports so many events as NDJSON, the way a host does, to where nothing is kept. */
export async function exportMany(count: number): Promise<Peak> {
  let half = 0;
  const log = createAuditLog({
    store: endlessStore(count, () => {
      half = peakMb();
    }),
  });
  const ctx = {
    scope: { tenant: 'default' },
    actor: { id: 'auditor', type: 'user', roles: ['auditor'], tenant: 'default' },
    source: {},
  } as const;
  let events = 0;
  if (count > 0) {
    const onEnd = (summary: { readonly lines: number }): void => {
      events = summary.lines;
    };
    const { body } = await exportLog(log, ctx, {}, 'ndjson', { onEnd });
    await body?.pipeTo(Writable.toWeb(createWriteStream('/dev/null')));
  }
  if (events !== count) throw new MedzenError('internal', 'Not every event was exported');
  return { half: half || peakMb(), peak: peakMb() };
}
