import { memoryStores } from '@medzen/adapters-local';
import { type AuditStore, silentLogger } from '@medzen/core';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventsOf } from '../test/events.ts';
import { createDenialLog, type Denial, type DenialLog } from './denials.ts';

const base: Denial = {
  tenant: 'default',
  action: 'request.denied',
  outcome: 'denied',
  actor: undefined,
  source: { ip: '192.0.2.7', requestId: 'r' },
  route: 'GET /x',
  status: 401,
  code: 'unauthenticated',
  reason: 'expired',
  subject: '192.0.2.7',
};

function world() {
  const clock = fakeClock();
  const stores = memoryStores({ clock });
  const state = { down: false };
  const audit: AuditStore = {
    ...stores.audit,
    append: (...call) => (state.down ? Promise.reject(new Error('down')) : stores.audit.append(...call)),
  };
  const log: DenialLog = createDenialLog({
    audit,
    clock,
    ids: fakeIds(clock),
    random: fakeRandom(),
    logger: silentLogger,
    windowMs: 60_000,
    deadlineMs: 1000,
  });
  return { clock, log, state, events: () => eventsOf(stores.audit) };
}

describe('the log of denials', () => {
  test('loses none, whatever the order of denials, outages, flushes and clocks', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('deny' as const), subject: fc.nat(3) }),
      fc.record({ kind: fc.constant('move' as const), ms: fc.integer({ min: -90_000, max: 90_000 }) }),
      fc.record({ kind: fc.constantFrom('down' as const, 'up' as const, 'flush' as const, 'due' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { clock, log, state, events } = world();
        clock.set('2026-06-01T00:00:00Z');
        let denied = 0;
        for (const each of steps) {
          if (each.kind === 'deny') {
            denied++;
            await log.record({ ...base, subject: String(each.subject) });
          } else if (each.kind === 'move') clock.advance(each.ms);
          else if (each.kind === 'flush') await log.flush();
          else if (each.kind === 'due') await log.flushDue();
          else state.down = each.kind === 'down';
        }
        state.down = false;
        await log.flush();
        const counts = (await events()).map(({ detail }) => Number(detail?.count ?? 1));
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(denied);
      }),
    );
  });

  test('counts denials that come at once', async () => {
    const { log, events } = world();
    await Promise.all(Array.from({ length: 50 }, () => log.record(base)));
    await log.flush();
    expect((await events()).map(({ detail }) => detail?.count)).toEqual([undefined, 49]);
  });

  test('is bounded: past a thousand kinds they are counted together', async () => {
    const { log, events } = world();
    for (let i = 0; i < 3000; i++) await log.record({ ...base, subject: `attacker-${i}` });
    await log.flush();
    const all = await events();
    expect(all.length).toBe(1000);
    expect(all.some(({ detail }) => detail?.count === 1999 || detail?.count === 2000)).toBe(true);
  });

  test('says nothing of one request in the count of many', async () => {
    const { log, events } = world();
    await log.record(base);
    await log.record(base);
    await log.flush();
    const [first, counted] = await events();
    expect(first?.source).toEqual({ ip: '192.0.2.7', requestId: 'r' });
    expect(counted?.source).toEqual({ ip: '192.0.2.7' });
  });
});
