import { memoryStores } from '@medzen/adapters-local';
import { type AuditEvent, type AuditStore, type Ids, MedzenError, type RateLimitStore } from '@medzen/core';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { ask, auth, patiently } from '../test/ask.ts';
import { eventsOf } from '../test/events.ts';
import { createGuard, type Guard } from './guard.ts';
import type { GuardDeps } from './guard-deps.ts';
import { can, type FetchHandler, origins } from './index.ts';

const clock = fakeClock();
let stores: ReturnType<typeof memoryStores>;
let ids: Ids;
let guard: Guard<GuardDeps & { readonly limits: RateLimitStore }>;
const logger = { error: vi.fn(), warn: vi.fn() };

function make(more: Partial<GuardDeps> = {}): typeof guard {
  const deps = { audit: stores.audit, limits: stores.limits, clock, ids, random: fakeRandom(), logger };
  // `more` may replace any of them, but takes none away.
  return createGuard({ ...deps, permissions: { provider: ['recording:start'] }, ...(more as object) });
}

beforeEach(() => {
  clock.set('2026-01-15T09:00:00.000Z');
  stores = memoryStores({ clock });
  ids = fakeIds(clock);
  guard = make();
  vi.clearAllMocks();
});

async function lastEvent(tenant = 'default'): Promise<AuditEvent | undefined> {
  return (await eventsOf(stores.audit, tenant)).at(-1);
}

describe('denials', () => {
  const route = (): FetchHandler =>
    guard.secure({ route: 'GET /v1/patients/:id', auth, allow: can('recording:start') }, () => new Response('ok'));

  test('of identity and of permission are audited with who, what, why and from where', async () => {
    const first = await ask(route(), '/v1/patients/ada-lovelace', { as: 'bad' });
    expect(first.status).toBe(401);
    expect(first.headers.get('www-authenticate')).toBe('Bearer');
    expect(await first.json()).not.toHaveProperty('reason');
    expect(await lastEvent()).toMatchObject({
      action: 'request.denied',
      kind: 'execute',
      outcome: 'denied',
      actor: { id: 'anonymous' },
      target: { type: 'route', id: 'GET /v1/patients/:id' },
      detail: { status: 401, code: 'unauthenticated', reason: 'expired' },
      source: { ip: '192.0.2.7', requestId: first.headers.get('x-request-id') },
    });
    await ask(route(), '/v1/patients/ada-lovelace', { as: 'p-1:patient:north' });
    const event = await lastEvent('north');
    expect(event).toMatchObject({
      actor: { id: 'p-1', role: 'patient' },
      tenant: 'north',
      detail: { code: 'forbidden' },
    });
    expect(JSON.stringify(event)).not.toContain('lovelace');
  });

  test('that a handler made are audited, once: not again where it says that they are written down', async () => {
    const refusal = new MedzenError('forbidden', 'Not your recording');
    const handler = (error: MedzenError): FetchHandler =>
      guard.secure({ route: 'GET /x', auth }, () => {
        throw error;
      });
    expect((await ask(handler(refusal.asAudited()), '/x', { as: 'p-1:patient' })).status).toBe(403);
    expect(await eventsOf(stores.audit)).toEqual([]);
    expect((await ask(handler(refusal), '/x', { as: 'p-1:patient' })).status).toBe(403);
    expect(await lastEvent()).toMatchObject({ action: 'request.denied', detail: { code: 'forbidden', status: 403 } });
  });

  test('of origins are audited, preflights too', async () => {
    const handler = guard.secure(
      { route: 'POST /x', auth, cors: origins('https://app.example.com') },
      () => new Response(),
    );
    await ask(handler, '/x', { method: 'POST', headers: { origin: 'https://evil.example' } });
    expect(await lastEvent()).toMatchObject({ detail: { code: 'origin_not_allowed', status: 403 } });
    await ask(handler, '/x', {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(await lastEvent()).toMatchObject({ detail: { status: 403, reason: 'preflight' } });
  });

  test('by the handler are audited, thrown or answered', async () => {
    const thrown = guard.secure({ route: 'GET /a', auth }, () => {
      throw new MedzenError('consent_required', 'No consent');
    });
    await ask(thrown, '/a', { as: 'u:provider' });
    expect(await lastEvent()).toMatchObject({
      detail: { code: 'consent_required', reason: 'handler' },
      actor: { id: 'u' },
    });
    const answered = guard.secure({ route: 'GET /b', auth }, () => new Response(null, { status: 403 }));
    await ask(answered, '/b', { as: 'u:provider' });
    expect(await lastEvent()).toMatchObject({ detail: { code: 'http_403', reason: 'handler' } });
  });

  test('of one kind are written once a window, the rest counted and flushed', async () => {
    for (let i = 0; i < 100; i++) {
      await ask(route(), '/v1/patients/1', { as: 'bad' });
      clock.advance(100);
    }
    expect(await eventsOf(stores.audit)).toHaveLength(1);
    await ask(route(), '/v1/patients/1', { as: 'bad', ip: '192.0.2.8' });
    expect(await eventsOf(stores.audit)).toHaveLength(2);
    clock.advance(60_000);
    await ask(route(), '/v1/patients/1', { as: 'ok:provider' });
    await vi.waitFor(async () => expect(await eventsOf(stores.audit)).toHaveLength(3), patiently);
    expect((await lastEvent())?.detail).toMatchObject({
      count: 99,
      from: '2026-01-15T09:00:00.100Z',
      to: '2026-01-15T09:00:09.900Z',
    });
  });

  test('that are counted are written at shutdown', async () => {
    for (let i = 0; i < 3; i++) await ask(route(), '/v1/patients/1', { as: 'bad' });
    await guard.flush();
    await guard.flush();
    const events = await eventsOf(stores.audit);
    expect(events.map(({ detail }) => detail?.count)).toEqual([undefined, 2]);
  });

  test('stay denials while the audit store is down or hangs, and are written when it is back', async () => {
    for (const append of [() => Promise.reject(new Error('down')), () => new Promise<never>(() => undefined)]) {
      const audit: AuditStore = { ...stores.audit, append: vi.fn(append) };
      const broken = make({ audit, auditDeadlineMs: 10 });
      const handler = broken.secure({ route: 'GET /x', auth }, () => new Response('never'));
      expect((await ask(handler, '/x')).status).toBe(401);
      expect((await ask(handler, '/x')).status).toBe(401);
      expect(audit.append).toHaveBeenCalledTimes(1);
      expect(logger.error).toHaveBeenCalledWith('A denial could not be audited', expect.anything());
      await broken.flush();
      audit.append = stores.audit.append;
      const before = (await eventsOf(stores.audit)).length;
      await broken.flush();
      const events = await eventsOf(stores.audit);
      expect(events.slice(before).map(({ detail }) => detail?.count)).toEqual([2]);
    }
  });

  test('are flushed through waitUntil where there is one', async () => {
    const waited: Promise<unknown>[] = [];
    const info = { remoteAddress: '192.0.2.7', waitUntil: (work: Promise<unknown>) => void waited.push(work) };
    const send = (): Promise<Response> => route()(new Request('https://api.example.com/v1/patients/1'), info);
    await send();
    await send();
    clock.advance(60_000);
    await send();
    expect(waited).toHaveLength(1);
    await Promise.all(waited);
    expect(await eventsOf(stores.audit)).toHaveLength(3);
  });
});
