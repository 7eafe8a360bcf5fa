import { describe, expect, test } from 'vitest';
import { createReadClient } from './client.ts';
import type { TrustedProxies } from './trusted-proxies.ts';

function ipOf(trust: TrustedProxies | undefined, headers: HeadersInit, remoteAddress?: string): string | undefined {
  const request = new Request('http://api.example/x', { headers });
  return createReadClient(trust, undefined)(request, remoteAddress === undefined ? {} : { remoteAddress }).ip?.text;
}

const forwardedFor = (value: string): HeadersInit => ({ 'x-forwarded-for': value });

describe('a header that the platform sets', () => {
  test.each([
    ['203.0.113.9', '203.0.113.9'],
    ['203.0.113.9:49152', '203.0.113.9'],
    ['2001:db8::9', '2001:db8::9'],
    ['[2001:db8:0::9]:3838', '2001:db8::9'],
    ['fe80::9%en0', 'fe80::9'],
    ['[fe80::9%en0]:443', 'fe80::9'],
    ['64:ff9b::203.0.113.9', '64:ff9b::cb00:7109'],
    ['::ffff:cb00:7109', '203.0.113.9'],
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', undefined],
    ['clinic', undefined],
    ['203.0.113.9, 192.0.2.7', undefined],
  ])('with %j tells %s, whatever other headers say', (value, want) => {
    const headers = { 'CF-Connecting-IP': value, 'X-Real-IP': '192.0.2.7', ...forwardedFor('192.0.2.8') };
    expect(ipOf({ header: 'cf-connecting-ip' }, headers, '10.0.0.9')).toBe(want);
  });

  test('tells nothing when it is absent', () => {
    expect(ipOf({ header: 'CF-Connecting-IP' }, { 'X-Real-IP': '192.0.2.7' }, '10.0.0.9')).toBeUndefined();
  });

  test.each(['', 'X Real IP', 'x:real', 'é'])('cannot be named %j', (header) => {
    expect(() => ipOf({ header }, {})).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
  });
});

describe('hops', () => {
  test.each([0, -1, 1.5, 17, Number.NaN])('cannot be %d', (hops) => {
    const read = (): unknown => ipOf({ hops }, forwardedFor('203.0.113.9'));
    expect(read).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
  });

  test('are counted over every line of the header, however many there are', () => {
    const headers = new Headers();
    for (const line of ['192.0.2.1, 192.0.2.2', '::1, fe80::7%28', '203.0.113.9', '10.0.0.1,10.0.0.2'])
      headers.append('X-Forwarded-For', line);
    expect(ipOf({ hops: 3 }, headers)).toBe('203.0.113.9');
    expect(ipOf({ hops: 4 }, headers)).toBe('fe80::7');
    expect(ipOf({ hops: 7 }, headers)).toBe('192.0.2.1');
    expect(ipOf({ hops: 8 }, headers)).toBeUndefined();
  });

  test.each([
    [1, '203.0.113.9', '203.0.113.9'],
    [1, '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    [2, '1.1.1.1, 203.0.113.9, 10.0.0.1', '203.0.113.9'],
    [2, '203.0.113.9', undefined],
    [1, '203.0.113.9, nonsense', undefined],
    [1, '', undefined],
    [1, '203.0.113.9, ', undefined],
    [1, '203.0.113.9, [2001:db8::1]:443', '2001:db8::1'],
  ])('%i of them in %j tell %s', (hops, value, want) => {
    expect(ipOf({ hops }, forwardedFor(value), '10.0.0.9')).toBe(want);
  });
});

describe('ranges', () => {
  const ranges = ['10.0.0.0/8', '2001:db8::/32'];

  test.each([
    ['10.0.0.5', '1.1.1.1, 203.0.113.9, 10.0.0.1', '203.0.113.9'],
    ['10.0.0.5', '203.0.113.9, 2001:db8::7', '203.0.113.9'],
    ['::ffff:10.0.0.5', '203.0.113.9', '203.0.113.9'],
    ['10.0.0.5', '1.1.1.1, nonsense, 10.0.0.1', undefined],
    ['10.0.0.5', '10.0.0.1, 10.0.0.2', undefined],
    ['9.9.9.9', '203.0.113.9', '9.9.9.9'],
    // Nothing says that the peer is one of ours: its word is not taken.
    [undefined, '203.0.113.9', undefined],
  ])('with the peer %s and %j tell %s', (peer, value, want) => {
    expect(ipOf({ ranges }, forwardedFor(value), peer)).toBe(want);
  });
});

describe('no trust', () => {
  test('leaves the peer, and nothing without one', () => {
    expect(ipOf(undefined, forwardedFor('1.1.1.1'), '9.9.9.9')).toBe('9.9.9.9');
    expect(ipOf(undefined, forwardedFor('1.1.1.1'))).toBeUndefined();
  });

  test('reads the peer as Deno tells it', () => {
    const info = { remoteAddr: { transport: 'tcp', hostname: '9.9.9.9', port: 1 } };
    expect(createReadClient(undefined, undefined)(new Request('http://a/'), info).ip?.text).toBe('9.9.9.9');
  });
});

describe('the public URL', () => {
  const urlOf = (headers: Record<string, string>): string => {
    const request = new Request('http://inner:8080/a%2Fb?c=d', { headers: { ...forwardedFor('9.9.9.9'), ...headers } });
    return createReadClient({ hops: 1 }, undefined)(request, undefined).url.href;
  };

  test.each([
    [{}, 'http://inner:8080/a%2Fb?c=d'],
    [{ 'x-forwarded-proto': 'https' }, 'https://inner:8080/a%2Fb?c=d'],
    [{ 'x-forwarded-proto': 'https', 'x-forwarded-host': 'api.example' }, 'https://api.example/a%2Fb?c=d'],
    [{ 'x-forwarded-proto': 'javascript' }, 'http://inner:8080/a%2Fb?c=d'],
    [{ 'x-forwarded-host': 'evil.example/x?' }, 'http://inner:8080/a%2Fb?c=d'],
    [{ 'x-forwarded-host': 'user:pw@evil.example' }, 'http://inner:8080/a%2Fb?c=d'],
    [{ 'x-forwarded-host': 'api.example:99999' }, 'http://inner:8080/a%2Fb?c=d'],
  ])('with %j is %s', (headers, url) => {
    expect(urlOf(headers)).toBe(url);
  });
});

describe('the URL as the client called it', () => {
  const urlOf = (path: string, trust?: TrustedProxies, publicOrigin?: string): string => {
    const request = new Request(`http://inside.example${path}`, {
      headers: { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https' },
    });
    return createReadClient(trust, publicOrigin)(request, undefined).url.href;
  };

  test.each(['/v1/x?a=b', '//evil.example/v1/x', '///evil.example/v1/x?a=//b', '/a//b/%2e%2e%2f'])(
    'never takes a host from the path: %s',
    (path) => {
      expect(urlOf(path, undefined, 'https://api.example')).toBe(`https://api.example${path}`);
      expect(urlOf(path, { hops: 1 })).toBe(`https://api.example${path}`);
      expect(urlOf(path)).toBe(`http://inside.example${path}`);
    },
  );
});
