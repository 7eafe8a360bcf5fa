import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryStores } from '@medzen/adapters-local';
import type { AuditFacts, AuditStore, CallContext } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { type SeverableProxy, severableProxy } from '../../../test/severable-proxy.ts';
import { createAuditLog } from './audit-log.ts';
import { batchedAuditStore } from './batched-audit-store.ts';
import { createSpool, type FolderSpool } from './node/create-spool.ts';

const scope = { tenant: 'default' };
const ctx: CallContext = { scope, actor: { id: 'u1', type: 'user', roles: [], tenant: 'default' }, source: {} };
const view: AuditFacts = { action: 'note.view', kind: 'read', outcome: 'success', patient: 'p1' };
const change: AuditFacts = { action: 'note.edit', kind: 'update', outcome: 'success', patient: 'p1' };
const gone = { code: 'store_unavailable', retryable: true };
const never = (): Promise<never> => new Promise(() => undefined);

let folder: string;
let spool: FolderSpool;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'medzen-hung-'));
  spool = await createSpool({ folder, deadlineMs: 200 });
});
afterEach(async () => {
  await spool.close();
  await rm(folder, { recursive: true });
});

describe('a store of the host that never answers', () => {
  const store: AuditStore = { ...memoryStores().audit, append: never, search: never };

  test.each([
    ['as it is', store],
    ['behind batches', batchedAuditStore(store)],
  ])('leaves reads to the spool, durable there before they are answered (%s)', async (_, over) => {
    const audit = createAuditLog({ store: over, spool, deadlineMs: 50 });
    expect(await audit.record(view, ctx)).toMatchObject({ status: 'spooled' });
    expect(await spool.size()).toBe(1);
    expect(await audit.audited({ action: 'note.view', kind: 'read', patient: 'p1' }, ctx, () => 'text')).toBe('text');
    expect(await spool.size()).toBe(2);
  });

  test('refuses changes, whose transaction might roll back, and everything where there is no spool', async () => {
    await expect(createAuditLog({ store, spool, deadlineMs: 50 }).record(change, ctx)).rejects.toMatchObject(gone);
    const alone = createAuditLog({ store, deadlineMs: 50 });
    await expect(alone.record(view, ctx)).rejects.toMatchObject(gone);
    await expect(alone.audited({ action: 'note.view', kind: 'read' }, ctx, () => 'text')).rejects.toMatchObject(gone);
    await expect(alone.search(scope, {})).rejects.toMatchObject(gone);
    await expect(alone.accessReport(scope, 'p1')).rejects.toMatchObject(gone);
    expect(await spool.size()).toBe(0);
  });

  test('does not keep a drain for ever, nor the next from going through', async () => {
    await createAuditLog({ store, spool, deadlineMs: 50 }).record(view, ctx);
    await expect(spool.drain(store)).rejects.toMatchObject(gone);
    expect(await spool.size()).toBe(1);
    expect(await spool.drain(memoryStores().audit)).toMatchObject({ drained: 1, left: 0 });
  });

  test('that looks for its switch of erasable identities is as late', async () => {
    const identities = { ...memoryStores().identities, kinds: never };
    const audit = createAuditLog({
      store: memoryStores().audit,
      erasable: { identities, kinds: ['patient'] },
      deadlineMs: 50,
    });
    await expect(audit.record(view, ctx)).rejects.toMatchObject(gone);
  });

  test('has a deadline that is a number of milliseconds', async () => {
    expect(() => createAuditLog({ store, deadlineMs: 0 })).toThrow(/^deadlineMs must be/);
    await expect(createSpool({ folder: `${folder}-other`, deadlineMs: 0 })).rejects.toThrow(/^deadlineMs must be/);
  });
});

describe('a Postgres that answers nothing', () => {
  let db: FreshDatabase;
  let proxy: SeverableProxy;
  let pool: pg.Pool;
  beforeAll(async () => {
    db = await freshDatabase();
    const url = new URL(db.url);
    proxy = await severableProxy({ host: url.hostname, port: Number(url.port) });
    url.port = String(proxy.port);
    pool = new pg.Pool({ connectionString: url.href, max: 3 });
    pool.on('error', () => undefined);
  }, 120_000);
  afterAll(async () => {
    proxy.mend();
    await pool.end();
    await proxy.close();
    await db.drop();
  });

  test('leaves reads to the spool, and what arrives late is there once after the drain', async () => {
    const hasty = sqlStores(pgWire(pool, { deadlineMs: 300 })).audit;
    const audit = createAuditLog({ store: hasty, spool });
    const ids: string[] = [];
    while (ids.length === 0) {
      const { status, id } = await audit.record(view, ctx); // the first connections of a busy machine
      if (status === 'durable') ids.push(id);
    }
    proxy.freeze();
    for (let i = 0; i < 5; i++) {
      const { status, id } = await audit.record(view, ctx);
      expect(status).toBe('spooled');
      ids.push(id);
    }
    proxy.mend(); // what was on its way is written now, or is not
    const patient = sqlStores(pgWire(db.pool)).audit;
    expect(await spool.drain(patient)).toMatchObject({ rejected: 0, left: 0 });
    const { events } = await patient.search(scope, { patient: 'p1', limit: 1000 });
    for (const id of ids) expect(events.filter((event) => event.id === id)).toHaveLength(1);
  });
});
