import { memoryStores } from '@medzen/adapters-local';
import {
  type AuditFacts,
  type AuditStore,
  type CallContext,
  MedzenError,
  openEvent,
  type SealedEvent,
  sealEvent,
} from '@medzen/core';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import { describe, expect, it, vi } from 'vitest';
import { type AuditedFacts, createAuditLog } from './audit-log.ts';

const scope = { tenant: 'default' };
const ctx: CallContext = {
  scope,
  actor: { id: 'u1', type: 'user', roles: ['provider'], tenant: 'default' },
  source: { ip: '192.0.2.7', requestId: 'r1' },
};
const view: AuditFacts = { action: 'note.view', kind: 'read', outcome: 'success', patient: 'p1' };
const change: AuditFacts = { action: 'note.edit', kind: 'update', outcome: 'success', patient: 'p1' };
const read: AuditedFacts = { action: 'note.view', kind: 'read', patient: 'p1', target: { type: 'note', id: 'n1' } };
const down = new MedzenError('store_unavailable', 'The store is down');

function setUp(changes: (store: AuditStore) => Partial<AuditStore> = () => ({})) {
  const clock = fakeClock();
  const random = fakeRandom();
  const stores = memoryStores({ clock });
  const append = vi.fn(stores.audit.append);
  const store: AuditStore = { ...stores.audit, append, ...changes({ ...stores.audit, append }) };
  return {
    clock,
    append,
    stores,
    audit: createAuditLog({ store, clock, random, ids: fakeIds(clock, random) }),
    stored: async () => (await stores.audit.search(scope, { limit: 1000 })).events.map(({ body }) => openEvent(body)),
  };
}

describe('record', () => {
  it('resolves once the event is durable, and it is what was said, by whom and from where', async () => {
    const log = setUp();
    const { status, id } = await log.audit.record(view, ctx);
    expect(status).toBe('durable');
    expect(await log.stored()).toEqual([
      {
        v: 1,
        id,
        at: '2026-01-15T09:00:00.000Z',
        tenant: 'default',
        action: 'note.view',
        kind: 'read',
        outcome: 'success',
        patient: 'p1',
        actor: { id: 'u1', type: 'user', role: 'provider' },
        purpose: 'TREAT',
        source: { ip: '192.0.2.7', requestId: 'r1' },
        nonce: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    ]);
  });

  it('does not resolve before the store does', async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const log = setUp((store) => ({
      append: async (...args) => {
        await gate;
        return store.append(...args);
      },
    }));
    let settled = false;
    const recording = log.audit.record(view, ctx).finally(() => {
      settled = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(settled).toBe(false);
    release();
    await recording;
    expect(await log.stored()).toHaveLength(1);
  });

  it('says so when the event waits for the commit of the host', async () => {
    const log = setUp(() => ({ append: async () => ({ status: 'pending-commit' }) }));
    expect(await log.audit.record(change, ctx)).toMatchObject({ status: 'pending-commit' });
  });

  it('joins the host for a change that succeeded, and stands alone for reads, denials and failures', async () => {
    const log = setUp();
    const facts: AuditFacts[] = [
      change,
      view,
      { ...change, outcome: 'denied' },
      { ...change, outcome: 'failed' },
      { ...change, kind: 'execute' },
    ];
    for (const each of facts) await log.audit.record(each, ctx);
    await log.audit.record(change, ctx, { durability: 'independent' });
    await log.audit.record(view, ctx, { durability: 'joined' }); // a read never joins
    expect(log.append.mock.calls.map(([, , options]) => options?.durability)).toEqual([
      'joined',
      'independent',
      'independent',
      'independent',
      'joined',
      'independent',
      'independent',
    ]);
  });

  it('rejects as store_unavailable whatever a store throws, and keeps the reason', async () => {
    const boom = new TypeError('socket hang up');
    const log = setUp(() => ({ append: async () => Promise.reject(boom) }));
    await expect(log.audit.record(view, ctx)).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
      cause: boom,
    });
    const busy = new MedzenError('wire_busy', 'in a transaction');
    const other = setUp(() => ({ append: async () => Promise.reject(busy) }));
    await expect(other.audit.record(view, ctx)).rejects.toBe(busy);
  });

  it('refuses an event that cannot be sealed, and writes nothing', async () => {
    const log = setUp();
    const bad: AuditFacts[] = [
      { ...view, action: 'Not An Action' },
      { ...view, purpose: 'BTG' },
      { ...view, detail: { at: Number.NaN } },
    ];
    for (const each of bad) await expect(log.audit.record(each, ctx)).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(log.audit.record(view, { scope })).rejects.toMatchObject({ code: 'invalid_input' });
    expect(log.append).not.toHaveBeenCalled();
  });
});

describe('recordMany', () => {
  it('writes all in one call, in order, or none', async () => {
    const log = setUp();
    const { ids, status } = await log.audit.recordMany([view, { ...view, patient: 'p2' }, view], ctx);
    expect(status).toBe('durable');
    expect(log.append).toHaveBeenCalledOnce();
    expect((await log.stored()).map(({ id }) => id)).toEqual(ids.toReversed());
    await expect(log.audit.recordMany([view, { ...view, action: '?' }], ctx)).rejects.toMatchObject({
      code: 'invalid_input',
    });
    expect(await log.stored()).toHaveLength(3);
  });

  it('refuses none, too many, and changes beside reads', async () => {
    const log = setUp();
    const refused = { code: 'invalid_input' };
    await expect(log.audit.recordMany([], ctx)).rejects.toMatchObject(refused);
    await expect(log.audit.recordMany(Array(1001).fill(view), ctx)).rejects.toMatchObject(refused);
    await expect(log.audit.recordMany([view, change], ctx)).rejects.toMatchObject(refused);
    expect(log.append).not.toHaveBeenCalled();
    await log.audit.recordMany([view, change], ctx, { durability: 'independent' });
    expect(log.append.mock.calls[0]?.[2]).toEqual({ durability: 'independent' });
  });
});

describe('audited', () => {
  it('gives the result only once the event is durable, on its own', async () => {
    const order: string[] = [];
    const log = setUp((store) => ({
      append: async (...args) => {
        const result = await store.append(...args);
        order.push('durable');
        return result;
      },
    }));
    const result = await log.audit.audited(read, ctx, async () => {
      order.push('read');
      return 'the note';
    });
    expect(result).toBe('the note');
    expect(order).toEqual(['read', 'durable']);
    expect(log.append.mock.calls[0]?.[2]).toEqual({ durability: 'independent' });
    expect(await log.stored()).toMatchObject([{ action: 'note.view', outcome: 'success', target: { id: 'n1' } }]);
  });

  it('gives no result without an event', async () => {
    const log = setUp(() => ({ append: async () => Promise.reject(down) }));
    await expect(log.audit.audited(read, ctx, () => 'the note')).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  it('does not read when the event could not be sealed, or is of a change', async () => {
    const log = setUp();
    const fn = vi.fn();
    const refused = { code: 'invalid_input' };
    await expect(log.audit.audited({ ...read, purpose: 'ETREAT' }, ctx, fn)).rejects.toMatchObject(refused);
    await expect(log.audit.audited(read, { scope }, fn)).rejects.toMatchObject(refused);
    const update = { ...read, kind: 'update' } as unknown as AuditedFacts; // what JavaScript would let through
    await expect(log.audit.audited(update, ctx, fn)).rejects.toMatchObject(refused);
    expect(fn).not.toHaveBeenCalled();
    expect(await log.stored()).toEqual([]);
  });

  it('records a failure, by its code and never by its message, and throws it on', async () => {
    const log = setUp();
    const cases: [error: unknown, outcome: string, detail: object | undefined][] = [
      [new Error('no row for Jane Doe'), 'failed', undefined],
      ['a string', 'failed', undefined],
      [new MedzenError('not_found', 'No such note'), 'failed', { error: 'not_found' }],
      [new MedzenError('forbidden', 'Not yours'), 'denied', { error: 'forbidden' }],
      [new MedzenError('held', 'Under hold'), 'denied', { error: 'held' }],
    ];
    for (const [error, outcome, detail] of cases) {
      const thrown = log.audit.audited(read, ctx, () => {
        throw error;
      });
      await expect(thrown).rejects.toBe(error);
      const [latest] = await log.stored();
      expect(latest).toMatchObject({ outcome, action: 'note.view', patient: 'p1' });
      expect(latest?.detail).toEqual(detail);
      expect(JSON.stringify(latest)).not.toContain('Jane');
      log.clock.advance(1);
    }
    expect(log.append.mock.calls.every(([, , options]) => options?.durability === 'independent')).toBe(true);
  });

  it('says both when the read failed and its event could not be written', async () => {
    const log = setUp(() => ({ append: async () => Promise.reject(down) }));
    const error = new Error('read failed');
    const thrown = log.audit.audited(read, ctx, () => Promise.reject(error));
    await expect(thrown).rejects.toMatchObject({
      code: 'store_unavailable',
      cause: { errors: [error, down] },
    });
  });
});

describe('searching', () => {
  it('opens the events, newest first, page after page', async () => {
    const log = setUp();
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) {
      ids.unshift((await log.audit.record({ ...view, patient: i % 2 === 0 ? 'even' : 'odd' }, ctx)).id);
      log.clock.advance(1000);
    }
    const first = await log.audit.search(scope, { limit: 3 });
    expect(first.events.map(({ id }) => id)).toEqual(ids.slice(0, 3));
    const pages: string[][] = [];
    for await (const page of log.audit.pages(scope, { limit: 3 })) {
      pages.push(page.events.map(({ id }) => id));
      await log.audit.record(view, ctx); // writing meanwhile moves no page
    }
    expect(pages).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
    const odd = await log.audit.search(scope, { patient: 'odd' });
    expect(odd.events.map(({ patient }) => patient)).toEqual(['odd', 'odd', 'odd']);
    expect((await log.audit.search({ tenant: 'other' }, {})).events).toEqual([]);
  });

  it('names rows that are no event, or another one, and gives the rest', async () => {
    const clock = fakeClock();
    const [good, torn, foreign] = [1, 2, 3].map((seed) =>
      sealEvent(
        { ...view, tenant: 'default', actor: { id: 'u1', type: 'user' }, source: {} },
        { clock, random: fakeRandom(seed) },
      ),
    );
    const events = [
      good,
      { id: torn?.id, body: torn?.body.slice(1) },
      { id: foreign?.id, body: good?.body },
    ] as SealedEvent[]; // three were made
    const log = setUp(() => ({ search: async () => ({ events }) }));
    const page = await log.audit.search(scope, {});
    expect(page.events.map(({ id }) => id)).toEqual([good?.id]);
    expect(page.damaged).toEqual([torn?.id, foreign?.id]);
    expect((await log.audit.accessReport(scope, 'p1')).damaged).toEqual([torn?.id, foreign?.id]);
  });

  it('lists a thousand damaged rows and no more', async () => {
    const events = Array.from({ length: 600 }, (_, i) => ({ id: `${i}`, body: new Uint8Array() }));
    let pages = 0;
    const log = setUp(() => ({ search: async () => ({ events, ...(++pages < 3 ? { cursor: 'more' } : {}) }) }));
    expect((await log.audit.accessReport(scope, 'p1')).damaged).toHaveLength(1000);
    expect(pages).toBe(3);
  });

  it('rejects when the store is down, and lets its refusals through', async () => {
    const log = setUp(() => ({ search: async () => Promise.reject(new Error('ECONNRESET')) }));
    await expect(log.audit.search(scope, {})).rejects.toMatchObject({ code: 'store_unavailable' });
    const strict = setUp();
    await expect(strict.audit.search(scope, { limit: 0 })).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(strict.audit.search(scope, { cursor: 'nonsense' })).rejects.toMatchObject({ code: 'invalid_input' });
  });
});

describe('an access report', () => {
  const nurse: CallContext = { ...ctx, actor: { ...ctx.actor, id: 'u2', roles: ['nurse'] } };
  const stranger: CallContext = { ...ctx, actor: { ...ctx.actor, id: 'u3', roles: [] } };

  it('counts everyone who touched the record or was refused it, over all pages', async () => {
    const log = setUp();
    for (let i = 0; i < 1100; i++) {
      await log.audit.record(view, ctx);
      log.clock.advance(60_000);
    }
    await log.audit.record(change, { ...ctx, actor: { ...ctx.actor, roles: ['admin'] } });
    await log.audit.record({ ...view, purpose: 'BTG', reason: 'found unconscious' }, nurse);
    await log.audit.record({ ...view, outcome: 'denied' }, stranger);
    await log.audit.record({ ...view, outcome: 'failed' }, stranger);
    await log.audit.record({ ...view, patient: 'another' }, stranger);
    const report = await log.audit.accessReport(scope, 'p1');
    expect(report).toMatchObject({ patient: 'p1', total: 1104, damaged: [] });
    expect(report.events).toHaveLength(1000);
    const zero = { accesses: 0, denied: 0, failed: 0, emergency: 0 };
    expect(report.people).toEqual([
      {
        ...zero,
        actor: { id: 'u1', type: 'user' },
        roles: ['admin', 'provider'],
        actions: { 'note.edit': 1, 'note.view': 1100 },
        accesses: 1101,
        first: '2026-01-15T09:00:00.000Z',
        last: '2026-01-16T03:20:00.000Z',
      },
      {
        ...zero,
        actor: { id: 'u2', type: 'user' },
        roles: ['nurse'],
        actions: { 'note.view': 1 },
        accesses: 1,
        emergency: 1,
        first: '2026-01-16T03:20:00.000Z',
        last: '2026-01-16T03:20:00.000Z',
      },
      {
        ...zero,
        actor: { id: 'u3', type: 'user' },
        roles: [],
        actions: {},
        denied: 1,
        failed: 1,
        first: '2026-01-16T03:20:00.000Z',
        last: '2026-01-16T03:20:00.000Z',
      },
    ]);
  });

  it('keeps to its dates, lists as many events as it was asked for, and to one tenant', async () => {
    const log = setUp();
    for (let i = 0; i < 5; i++) {
      await log.audit.record(view, ctx);
      log.clock.advance(1000);
    }
    const at = (seconds: number): Date => new Date(Date.parse('2026-01-15T09:00:00Z') + seconds * 1000);
    const report = await log.audit.accessReport(scope, 'p1', { from: at(1), to: at(4), events: 2 });
    expect(report.total).toBe(3);
    expect(report.events.map((event) => event.at)).toEqual([at(3), at(2)].map((date) => date.toISOString()));
    expect((await log.audit.accessReport(scope, 'p1', { events: 0 })).events).toEqual([]);
    expect((await log.audit.accessReport({ tenant: 'other' }, 'p1')).total).toBe(0);
  });
});
