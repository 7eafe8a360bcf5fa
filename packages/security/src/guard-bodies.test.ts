import { memoryStores } from '@medzen/adapters-local';
import { type AuditEvent, type Ids, MedzenError, type RateLimitStore } from '@medzen/core';
import { verifyTwilio } from '@medzen/core/webhooks';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { type Asked, asJson, ask } from '../test/ask.ts';
import { eventsOf } from '../test/events.ts';
import { createGuard, type Guard } from './guard.ts';
import type { GuardDeps } from './guard-deps.ts';
import { type FetchHandler, form, json, publicRoute, raw, webhook } from './index.ts';

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

describe('a body', () => {
  const echo = (): FetchHandler =>
    guard.secure(
      { route: 'POST /x', auth: publicRoute('x'), body: json(z.object({ a: z.string() }), { maxBytes: 64 }) },
      (_request, ctx) => Response.json(ctx.body),
    );

  test('that lies about its length is counted as it comes', async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled++;
        controller.enqueue(new Uint8Array(40).fill(32));
      },
    });
    const headers = { 'content-type': 'application/json', 'content-length': '10' };
    const response = await ask(echo(), '/x', { method: 'POST', headers, body: endless });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 'body_too_large', facts: { maxBytes: 64 } });
    expect(pulled).toBeLessThan(6);
  });

  test('that admits its length is refused before it is read', async () => {
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({ pull: () => void pulled++ }, { highWaterMark: 0 });
    const headers = { 'content-type': 'application/json', 'content-length': '65' };
    expect((await ask(echo(), '/x', { method: 'POST', headers, body })).status).toBe(413);
    expect(pulled).toBe(0);
  });

  test('that never ends is given up', async () => {
    const slow = make({ bodyDeadlineMs: 20 });
    const handler = slow.secure(
      { route: 'POST /x', auth: publicRoute('x'), body: raw({ maxBytes: 9 }) },
      () => new Response(),
    );
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(1)) });
    expect((await ask(handler, '/x', { method: 'POST', body })).status).toBe(422);
  });

  test.each([
    [415, { 'content-type': 'text/plain' }, '{}'],
    [415, { 'content-type': '' }, '{}'],
    [415, { 'content-type': 'application/jsonp' }, '{}'],
    [415, { 'content-type': 'application/json; charset=utf-16' }, '{}'],
    [415, { 'content-type': 'application/json', 'content-encoding': 'gzip' }, '{}'],
    [422, { 'content-type': 'application/json' }, '{'],
    [422, { 'content-type': 'application/json' }, '{"a":"x","a":"y"}'],
    [422, { 'content-type': 'application/json' }, '{"__proto__":{"a":"x"}}'],
    [422, { 'content-type': 'application/json' }, '['.repeat(32)],
    [422, { 'content-type': 'application/json' }, ''],
    [200, { 'content-type': 'Application/JSON;charset="UTF-8"' }, '{"a":"x"}'],
    [200, { 'content-type': 'application/json', 'content-encoding': 'identity' }, '{"a":"x"}'],
  ])('is answered %i: %j %s', async (status, headers, body) => {
    expect((await ask(echo(), '/x', { method: 'POST', headers, body })).status).toBe(status);
  });

  test('is taken in the media types and up to the size that its reader names', async () => {
    const schema = z.object({ a: z.string() });
    const readers = {
      'application/fhir+json': json(schema, { mediaTypes: ['application/FHIR+json'] }),
      'application/octet-stream': raw({ maxBytes: 9, mediaTypes: ['application/octet-stream'] }),
      'application/x-www-form-urlencoded': form(schema, { maxBytes: 9 }),
    };
    const bodies = ['{"a":"x"}', 'a=x&b=1', 'a=x&b=1234'];
    const answers: Record<string, readonly number[]> = {};
    for (const [type, body] of Object.entries(readers)) {
      const handler = guard.secure({ route: 'POST /x', auth: publicRoute('x'), body }, () => new Response());
      const status = async (contentType: string, text: string): Promise<number> =>
        (await ask(handler, '/x', { method: 'POST', headers: { 'content-type': contentType }, body: text })).status;
      answers[type] = [
        await status('text/plain', 'a'),
        ...(await Promise.all(bodies.map((text) => status(type, text)))),
      ];
    }
    expect(answers).toEqual({
      'application/fhir+json': [415, 200, 422, 422],
      'application/octet-stream': [415, 200, 200, 413],
      'application/x-www-form-urlencoded': [415, 422, 200, 413],
    });
  });

  test('that does not fit its schema is told by pointer only', async () => {
    const response = await ask(echo(), '/x', asJson({ a: 7, 'Ada Lovelace': 1 }));
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ status: 422, code: 'invalid_input', pointers: ['/a'] });
    expect(text).not.toContain('Ada');
  });

  test('that something read before is a plain mistake of the host', async () => {
    const request = new Request('https://api.example.com/x', asJson({ a: 'x' }) as RequestInit); // the same members
    await request.text();
    expect((await echo()(request)).status).toBe(500);
    expect(logger.error).toHaveBeenCalled();
  });
});

describe('a webhook', () => {
  const verify = vi.fn();
  const hook = (): FetchHandler =>
    guard.secure(
      {
        route: 'POST /hooks/twilio',
        auth: webhook({ name: 'twilio', verify, maxBytes: 64 }),
        body: form(z.object({ RoomSid: z.string() })),
      },
      (_request, ctx) =>
        Response.json({ body: ctx.body, raw: ctx.rawBody.length, actor: ctx.actor, tenant: ctx.scope.tenant }),
    );
  const sent = (body: string): Asked => ({
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
  });

  test('is verified over the exact bytes and the public URL before anything parses it', async () => {
    verify.mockReturnValue({ ok: true });
    guard = make({ publicOrigin: 'https://hooks.clinic.example' });
    const response = await ask(hook(), '/hooks/twilio?a=%2F', sent('RoomSid=RM1&x=%00'.slice(0, 11)));
    expect(await response.json()).toEqual({
      body: { RoomSid: 'RM1' },
      raw: 11,
      actor: { id: 'webhook:twilio', type: 'service', roles: ['webhook'], tenant: 'default' },
      tenant: 'default',
    });
    const [seen] = verify.mock.calls[0] ?? [];
    expect(seen.url).toBe('https://hooks.clinic.example/hooks/twilio?a=%2F');
    expect(new TextDecoder().decode(seen.body)).toBe('RoomSid=RM1');
  });

  test('that is forged is refused, unparsed, and written down', async () => {
    verify.mockReturnValue({ ok: false, reason: 'signature_invalid' });
    const response = await ask(hook(), '/hooks/twilio', sent('%%%not a form'));
    expect([response.status, (await response.json()).code]).toEqual([401, 'signature_invalid']);
    expect(await lastEvent()).toMatchObject({
      action: 'webhook.reject',
      outcome: 'denied',
      actor: { id: 'anonymous', type: 'user' },
      target: { type: 'route', id: 'POST /hooks/twilio' },
      detail: { status: 401, code: 'signature_invalid', reason: 'signature_invalid' },
      source: { ip: '192.0.2.7' },
    });
  });

  test('that is signed but malformed is answered 422, written down, and does not reach the handler', async () => {
    verify.mockReturnValue({ ok: false, reason: 'body_malformed' });
    const handler = vi.fn();
    const route = guard.secure({ route: 'POST /h', auth: webhook({ name: 'x', verify }) }, handler);
    const response = await ask(route, '/h', sent('RoomSid=RM1'));
    expect([response.status, (await response.json()).code]).toEqual([422, 'invalid_input']);
    expect(handler).not.toHaveBeenCalled();
    expect(await lastEvent()).toMatchObject({
      action: 'webhook.reject',
      outcome: 'failed',
      actor: { id: 'webhook:x', type: 'service' },
      detail: { status: 422, code: 'invalid_input', reason: 'body_malformed' },
    });
  });

  test('that is signed but does not fit the policy, or is refused by the handler, is written down', async () => {
    verify.mockReturnValue({ ok: true });
    expect((await ask(hook(), '/hooks/twilio', sent('Other=1'))).status).toBe(422);
    expect(await lastEvent()).toMatchObject({ action: 'webhook.reject', outcome: 'failed', detail: { status: 422 } });
    const route = guard.secure({ route: 'POST /h', auth: webhook({ name: 'x', verify }) }, () => {
      throw new MedzenError('not_found', 'There is no such room');
    });
    expect((await ask(route, '/h', sent('RoomSid=RM1'))).status).toBe(404);
    expect(await lastEvent()).toMatchObject({ action: 'webhook.reject', detail: { status: 404, reason: 'handler' } });
  });

  test('is verified once, and what was verified is handed on', async () => {
    const verified = vi.fn(() => ({ ok: true as const, events: [{ type: 'room-ended', room: 'RM1' }] }));
    const route = guard.secure({ route: 'POST /h', auth: webhook({ name: 'x', verify: verified }) }, (_request, ctx) =>
      Response.json(ctx.events.map((event) => event.room)),
    );
    expect(await (await ask(route, '/h', sent('RoomSid=RM2'))).json()).toEqual(['RM1']);
    expect(verified).toHaveBeenCalledTimes(1);
  });

  test('is verified over the target as it was sent, unless that names another request', async () => {
    verify.mockReturnValue({ ok: true });
    guard = make({ publicOrigin: 'https://hooks.clinic.example' });
    const route = guard.secure(
      { route: 'POST /h/:who', auth: webhook({ name: 'x', verify }) },
      (_request, ctx) => new Response(ctx.query.get('a')),
    );
    const send = (target: string): Promise<Response> =>
      route(new Request("http://10.0.0.1/h/b?a=O'Brien", { method: 'POST' }), { target });
    await send("/h/b?a=O'Brien");
    expect(verify).toHaveBeenLastCalledWith(
      expect.objectContaining({ url: "https://hooks.clinic.example/h/b?a=O'Brien" }),
    );
    for (const lie of ['/h/other', '//evil.example/', 'https://evil.example/h', '/h/b?a=1', '@evil.example/h/b']) {
      await send(lie);
      expect(verify).toHaveBeenLastCalledWith(
        expect.objectContaining({ url: 'https://hooks.clinic.example/h/b?a=O%27Brien' }),
      );
    }
  });

  test('that does not verify tells the log which URL was checked, without ids and queries', async () => {
    verify.mockReturnValue({ ok: false, reason: 'signature_invalid' });
    const route = (): FetchHandler =>
      guard.secure({ route: 'POST /h/:patient', auth: webhook({ name: 'x', verify }) }, () => new Response());
    await ask(route(), '/h/p-77?token=t-88', sent('a=1'));
    expect(logger.warn).toHaveBeenCalledWith(
      'The signature of a webhook does not verify',
      expect.objectContaining({
        checked: 'https://api.example.com/h/:patient',
        remedy: expect.stringContaining('publicOrigin'),
      }),
    );
    expect(JSON.stringify(logger.warn.mock.calls)).not.toMatch(/p-77|t-88/);
    logger.warn.mockClear();
    guard = make({ publicOrigin: 'https://hooks.clinic.example' });
    await ask(route(), '/h/p-77', sent('a=1'));
    expect(logger.warn.mock.calls[0]?.[1]).not.toHaveProperty('remedy');
  });

  test.each([
    ['no signature', {}],
    ['a forged signature', { 'x-twilio-signature': 'forged' }],
  ])('of Twilio with %s never reaches the handler, whatever its bytes are', async (_, headers) => {
    const handler = vi.fn();
    const auth = webhook({ name: 'twilio', verify: (request) => verifyTwilio(request, 'token') });
    const route = guard.secure({ route: 'POST /h', auth }, handler);
    for (const body of [Uint8Array.of(0xff, 0xfe), new Uint8Array(), new TextEncoder().encode('a=1')])
      for (const path of ['/h', '/h?bodySHA256=', '/h?bodySHA256=00']) {
        const response = await ask(route, path, { method: 'POST', headers, body });
        expect([response.status, (await response.json()).code]).toEqual([401, 'signature_invalid']);
      }
    expect(handler).not.toHaveBeenCalled();
    expect(await lastEvent()).toMatchObject({ action: 'webhook.reject', outcome: 'denied' });
  });

  test('that is too large is refused before its signature is looked at', async () => {
    verify.mockReset();
    expect((await ask(hook(), '/hooks/twilio', sent('x'.repeat(65)))).status).toBe(413);
    expect(verify).not.toHaveBeenCalled();
  });

  test('without a body in the policy hands on the raw bytes', async () => {
    const handler = guard.secure(
      { route: 'POST /h', auth: webhook({ name: 'x', verify: async () => ({ ok: true }) }) },
      (_request, ctx) => new Response(Buffer.from(ctx.body)),
    );
    expect(await (await ask(handler, '/h', { method: 'POST', body: 'raw' })).text()).toBe('raw');
  });
});
