import { memoryStores } from '@medzen/adapters-local';
import { type AuditEvent, MedzenError, openEvent } from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import { expect, it } from 'vitest';
import { createAuditLog } from '../audit-log.ts';
import { a, allKeys, b, restorable, scope } from '../sequencer/rebase.fixture.ts';
import { createJobReporter } from './job-reporter.ts';
import { verifyAndReport } from './verification-report.ts';

const actor = { id: 'nightly', type: 'service', roles: ['operator'], tenant: 'default' } as const;
const ctx = { scope, actor };

async function eventsOf(stores: ReturnType<typeof memoryStores>, action: string): Promise<readonly AuditEvent[]> {
  const { events } = await stores.audit.search(scope, { action });
  return events.map(({ body }) => openEvent(body)).reverse();
}

it('a verification is recorded with who, how far, against what, the verdict, and findings by their kind', async () => {
  const log = restorable();
  const [first] = await log.write(3);
  const kept = log.backUp();
  await log.seal(a);
  const sealed = log.backUp();
  expect(sealed).toBeGreaterThan(kept);
  await log.write(1);
  const held = await log.seal(a);
  const audit = createAuditLog({ store: log.audit });
  const verify = (checkpoint?: string) =>
    verifyAndReport({ audit, ctx, store: log.log, verifierKeys: allKeys, ...(checkpoint && { checkpoint }) });
  expect(await verify(held)).toMatchObject({ ok: true, size: 4 });
  log.inspect().damage(first?.id ?? '', undefined);
  expect(await verify()).toMatchObject({ ok: false });
  await log.restore(sealed);
  await log.rebase(b);
  expect(await verify(held)).toMatchObject({ ok: false, lost: 1 });
  const { events } = await log.audit.search(scope, { action: 'audit.verify' });
  // The restore took the first two with it.
  expect(events.map(({ body }) => openEvent(body))).toMatchObject([
    {
      ...{ outcome: 'failed', kind: 'execute', actor: { id: 'nightly', type: 'service', role: 'operator' } },
      detail: {
        ...{ ok: false, size: 4, lost: 1, total: 1, findings: { leaves_lost: 1 } },
        against: { origin: a.origin, size: 4 },
      },
    },
  ]);
});

it('a verdict is not given without its event, and a verification that ends early is recorded as failed', async () => {
  const stores = memoryStores();
  const audit = createAuditLog({ store: stores.audit });
  const down = { record: async () => Promise.reject(new MedzenError('store_unavailable', 'down')) };
  await expect(
    verifyAndReport({ audit: down, ctx, store: stores.log, verifierKeys: [a.verifierKey] }),
  ).rejects.toMatchObject({ code: 'store_unavailable' });
  const gone = { ...stores.log, head: async () => Promise.reject(new MedzenError('store_unavailable', 'gone')) };
  await expect(verifyAndReport({ audit, ctx, store: gone, verifierKeys: [a.verifierKey] })).rejects.toThrow('gone');
  expect(await eventsOf(stores, 'audit.verify')).toMatchObject([
    { outcome: 'failed', detail: { error: 'store_unavailable' } },
  ]);
});

it('a job is reported at first, once an interval, and at its first failure, with sums and codes', async () => {
  const clock = fakeClock();
  const stores = memoryStores({ clock });
  const jobs = createJobReporter({
    audit: createAuditLog({ store: stores.audit, clock }),
    ctx,
    clock,
    everyMs: 60_000,
  });
  const sweep = (deleted: number) =>
    jobs.run('recording.sweep', async () => ({ deleted, failed: ['r1', 'r2'], tenant: 'default' }));
  await sweep(1);
  for (let second = 1; second <= 59; second++) {
    clock.advance(1000);
    await sweep(2);
  }
  expect(await eventsOf(stores, 'job.report')).toHaveLength(1);
  clock.advance(1000);
  await sweep(0);
  const fail = () => jobs.run('recording.sweep', () => Promise.reject(new MedzenError('store_unavailable', 'down')));
  clock.advance(1000);
  await expect(fail()).rejects.toThrow('down');
  clock.advance(1000);
  await expect(fail()).rejects.toThrow('down');
  await jobs.flush();
  const events = await eventsOf(stores, 'job.report');
  expect(events.map(({ outcome, detail }) => ({ outcome, ...detail }))).toMatchObject([
    { outcome: 'success', job: 'recording.sweep', runs: 1, counts: { deleted: 1, failed: 2 }, failures: {} },
    { outcome: 'success', runs: 60, counts: { deleted: 118, failed: 120 } },
    { outcome: 'failed', runs: 1, failures: { store_unavailable: 1 } },
    { outcome: 'failed', runs: 1, failures: { store_unavailable: 1 } },
  ]);
  expect(events[0]).toMatchObject({ target: { type: 'job', id: 'recording.sweep' }, actor: { id: 'nightly' } });
  expect(JSON.stringify(events)).not.toContain('r1');
});

it('a report that cannot be written fails no job, and is not forgotten', async () => {
  const clock = fakeClock();
  const stores = memoryStores({ clock });
  const audit = createAuditLog({ store: stores.audit, clock });
  let isDown = true;
  const warned: unknown[] = [];
  const jobs = createJobReporter({
    audit: {
      record: (...args) =>
        isDown ? Promise.reject(new MedzenError('store_unavailable', 'down')) : audit.record(...args),
    },
    ...{ ctx, clock },
    logger: { info: () => {}, warn: (_message, fields) => warned.push(fields), error: () => {} },
  });
  expect(await jobs.run('archive', async () => ({ archived: 3 }))).toEqual({ archived: 3 });
  expect(warned).toMatchObject([{ job: 'archive', code: 'store_unavailable' }]);
  isDown = false;
  await jobs.run('archive', async () => ({ archived: 4 }));
  expect(await eventsOf(stores, 'job.report')).toMatchObject([{ detail: { runs: 2, counts: { archived: 7 } } }]);
  await expect(jobs.run('Not a code', async () => 1)).rejects.toMatchObject({ code: 'invalid_input' });
  expect(() => createJobReporter({ audit, ctx, everyMs: 10 })).toThrow(/everyMs/);
});
