import { memoryObjects, memoryStores } from '@medzen/adapters-local';
import { type LogStore, sealEvent } from '@medzen/core';
import { describe, expect, test } from 'vitest';
import { accessReport } from '../access-report.ts';
import { createArchiver } from '../archive/archiver.ts';
import { verifyArchive } from '../archive/verify-archive.ts';
import { createAuditLog } from '../audit-log.ts';
import { signCheckpoint } from '../checkpoint.ts';
import { exportEvents } from '../export/export-events.ts';
import { publishLog } from '../publish-log.ts';
import { createSequencer } from '../sequencer.ts';
import { createSigner } from '../signer.ts';
import { tileLog } from '../tile-log.ts';
import { checkpointPath } from '../tile-path.ts';
import type { TileSource } from '../tile-storage.ts';
import { runVerify } from '../verify-cli/run-verify.ts';
import { verifyLog } from '../verify-log.ts';

const signer = createSigner({ origin: 'x.example/l', privateKey: new Uint8Array(32).fill(1) });
const verifierKeys = [signer.verifierKey];
const scope = { tenant: 'default' };
const checkpointOf = (size: number, root = new Uint8Array(32)): Promise<string> =>
  signCheckpoint({ origin: signer.origin, size, root }, signer);

/** A log of a few events, whose checkpoint was signed for a size that it never had. */
async function boasting(size: number, there = 700) {
  const stores = memoryStores();
  const events = Array.from({ length: there }, () =>
    sealEvent({
      ...{ action: 'chart.open', kind: 'read', outcome: 'success', tenant: 'default', source: {} },
      actor: { id: 'u1', type: 'user' },
    }),
  );
  if (there > 0) await stores.audit.append(scope, events);
  await createSequencer({ memory: 'unguarded', store: stores.log, signer }).tick();
  const checkpoint = await checkpointOf(size);
  let calls = 0;
  const store: LogStore = {
    ...stores.log,
    head: async () => ({ size, root: new Uint8Array(32), checkpoint }),
    readLeaves: async (from, limit) => {
      calls++;
      return stores.log.readLeaves(from, limit);
    },
    readTile: async (level, index) => {
      calls++;
      return stores.log.readTile(level, index);
    },
  };
  return { store, calls: () => calls };
}

const huge = [1e7, 2 ** 32 + 5, 2 ** 48, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER];

describe('a size that was signed and that the log never had', () => {
  test.each(huge)('of %d takes a few steps, and what is missing is told at once', async (size) => {
    for (const there of [0, 3, 700]) {
      const log = await boasting(size, there);
      const verdict = await verifyLog({ store: log.store, verifierKeys });
      expect(verdict).toMatchObject({ ok: false, size });
      expect(verdict.ok ? [] : verdict.findings).toContainEqual({
        kind: 'event_missing',
        index: there,
        count: size - there,
      });
      expect(verdict.ok ? [] : verdict.findings.map(({ kind }) => kind)).toContain('root_mismatch');
      expect(log.calls()).toBeLessThan(1200);
    }
  });

  test.each(huge)('of %d takes a few steps over static files, with their entries or without', async (size) => {
    const checkpoint = new TextEncoder().encode(await checkpointOf(size));
    for (const entries of ['present', 'absent'] as const) {
      let reads = 0;
      const source: TileSource = {
        read: async (path) => {
          reads++;
          return path === checkpointPath ? checkpoint : undefined;
        },
      };
      const verdict = await verifyLog({ store: tileLog(source, { entries }), verifierKeys });
      expect(verdict.ok ? [] : verdict.findings.map(({ kind }) => kind)).toContain('root_mismatch');
      expect(reads).toBeLessThan(3000);
    }
  });

  test('past what a tree can have is no checkpoint', async () => {
    const text = (await checkpointOf(Number.MAX_SAFE_INTEGER)).replace('9007199254740991', '9007199254740993');
    const { store } = await boasting(3);
    expect(
      await verifyLog({
        store: { ...store, head: async () => ({ size: 2 ** 60, root: new Uint8Array(32), checkpoint: text }) },
        verifierKeys,
      }),
    ).toMatchObject({
      ok: false,
      findings: [{ kind: 'checkpoint_invalid', reason: 'malformed' }, {}],
    });
  });

  test('with one row far out is walked by what is there', async () => {
    const size = Number.MAX_SAFE_INTEGER;
    const log = await boasting(size);
    const far = 2 ** 52 + 12_345;
    const readLeaves: LogStore['readLeaves'] = async (from, limit) => {
      const rows = await log.store.readLeaves(from, limit);
      return rows.length > 0 || from > far ? rows : [{ index: far, eventId: 'x', body: new Uint8Array(3) }];
    };
    const verdict = await verifyLog({ store: { ...log.store, readLeaves }, verifierKeys });
    expect(verdict.ok ? [] : verdict.findings).toEqual(
      expect.arrayContaining([
        { kind: 'event_missing', index: 700, count: far - 700 },
        { kind: 'event_missing', index: far + 1, count: size - far - 1 },
      ]),
    );
    expect(log.calls()).toBeLessThan(3000);
  });
});

describe('a signal ends, although nothing answers,', () => {
  const never = <T>(): Promise<T> => new Promise(() => {});
  /** Aborts as soon as something hangs, so that no clock is needed. */
  const hanging = () => {
    const stop = new AbortController();
    return {
      signal: stop.signal,
      hang: <T>(): Promise<T> => {
        queueMicrotask(() => stop.abort(new Error('enough')));
        return never<T>();
      },
    };
  };

  test.each(['head', 'readLeaves', 'readTile', 'lag'] as const)('verifyLog, in %s', async (method) => {
    const { store } = await boasting(700);
    const { signal, hang } = hanging();
    await expect(verifyLog({ store: { ...store, [method]: hang }, verifierKeys, signal })).rejects.toThrow('enough');
  });

  test('verifyLog, while every read is answered with nothing', async () => {
    const { store } = await boasting(2e8, 0);
    const stop = new AbortController();
    let reads = 0;
    const readTile: LogStore['readTile'] = async () => {
      if (++reads === 3) stop.abort(new Error('enough'));
      return undefined;
    };
    await expect(verifyLog({ store: { ...store, readTile }, verifierKeys, signal: stop.signal })).rejects.toThrow(
      'enough',
    );
  });

  test('medzen-verify, at a server that hangs', async () => {
    const checkpoint = new TextEncoder().encode(await checkpointOf(5));
    const { signal, hang } = hanging();
    const said: string[] = [];
    const code = await runVerify(['--key', signer.verifierKey, 'https://log.example/'], {
      readFile: never,
      isFolder: async () => false,
      folder: () => ({ read: never }),
      web: () => ({ read: (path) => (path === checkpointPath ? Promise.resolve(checkpoint) : hang()) }),
      bucket: never,
      print: (text) => said.push(text),
      complain: (text) => said.push(text),
      version: '0',
      signal,
    });
    expect([code, said]).toEqual([2, ['Could not look: enough']]);
  });

  test('publishLog, in the store and in the target', async () => {
    const { store } = await boasting(700);
    const there = { read: async () => undefined, write: async () => {} };
    for (const method of ['head', 'readTile'] as const) {
      const { signal, hang } = hanging();
      await expect(publishLog({ store: { ...store, [method]: hang }, target: there, signal })).rejects.toThrow(
        'enough',
      );
    }
    for (const method of ['read', 'write'] as const) {
      const { signal, hang } = hanging();
      await expect(publishLog({ store, target: { ...there, [method]: hang }, signal })).rejects.toThrow('enough');
    }
  });

  test('the archive, its verification, a report and an export', async () => {
    const { store } = await boasting(3, 3);
    const begin = hanging();
    const archiver = createArchiver({
      store: {
        log: store,
        archive: { begin: begin.hang, finish: never, list: never, purge: never },
      },
      objects: memoryObjects(),
      prefix: 'audit/',
      verifierKeys,
    });
    await expect(archiver.archive(begin.signal)).rejects.toThrow('enough');

    const get = hanging();
    const range = { objects: { ...memoryObjects(), get: get.hang }, prefix: 'audit/', first: 0, end: 3, verifierKeys };
    await expect(verifyArchive({ ...range, signal: get.signal })).rejects.toThrow('enough');

    const search = hanging();
    const log = createAuditLog({ store: { append: never, summarize: never, search: search.hang } });
    await expect(log.accessReport(scope, 'p1', { signal: search.signal })).rejects.toThrow('enough');
    const again = hanging();
    const pages = createAuditLog({ store: { append: never, summarize: never, search: again.hang } });
    await expect(accessReport(pages, scope, 'p1', { signal: again.signal })).rejects.toThrow('enough');
    const third = hanging();
    const source = createAuditLog({ store: { append: never, summarize: never, search: third.hang } }).pages(scope, {});
    await expect(new Response(exportEvents(source, 'csv', { signal: third.signal })).text()).rejects.toThrow('enough');
  });
});
