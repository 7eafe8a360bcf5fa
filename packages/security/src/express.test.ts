import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { memoryStores } from '@medzen/adapters-local';
import { hmacSha1, toBase64 } from '@medzen/core';
import { verifyTwilio } from '@medzen/core/webhooks';
import express, { type Express } from 'express';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { patiently } from '../test/ask.ts';
import { listen } from '../test/issuer.ts';
import { mount, toExpress } from './express.ts';
import { createGuard, type FetchHandler, json, origins, publicRoute, raw, routes, webhook } from './index.ts';

let app: Express;
let server: Server;
let base: string;
const open = publicRoute('test');

beforeEach(async () => {
  app = express();
  server = createServer(app);
  await listen(server);
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function guard(deps: Partial<Parameters<typeof createGuard>[0]> = {}) {
  const stores = memoryStores();
  return createGuard({ audit: stores.audit, limits: stores.limits, ...deps });
}

/** Speaks HTTP by hand and reads until the server closes or goes quiet. */
async function bySocket(speak: (socket: Socket) => void, until: RegExp): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let text = '';
  await once(socket, 'connect');
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (until.test(text)) resolve();
    });
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
  speak(socket);
  await done;
  socket.destroy();
  return text;
}

describe('what Express cannot read', () => {
  test('a path that cannot be decoded is answered by the guard, not by Express with a stack', async () => {
    mount(
      app,
      guard().secure({ route: 'GET /v1/:id', auth: publicRoute('test') }, () => new Response('reached')),
    );
    const answer = await fetch(`${base}/v1/%zz`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
    expect(await answer.text()).not.toContain('Error');
    for (const path of ['/v1/a', '/v1/a%2Fb']) expect(await (await fetch(base + path)).text()).toBe('reached');
    for (const path of ['/v1/', '/v1/a/', '/V1/a', '/v1/a/b', '/v1xa'])
      expect((await fetch(base + path)).status).toBe(404);
  });

  test('a method or host that has no form carries the header fields of every other answer', async () => {
    mount(
      app,
      guard().secure({ route: 'GET /v1', auth: publicRoute('test') }, () => new Response('reached')),
    );
    for (const start of ['TRACE /v1 HTTP/1.1\r\nHost: a', 'GET /v1 HTTP/1.1\r\nHost: a<b']) {
      const text = await bySocket((socket) => socket.write(`${start}\r\nConnection: close\r\n\r\n`), /\}$/);
      expect(text).toMatch(/^HTTP\/1\.1 422 /);
      expect(text.toLowerCase()).toMatch(/\r\ncache-control: no-store\r\n/);
      expect(text.toLowerCase()).toMatch(/\r\nvary: origin\r\n/);
    }
  });
});

describe('a handler on Express 5', () => {
  test('sees method, URL, header fields, peer and body', async () => {
    app.post(
      '/v1/:id',
      toExpress(async (request, info) =>
        Response.json({
          method: request.method,
          url: request.url,
          header: request.headers.get('x-a'),
          body: await request.text(),
          peer: info?.remoteAddress,
        }),
      ),
    );
    const response = await fetch(`${base}/v1/a%2Fb?x=1&x=%20`, {
      method: 'POST',
      body: 'h\u00e9',
      headers: { 'x-a': 'b' },
    });
    expect(await response.json()).toEqual({
      method: 'POST',
      url: `${base}/v1/a%2Fb?x=1&x=%20`,
      header: 'b',
      body: 'h\u00e9',
      peer: '127.0.0.1',
    });
  });

  test('sees the whole path under a mounted router', async () => {
    const router = express.Router();
    router.get(
      '/b',
      toExpress(async (request) => new Response(new URL(request.url).pathname)),
    );
    app.use('/a', router);
    expect(await (await fetch(`${base}/a/b`)).text()).toBe('/a/b');
  });

  test('answers status, several cookies and no trace of Express', async () => {
    app.get(
      '/x',
      toExpress(async () => {
        const headers = new Headers({ 'x-b': 'c' });
        headers.append('set-cookie', 'a=1; Path=/');
        headers.append('set-cookie', 'b=2; Expires=Thu, 01 Jan 2032 00:00:00 GMT');
        return new Response('made', { status: 201, headers });
      }),
    );
    const response = await fetch(`${base}/x`);
    expect([response.status, await response.text(), response.headers.get('x-b')]).toEqual([201, 'made', 'c']);
    expect(response.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; Expires=Thu, 01 Jan 2032 00:00:00 GMT']);
    expect(response.headers.get('x-powered-by')).toBeNull();
  });

  test('answers HEAD with the header fields of GET and no body', async () => {
    mount(
      app,
      guard().secure(
        { route: 'GET /x', auth: open },
        () => new Response('body', { headers: { 'content-length': '4' } }),
      ),
    );
    const response = await fetch(`${base}/x`, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '4', '']);
  });

  test('streams a large body in and out, whole', async () => {
    app.post(
      '/x',
      toExpress(async (request) => new Response(request.body)),
    );
    const sent = new Uint8Array(3_000_000).map((_, i) => i % 251);
    const got = new Uint8Array(await (await fetch(`${base}/x`, { method: 'POST', body: sent })).arrayBuffer());
    expect(Buffer.compare(got, sent)).toBe(0);
  });

  test('is not drained faster than the client reads', async () => {
    let pulled = 0;
    app.get(
      '/x',
      toExpress(async () => {
        const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
          pulled++;
          if (pulled > 2000) controller.close();
          else controller.enqueue(new Uint8Array(65_536));
        };
        return new Response(new ReadableStream({ pull }));
      }),
    );
    const response = await fetch(`${base}/x`);
    const reader = response.body?.getReader();
    await reader?.read();
    await vi.waitFor(async () => {
      const before = pulled;
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(pulled, 'it stands still').toBe(before);
    }, patiently);
    expect(pulled).toBeLessThan(2000);
    await reader?.cancel();
  });

  test('stops, and its signal aborts, when the client goes away', async () => {
    let signal: AbortSignal | undefined;
    const cancelled = vi.fn();
    app.get(
      '/x',
      toExpress(async (request) => {
        signal = request.signal;
        return new Response(
          new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(9)), cancel: cancelled }),
        );
      }),
    );
    const leaving = new AbortController();
    const response = await fetch(`${base}/x`, { signal: leaving.signal });
    await response.body?.getReader().read();
    expect(signal?.aborted).toBe(false);
    leaving.abort();
    await vi.waitFor(() => expect(signal?.aborted).toBe(true), patiently);
    await vi.waitFor(() => expect(cancelled).toHaveBeenCalledTimes(1), patiently);
  });

  test('whose stream fails breaks the connection, so that half a body is not taken for a whole', async () => {
    app.get(
      '/x',
      toExpress(async () => {
        let first = true;
        return new Response(
          new ReadableStream({
            pull: (controller) => {
              if (first) controller.enqueue(new Uint8Array(9));
              else controller.error(new Error('disk'));
              first = false;
            },
          }),
        );
      }),
    );
    const whole = fetch(`${base}/x`).then((response) => response.arrayBuffer());
    await expect(whole).rejects.toThrow();
  });

  test('that rejects before it answers goes to the error handler of the app', async () => {
    app.get(
      '/x',
      toExpress(() => Promise.reject(new Error('boom'))),
    );
    const seen = vi.fn();
    app.use(((error, _request, response, _next) => {
      seen(error.message);
      response.status(500).end();
    }) as express.ErrorRequestHandler);
    expect((await fetch(`${base}/x`)).status).toBe(500);
    expect(seen).toHaveBeenCalledWith('boom');
  });
});

describe('a body parser before the guard', () => {
  const reach = async (body: string): Promise<unknown> => {
    app.use(express.json());
    mount(
      app,
      guard().secure({ route: 'POST /x', auth: open, body: json(z.unknown()) }, () => new Response('reached')),
    );
    let seen: unknown;
    app.use(((error, _request, response, _next) => {
      seen = error;
      response.status(500).end();
    }) as express.ErrorRequestHandler);
    const response = await fetch(`${base}/x`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    return response.status === 500 ? seen : response.status;
  };

  test('is refused with a message that says what to do', async () => {
    expect(await reach('{}')).toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining('mount guarded routes before it'),
    });
  });

  test('does no harm where it had nothing to read', async () => {
    app.use(express.json());
    mount(
      app,
      guard().secure({ route: 'GET /x', auth: open }, () => new Response('reached')),
    );
    expect(await (await fetch(`${base}/x`)).text()).toBe('reached');
  });

  test('does no harm after the guard', async () => {
    mount(
      app,
      guard().secure({ route: 'POST /x', auth: open, body: json(z.unknown()) }, (_r, ctx) => Response.json(ctx.body)),
    );
    app.use(express.json());
    app.post('/y', (request, response) => void response.json(request.body));
    for (const path of ['/x', '/y']) {
      const init = { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } };
      expect(await (await fetch(base + path, init)).json()).toEqual({ a: 1 });
    }
  });
});

describe('mounted routes', () => {
  test('answer preflights for the method that is asked for, and 405 for one that is not there', async () => {
    const { secure } = guard();
    const cors = origins('https://app.example.com');
    mount(
      app,
      secure({ route: 'GET /r/:id', auth: open }, () => new Response('got')),
      secure({ route: 'DELETE /r/:id', auth: open, cors }, (_request, ctx) => new Response(ctx.params.id)),
      secure({ route: 'GET /other', auth: open }, () => new Response('other')),
    );
    const preflight = (method: string): Promise<Response> =>
      fetch(`${base}/r/7`, {
        method: 'OPTIONS',
        headers: { origin: 'https://app.example.com', 'access-control-request-method': method },
      });
    const good = await preflight('DELETE');
    expect([good.status, good.headers.get('access-control-allow-methods')]).toEqual([204, 'DELETE']);
    expect((await preflight('GET')).status).toBe(403);
    expect((await preflight('PUT')).status).toBe(403);
    expect(await (await fetch(`${base}/r/a%20b`, { method: 'DELETE' })).text()).toBe('a b');
    const wrong = await fetch(`${base}/r/7`, { method: 'PATCH' });
    expect([wrong.status, wrong.headers.get('allow'), wrong.headers.get('cache-control')]).toEqual([
      405,
      'GET, HEAD, DELETE',
      'no-store',
    ]);
    expect((await fetch(`${base}/r/7`, { method: 'OPTIONS' })).status).toBe(405);
    expect(await (await fetch(`${base}/other`)).text()).toBe('other');
    expect((await fetch(`${base}/none`)).status).toBe(404);
  });

  test('cannot be the same twice', () => {
    const { secure } = guard();
    const one = secure({ route: 'GET /r/:id', auth: open }, () => new Response());
    const two = secure({ route: 'GET /r/:name', auth: open }, () => new Response());
    expect(() => routes(one, two)).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
  });
});

describe('the public URL', () => {
  const urlOf = async (deps: Parameters<typeof guard>[0], headers: Record<string, string>): Promise<string> => {
    mount(
      app,
      guard(deps).secure(
        { route: 'GET /x', auth: open },
        (_r, ctx) => new Response(`${ctx.url.href} ${ctx.source.ip}`),
      ),
    );
    return (await fetch(`${base}/x?q=1`, { headers })).text();
  };
  const forwarded = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example, api.clinic.example',
    'x-forwarded-for': '203.0.113.9, 198.51.100.7',
  };

  test('is that of the socket when nothing is trusted', async () => {
    expect(await urlOf({}, forwarded)).toBe(`${base}/x?q=1 127.0.0.1`);
  });

  test('is what the nearest proxy said when hops are trusted', async () => {
    expect(await urlOf({ trustedProxies: { hops: 1 } }, forwarded)).toBe(
      'https://api.clinic.example/x?q=1 198.51.100.7',
    );
  });

  test('is what a proxy of the trusted ranges said', async () => {
    const trustedProxies = { ranges: ['127.0.0.0/8', '198.51.100.0/24'] };
    expect(await urlOf({ trustedProxies }, forwarded)).toBe('https://api.clinic.example/x?q=1 203.0.113.9');
  });

  test('is fixed where the host states it, whatever header fields say', async () => {
    const deps = { publicOrigin: 'https://fixed.example', trustedProxies: { hops: 1 } } as const;
    expect(await urlOf(deps, forwarded)).toBe('https://fixed.example/x?q=1 198.51.100.7');
  });

  test('carries a Twilio signature from wire to verdict', async () => {
    const authToken = 'a secret of the test';
    const url = 'https://hooks.clinic.example/hooks/twilio?tenant=a';
    const form = 'StatusCallbackEvent=recording-completed&RoomSid=RM1';
    const { createHmac } = await import('node:crypto');
    const text = `${url}RoomSidRM1StatusCallbackEventrecording-completed`;
    const signature = createHmac('sha1', authToken).update(text).digest('base64');
    const { secure } = guard({ publicOrigin: 'https://hooks.clinic.example' });
    mount(
      app,
      secure(
        {
          route: 'POST /hooks/twilio',
          auth: webhook({ name: 'twilio', verify: (request) => verifyTwilio(request, authToken) }),
        },
        (_request, ctx) => new Response(Buffer.from(ctx.rawBody)),
      ),
    );
    const send = (body: string): Promise<Response> =>
      fetch(`${base}/hooks/twilio?tenant=a`, {
        method: 'POST',
        body,
        headers: { 'x-twilio-signature': signature, 'content-type': 'application/x-www-form-urlencoded' },
      });
    expect(await (await send(form)).text()).toBe(form);
    expect((await send(`${form}2`)).status).toBe(401);
  });
});

describe('a hostile client', () => {
  const small = (): FetchHandler =>
    guard().secure({ route: 'POST /x', auth: open, body: raw({ maxBytes: 100 }) }, (_request, ctx) =>
      Response.json({ length: ctx.body.length }),
    );

  test('that sends more than its Content-Length has only that much read', async () => {
    app.post('/x', toExpress(small()));
    const text = await bySocket(
      (socket) => socket.write(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345GET /x HTTP/1.1\r\n`),
      /"length":\d+/,
    );
    expect(text).toContain('{"length":5}');
  });

  test('that states a great Content-Length and sends little is answered at once', async () => {
    app.post('/x', toExpress(small()));
    const text = await bySocket(
      (socket) => socket.write('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n1'),
      /body_too_large/,
    );
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('whose body is not wanted can still read the answer and use the connection again', async () => {
    app.post('/x', toExpress(small()));
    app.get('/y', (_request, response) => void response.end('second'));
    const body = 'x'.repeat(300_000);
    const text = await bySocket(
      (socket) =>
        socket.write(
          `POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\n\r\n`,
        ),
      /second/,
    );
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text).toContain('second');
  });

  test('that sends chunks without end is answered when the bound is passed, then cut off', async () => {
    app.post('/x', toExpress(small()));
    let sent = 0;
    let closed = false;
    const text = await bySocket((socket) => {
      socket.write('POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
      socket.on('close', () => {
        closed = true;
      });
      const more = (): void => {
        if (socket.destroyed || closed) return;
        sent += 65_536;
        socket.write(`10000\r\n${'x'.repeat(65_536)}\r\n`, () => setImmediate(more));
      };
      more();
    }, /never/);
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text).toContain('body_too_large');
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test('that sends a header and a byte and leaves frees the handler', async () => {
    const failures: unknown[] = [];
    const handler = guard({ logger: { error: (_m, f) => void failures.push(f), warn: () => undefined } }).secure(
      { route: 'POST /x', auth: open, body: raw({ maxBytes: 100 }) },
      () => new Response('never'),
    );
    let settled: Promise<Response> | undefined;
    app.post(
      '/x',
      toExpress((request, info) => (settled = handler(request, info))),
    );
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n1');
    await vi.waitFor(() => expect(settled).toBeDefined(), patiently);
    socket.destroy();
    expect((await settled)?.status).toBe(422);
    expect(failures).toEqual([]);
  });

  test('that names another host in the path stays on ours', async () => {
    app.use(toExpress(async (request) => new Response(request.url)));
    for (const target of ['//evil.example/x', 'http://evil.example/x', '/\\evil.example/x']) {
      const text = await bySocket(
        (socket) => socket.write(`GET ${target} HTTP/1.1\r\nHost: ours.example\r\nConnection: close\r\n\r\n`),
        /\r\n\r\n.+/s,
      );
      expect(text).toMatch(/\r\nhttp:\/\/ours\.example\/|\r\n\r\n.*http:\/\/ours\.example\//s);
    }
  });

  test.each(['a b', 'a/b', 'user@host', '', 'a\\b', '[::1'])(
    'whose Host is %j is refused or read as a host',
    async (host) => {
      app.use(toExpress(async (request) => new Response(new URL(request.url).host)));
      const text = await bySocket(
        (socket) => socket.write(`GET /x HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
        /\r\n\r\n.+/s,
      );
      expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
    },
  );

  test('cannot put a line break into a header field of the answer', async () => {
    mount(
      app,
      guard().secure(
        { route: 'GET /x/:name', auth: open },
        (_request, ctx) => new Response('x', { headers: { 'x-name': ctx.params.name } }),
      ),
    );
    const response = await fetch(`${base}/x/a%0d%0aset-cookie:%20a=1`);
    expect(response.status).toBe(500);
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test('that repeats Authorization is not judged by the first of them', async () => {
    app.get(
      '/x',
      toExpress(async (request) => new Response(request.headers.get('authorization'))),
    );
    const text = await bySocket(
      (socket) =>
        socket.write(
          'GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\nConnection: close\r\n\r\n',
        ),
      /Bearer/,
    );
    expect(text).toContain('Bearer a, Bearer b');
  });

  test('that smuggles by two lengths is refused by the server', async () => {
    app.post('/x', toExpress(small()));
    const text = await bySocket(
      (socket) =>
        socket.write('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
      /HTTP/,
    );
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('that uses TRACE is refused', async () => {
    app.use(toExpress(async () => new Response('never')));
    const text = await bySocket(
      (socket) => socket.write('TRACE /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
      /HTTP/,
    );
    expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
  });
});

describe('a webhook behind Express', () => {
  const text = new TextEncoder();
  const sign = (url: string): string => toBase64(hmacSha1(text.encode('token'), text.encode(`${url}a1`)));
  const send = (path: string, signature: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const { port } = server.address() as AddressInfo; // a TCP server's
      const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature };
      const out = httpRequest({ host: '127.0.0.1', port, path, method: 'POST', headers }, (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
      });
      out.on('error', reject);
      out.end('a=1');
    });

  // `Request` writes some of these characters as escapes; the sender signed the bare ones.
  test.each(["'", '(', ')', '!', '*', '~', '|', '{', '%27', '%28', '+', '%20', '%2B', '%26', '^', '`'])(
    'is verified over the target as it was sent: %s',
    async (character) => {
      const { secure } = guard({ publicOrigin: 'https://api.clinic.example' });
      const auth = webhook({ name: 'twilio', verify: (request) => verifyTwilio(request, 'token') });
      const hook = secure({ route: 'POST /hook/:room', auth }, () => new Response('ok'));
      mount(app, hook);
      const target = `/hook/a${character}b?name=a${character}b`;
      expect(await send(target, sign(`https://api.clinic.example${target}`))).toBe(200);
      expect(await send(target, sign(`https://api.clinic.example${target}x`))).toBe(401);
    },
  );

  test('is verified under the mount path of a router, too', async () => {
    const { secure } = guard({ publicOrigin: 'https://api.clinic.example' });
    const auth = webhook({ name: 'twilio', verify: (request) => verifyTwilio(request, 'token') });
    const router = express.Router();
    router.all(/.*/, toExpress(secure({ route: 'POST /hooks/twilio', auth }, () => new Response('ok'))));
    app.use('/hooks', router);
    expect(await send("/hooks/twilio?n='", sign("https://api.clinic.example/hooks/twilio?n='"))).toBe(200);
  });
});
