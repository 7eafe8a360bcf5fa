import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exactOrigins } from './exact-origins.ts';
import { origins } from './origins.ts';

const refused = expect.objectContaining({ code: 'invalid_configuration' });

describe('a pattern', () => {
  const unfit = [
    '*',
    'https://*',
    'https://*.com',
    'https://*.co.uk',
    'https://*.github.io',
    'https://*.herokuapp.com',
    'https://*.s3.amazonaws.com',
    'https://*.internal',
    'https://app.*.example.com',
    'https://example.com:443',
    'https://example.com/',
    'https://user@example.com',
    'https://example.com#x',
    'https://example.com\n',
    'HTTPS://example.com',
    'https://[::ffff:1.2.3.4]',
    'https://[0:0::1]',
    'https://*.[::1]',
    'https://1.2.3',
    'https://0x7f000001',
    'https://127.1',
    'capacitor://*.example.com',
    'data://x.example',
    `https://${'a'.repeat(64)}.example`,
    '/https:\\/\\/.*/',
    '',
    'null',
    'clinic',
    'file:///index.html',
    '8ball://clinic.example',
    ' https://clinic.example ',
    'https://clinic.example:8443/portal',
    'https://clinic.example?next=/',
    'http://clinic.example:80',
    'https://clinic.example:',
    'https://clinic.example:0',
    'https://clinic.example:08443',
    'https://clinic.example:844300',
    'https://clinic.example:8443x',
    'https://clinic.example:65536',
    'https://cliniç.example',
    'https://Clinic.example',
    'https://clinic!.example',
    'https://clinic..example',
    'https://www.clinic.20260101:8443',
    'http://192.0.2.7:',
    'http://192.0.2.7:0',
    'https://192.0.2.7.:8443',
    'https://2001:db8::7:8443',
    'https://2001:db8::7]:8443',
    'https://[2001:db8::7]x:8443',
    'https://[2001:db8:::::7]:8443',
    'https://[fe80::7%en0]:8443',
    'http://**.clinic.example',
    'http://*clinic.example',
    'http://*.192.0.2.7:8443',
  ];
  test.each(unfit)('that lets strangers in, or that no browser sends, is refused: %j', (pattern) => {
    expect(() => origins(pattern)).toThrow(refused);
    expect(() => exactOrigins(pattern)).toThrow(refused);
  });

  const exact = [
    'capacitor://localhost',
    'http://localhost:5173',
    'https://xn--bcher-kva.example',
    'k://clinic.example',
    'http://192.0.2.7',
    'http://[::1]:8443',
    'https://[2001:db8::7]:8443',
    'http://clinic.example.:8443',
  ];
  test.each([
    ...exact,
    'https://*.example.com',
    'https://*.localhost:3000',
    'https://*.clinic.example',
    'http://*.clinic.example:8443',
  ])('that is exact enough is taken: %s', (pattern) => {
    expect(origins(pattern).patterns).toEqual([pattern]);
  });

  test.each(exact)('without a wildcard is taken where all must be exact: %s', (pattern) => {
    expect(exactOrigins(pattern).allows(pattern)).toBe(true);
  });

  test('must be there', () => {
    expect(() => origins()).toThrow(refused);
  });
});

describe('an origin', () => {
  const list = origins('https://app.example.com', 'https://*.clinic.example', 'http://*.dev.example:8080');

  test.each([
    ['https://app.example.com', true],
    ['https://a.clinic.example', true],
    ['https://a.b.clinic.example', true],
    ['http://a.dev.example:8080', true],
    ['https://clinic.example', false],
    ['https://.clinic.example', false],
    ['https://a..clinic.example', false],
    ['https://aclinic.example', false],
    ['https://a.clinic.example.evil.net', false],
    ['https://a.clinic.example:444', false],
    ['http://a.clinic.example', false],
    ['https://evil.net/.clinic.example', false],
    ['https://evil.net?.clinic.example', false],
    ['https://evil.net#.clinic.example', false],
    ['https://evil.net\\.clinic.example', false],
    ['https://evil.net@a.clinic.example', false],
    ['https://a.clinic.example\n', false],
    [' https://a.clinic.example', false],
    ['https://A.clinic.example', false],
    ['https://a.clinic.example.', false],
    ['http://a.dev.example', false],
    ['http://a.dev.example:80801', false],
    ['null', false],
    ['', false],
    ['*', false],
    ['https://app.example.com:443', false],
    ['https://app.example.com.', false],
    ['https://app.example.co', false],
    ['https://app.example.comm', false],
    ['https://appxexample.com', false],
    ['8ball://app.example.com', false],
    ['app:', false],
    ['capacitor://app.example.com', false],
    ['https://app.example.com?', false],
    ['https://app.example.com:44x', false],
    ['https://.example.com', false],
    ['http://[::1', false],
    ['http://[]', false],
    ['http://[::]', false],
    ['http://[::1].:8080', false],
    ['http://[::1]:', false],
    ['http://192.0.2.7:', false],
    ['http://192.0.2.7.', false],
    ['http://300.0.2.7', false],
    ['http://a.dev.999:8080', false],
  ])('%j: %s', (origin, allowed) => {
    expect(list.allows(origin)).toBe(allowed);
  });

  test('that is allowed is, to a browser, https on the default port under the host', () => {
    const piece = fc.constantFrom(
      'a',
      'clinic',
      'example',
      '.clinic.example',
      '.',
      '-',
      '_',
      '@',
      ':',
      '/',
      '\\',
      '?',
      '#',
      '%2e',
      '8',
      'evil.net',
      ' ',
      'É',
    );
    const host = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(fc.constantFrom('https://', 'http://', 'https:/', '//'), host, (scheme, rest) => {
        const origin = `${scheme}${rest}`;
        if (!origins('https://*.clinic.example').allows(origin)) return;
        const url = new URL(origin);
        expect([url.protocol, url.port, url.username, url.pathname]).toEqual(['https:', '', '', '/']);
        expect(url.hostname.endsWith('.clinic.example')).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('options', () => {
  test('credentials need exact https origins, or loopback', () => {
    expect(() => origins('https://*.clinic.example').with({ credentials: true })).toThrow(refused);
    expect(() => origins('http://app.example.com').with({ credentials: true })).toThrow(refused);
    expect(origins('https://app.example.com', 'http://localhost:3000').with({ credentials: true }).credentials).toBe(
      true,
    );
  });

  test.each([
    { maxAgeSeconds: 7201 },
    { maxAgeSeconds: -1 },
    { maxAgeSeconds: 1.5 },
    { allowHeaders: ['*'] },
    { exposeHeaders: ['a b'] },
    { allowHeaders: ['x\r\ny'] },
  ])('%j is refused', (options) => {
    expect(() => origins('https://app.example.com').with(options)).toThrow(refused);
  });

  test('add up', () => {
    const list = origins('https://app.example.com')
      .with({ allowHeaders: ['X-A'] })
      .with({ maxAgeSeconds: 5 });
    expect([list.allowHeaders, list.maxAgeSeconds]).toEqual([['x-a'], 5]);
  });
});
