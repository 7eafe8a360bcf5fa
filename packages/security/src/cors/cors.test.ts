import { describe, expect, test } from 'vitest';
import { cors } from './cors.ts';
import type { OriginOptions } from './origin-list.ts';
import { origins } from './origins.ts';

const app = 'https://app.example.com';
const check = cors(origins(app), { methods: ['POST'], ownOrigin: 'https://api.example.com' });

function request(method: string, headers: Record<string, string> = {}): Request {
  return new Request('https://api.example.com/x', { method, headers });
}

const preflight = (origin: string, method: string, headers?: string): Request =>
  request('OPTIONS', {
    origin,
    'access-control-request-method': method,
    ...(headers === undefined ? {} : { 'access-control-request-headers': headers }),
  });

function answer(asked: Request): readonly [boolean, Record<string, string>, number] {
  const verdict = check.check(asked);
  if (verdict.kind !== 'preflight') throw new Error(`Not a preflight: ${verdict.kind}`);
  return [verdict.allowed, Object.fromEntries(verdict.response.headers), verdict.response.status];
}

describe('a preflight', () => {
  test('from the list, for a method and header fields that are allowed, is answered 204 with exactly those', () => {
    const [allowed, headers, status] = answer(preflight(app, 'POST', 'authorization,content-type'));
    expect([allowed, status]).toEqual([true, 204]);
    expect(headers).toEqual({
      'access-control-allow-origin': app,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'authorization, content-type, x-request-id',
      'access-control-max-age': '600',
      'cache-control': 'no-store',
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    });
  });

  test.each([
    ['another origin', preflight('https://evil.example', 'POST')],
    ['null', preflight('null', 'POST')],
    ['another method', preflight(app, 'DELETE')],
    ['a header field that is not allowed', preflight(app, 'POST', 'authorization, x-evil')],
    ['too many header fields', preflight(app, 'POST', 'authorization,'.repeat(400))],
  ])('for %s is answered 403 and allows nothing', (_name, asked) => {
    const [allowed, headers, status] = answer(asked);
    expect([allowed, status]).toEqual([false, 403]);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(headers.vary).toContain('Origin');
  });

  test('is OPTIONS with Access-Control-Request-Method, and nothing less', () => {
    expect(check.check(request('OPTIONS', { origin: app })).kind).toBe('pass');
    expect(check.check(request('OPTIONS', { 'access-control-request-method': 'POST' })).kind).toBe('pass');
    expect(check.check(request('POST', { origin: app, 'access-control-request-method': 'POST' })).kind).toBe('pass');
  });
});

describe('a request', () => {
  test.each([
    ['POST', undefined, 'pass'],
    ['POST', app, 'pass'],
    ['POST', 'https://api.example.com', 'pass'],
    ['POST', 'https://evil.example', 'refuse'],
    ['POST', 'null', 'refuse'],
    ['DELETE', 'https://evil.example', 'refuse'],
    ['GET', 'https://evil.example', 'pass'],
    ['HEAD', 'null', 'pass'],
  ])('%s from %s: %s', (method, origin, kind) => {
    expect(check.check(request(method, origin === undefined ? {} : { origin })).kind).toBe(kind);
  });

  test('without a list may come from no other origin', () => {
    const none = cors(undefined, { methods: ['POST'] });
    expect(none.check(request('POST', { origin: app })).kind).toBe('refuse');
    expect(none.check(preflight(app, 'POST'))).toMatchObject({ kind: 'preflight', allowed: false });
  });
});

describe('the header fields of an answer', () => {
  test('name the origin that asked, and the credentials if they are allowed', () => {
    const headers = new Headers({ vary: 'Accept-Encoding' });
    cors(origins(app).with({ credentials: true }), { methods: ['GET'] }).apply(
      headers,
      request('GET', { origin: app }),
    );
    expect(headers.get('access-control-allow-origin')).toBe(app);
    expect(headers.get('access-control-allow-credentials')).toBe('true');
    expect(headers.get('vary')).toBe('Accept-Encoding, Origin');
  });

  test('name Origin in Vary once', () => {
    for (const vary of ['origin', 'Accept, ORIGIN', '*']) {
      const headers = new Headers({ vary });
      check.apply(headers, request('GET'));
      expect(headers.get('vary')).toBe(vary);
    }
  });
});

test('exposes to scripts the header fields that the list names, and no others', () => {
  const exposedBy = (options: OriginOptions): string | null => {
    const headers = new Headers();
    cors(origins(app).with(options), { methods: ['POST'] }).apply(headers, request('POST', { origin: app }));
    return headers.get('access-control-expose-headers');
  };
  const named: OriginOptions = { exposeHeaders: ['X-Total', 'ETag'] };
  expect(exposedBy(named)?.toLowerCase()).toBe('x-total, etag');
  const none: OriginOptions = { exposeHeaders: [] };
  expect(exposedBy(none)).toBe(null);
  expect(exposedBy({})).toContain('x-request-id');
});
