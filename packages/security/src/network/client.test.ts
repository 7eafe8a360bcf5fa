import { describe, expect, test } from 'vitest';
import { corpus } from '../../test/corpus.ts';
import { createReadClient } from './client.ts';
import type { TrustedProxies } from './trusted-proxies.ts';

interface Case {
  readonly name: string;
  readonly headerName: string;
  readonly trustedCount?: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly want: string;
  readonly configError?: boolean;
}
interface Corpus {
  readonly singleIPHeader: readonly Case[];
  readonly rightmostTrustedCount: readonly Case[];
}
const { singleIPHeader, rightmostTrustedCount } = corpus<Corpus>('client-ip.json');

function ipOf(trust: TrustedProxies | undefined, headers: HeadersInit, remoteAddress?: string): string | undefined {
  const request = new Request('http://api.example/x', { headers });
  return createReadClient(trust, undefined)(request, remoteAddress === undefined ? {} : { remoteAddress }).ip?.text;
}

function all(headers: Case['headers']): Headers {
  const list = new Headers();
  for (const [name, values] of Object.entries(headers)) for (const value of values) list.append(name, value);
  return list;
}

const forwardedFor = (value: string): HeadersInit => ({ 'x-forwarded-for': value });

describe('a header that the platform sets', () => {
  test.each(singleIPHeader)('is read as realclientip reads it: $name', ({ headerName, headers, want, configError }) => {
    const read = (): string | undefined => ipOf({ header: headerName }, all(headers));
    if (configError === true) expect(read).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
    else expect(read() ?? '').toBe(want.replace(/%.*/, ''));
  });
});

describe('hops', () => {
  // The corpus also reads `Forwarded`, which is not read here, and names header fields, which is not an option here.
  const usable = rightmostTrustedCount.filter(({ headerName }) => /^x-forwarded-for$/i.test(headerName));

  test('have cases in the corpus', () => {
    expect(usable.length).toBeGreaterThanOrEqual(2);
  });

  test.each(usable)(
    'are counted as realclientip counts them: $name',
    ({ trustedCount = 0, headers, want, configError }) => {
      const read = (): string | undefined => ipOf({ hops: trustedCount }, all(headers));
      if (configError === true) expect(read).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
      else if (trustedCount > 16) expect(read).toThrow();
      else expect(read() ?? '').toBe(want);
    },
  );

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
