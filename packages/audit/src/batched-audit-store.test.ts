import { memoryStores } from '@medzen/adapters-local';
import {
  type AuditEventDraft,
  type AuditStore,
  createIds,
  MedzenError,
  type SealedEvent,
  sealEvent,
  systemClock,
  systemRandom,
} from '@medzen/core';
import { describe, expect, it } from 'vitest';
import { batchedAuditStore } from './batched-audit-store.ts';

const scope = { tenant: 'default' };
const independent = { durability: 'independent' } as const;
const sealing = { clock: systemClock, random: systemRandom, ids: createIds(systemClock, systemRandom) };
const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  source: {},
};
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const event = (tenant = 'default'): SealedEvent => sealEvent({ ...draft, tenant }, sealing);

/** A store that notes the size of each write and may hold the first ones up, a batch before it, and a clock moved by hand. */
function setUp(options: { maxEvents?: number } = {}, fail?: MedzenError, hold: readonly Promise<void>[] = []) {
  const { audit } = memoryStores();
  const writes: number[] = [];
  const store: AuditStore = {
    ...audit,
    append: async (to, events, appendOptions) => {
      await hold[writes.push(events.length) - 1];
      if (fail !== undefined) throw fail;
      return audit.append(to, events, appendOptions);
    },
  };
  const due: (() => void)[] = [];
  const schedule = (callback: () => void): void => void due.push(callback);
  const batched = batchedAuditStore(store, { ...options, schedule });
  const tick = (): void => {
    for (const callback of due.splice(0)) callback();
  };
  return { audit, batched, writes, tick };
}

describe('a batched store', () => {
  it('writes at once, and in one go, what one turn brought while nothing was under way, and tells each when it is durable', async () => {
    const written = Promise.withResolvers<void>();
    const { batched, writes, audit } = setUp({}, undefined, [written.promise]);
    let told = 0;
    const calls = Array.from({ length: 30 }, () =>
      batched.append(scope, [event()], independent).then(({ status }) => {
        expect(status).toBe('durable');
        told++;
      }),
    );
    await nextTurn();
    expect([told, writes]).toEqual([0, [30]]);
    written.resolve();
    await Promise.all(calls);
    expect((await audit.search(scope, { limit: 1000 })).events).toHaveLength(30);
  });

  it('writes in one go what came while a write was under way, once that has returned, whether or not it went well', async () => {
    for (const outcome of ['well', 'badly']) {
      const written = Promise.withResolvers<void>();
      const { batched, writes, audit } = setUp({}, undefined, [written.promise]);
      const first = batched.append(scope, [event()], independent);
      await nextTurn();
      const later: Promise<unknown>[] = [];
      for (let i = 0; i < 20; i++) {
        later.push(batched.append(scope, [event()], independent));
        await nextTurn();
      }
      expect(writes).toEqual([1]);
      if (outcome === 'well') written.resolve();
      else written.reject(new MedzenError('store_unavailable', 'down'));
      await Promise.allSettled([first]);
      await Promise.all(later);
      expect(writes).toEqual([1, 20]);
      const { events } = await audit.search(scope, { limit: 1000 });
      expect(events).toHaveLength(outcome === 'well' ? 21 : 20);
    }
  });

  it('waits for a write no longer than the delay', async () => {
    const written = Promise.withResolvers<void>();
    const { batched, writes, tick } = setUp({}, undefined, [written.promise]);
    const first = batched.append(scope, [event()], independent);
    await nextTurn();
    const later = [event(), event()].map((one) => batched.append(scope, [one], independent));
    tick();
    await Promise.all(later);
    expect(writes).toEqual([1, 2]);
    // The first is still at it: what comes now waits again.
    const last = batched.append(scope, [event()], independent);
    await nextTurn();
    expect(writes).toEqual([1, 2]);
    written.resolve();
    await Promise.all([first, last]);
    expect(writes).toEqual([1, 2, 1]);
  });

  it('writes a full batch at once, and never one that is too large', async () => {
    const { batched, writes, tick } = setUp({ maxEvents: 10 });
    const calls = [4, 4, 4, 2, 12, 6].map((count) =>
      batched.append(
        scope,
        Array.from({ length: count }, () => event()),
        independent,
      ),
    );
    tick();
    await Promise.all(calls);
    expect(writes.toSorted((a, b) => a - b)).toEqual([6, 6, 8, 12]); // 12 came in one call
  });

  it('keeps tenants apart', async () => {
    const { batched, writes, tick } = setUp();
    const calls = ['a', 'b', 'a'].map((tenant) => batched.append({ tenant }, [event(tenant)], independent));
    tick();
    await Promise.all(calls);
    expect(writes.sort()).toEqual([1, 2]);
  });

  it('lets nobody pay for another’s bad event', async () => {
    const { batched, tick, audit } = setUp();
    const [good, foreign] = [event(), event('other')];
    const calls = [batched.append(scope, [good], independent), batched.append(scope, [foreign], independent)];
    tick();
    const [first, second] = await Promise.allSettled(calls);
    expect(first?.status).toBe('fulfilled');
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'invalid_input' } });
    expect((await audit.search(scope, {})).events.map(({ id }) => id)).toEqual([good.id]);
  });

  it('tells all, whatever the store throws and however', async () => {
    const batched = batchedAuditStore({
      ...memoryStores().audit,
      append: () => {
        throw new TypeError('not even a promise');
      },
    });
    const calls = [event(), event()].map((one) => batched.append(scope, [one], independent));
    for (const result of await Promise.allSettled(calls))
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(TypeError) });
  });

  it('tells all when the store is down, and asks it once', async () => {
    const { batched, tick, writes } = setUp({}, new MedzenError('store_unavailable', 'down'));
    const calls = [event(), event()].map((one) => batched.append(scope, [one], independent));
    tick();
    for (const result of await Promise.allSettled(calls))
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
    expect(writes).toEqual([2]);
  });

  it('gathers nothing that belongs to a transaction of the host', async () => {
    const { batched, writes } = setUp();
    await batched.append(scope, [event()]);
    await batched.append(scope, [event()], { durability: 'joined' });
    expect(writes).toEqual([1, 1]);
  });

  it('refuses bounds that make no sense', () => {
    for (const options of [{ maxEvents: 1 }, { maxEvents: 1001 }, { maxDelayMs: -1 }, { maxDelayMs: Number.NaN }])
      expect(() => batchedAuditStore(memoryStores().audit, options)).toThrow(/maxEvents must be|maxDelayMs must be/);
  });
});
