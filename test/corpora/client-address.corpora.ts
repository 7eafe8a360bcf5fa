import { describe, expect, test } from 'vitest';
import { createReadClient } from '../../packages/security/src/network/client.ts';
import { parseForwardedIp } from '../../packages/security/src/network/ip-address.ts';
import type { TrustedProxies } from '../../packages/security/src/network/trusted-proxies.ts';
import { corpus } from './corpus.ts';

interface Case {
  readonly name: string;
  readonly headerName: string;
  readonly trustedCount?: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly want: string;
  readonly configError?: boolean;
}

/** Of realclientip/realclientip-go (0BSD). */
interface Corpus {
  readonly singleIPHeader: readonly Case[];
  readonly rightmostTrustedCount: readonly Case[];
  readonly parseIP: readonly { readonly name: string; readonly input: string; readonly want?: string }[];
  readonly forwardedItem: readonly { readonly name: string; readonly input: string; readonly want: string | null }[];
}
const { singleIPHeader, rightmostTrustedCount, parseIP, forwardedItem } = corpus<Corpus>('client-ip.json');
// The corpus also reads `Forwarded`, which is not read here, and names header fields, which is not an option here.
const counted = rightmostTrustedCount.filter(({ headerName }) => /^x-forwarded-for$/i.test(headerName));

function ipOf(trust: TrustedProxies, lines: Case['headers']): string | undefined {
  const headers = new Headers();
  for (const [name, values] of Object.entries(lines)) for (const value of values) headers.append(name, value);
  const request = new Request('http://api.example/x', { headers });
  return createReadClient(trust, undefined)(request, {}).ip?.text;
}

test('the corpus is whole', () => {
  expect([singleIPHeader, counted, parseIP, forwardedItem].map(({ length }) => length)).toEqual([8, 2, 5, 15]);
});

describe('a header that the platform sets', () => {
  test.each(singleIPHeader)('is read as realclientip reads it: $name', ({ headerName, headers, want, configError }) => {
    const read = (): string | undefined => ipOf({ header: headerName }, headers);
    if (configError === true) expect(read).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
    else expect(read() ?? '').toBe(want.replace(/%.*/, ''));
  });
});

describe('hops', () => {
  test.each(counted)(
    'are counted as realclientip counts them: $name',
    ({ trustedCount = 0, headers, want, configError }) => {
      const read = (): string | undefined => ipOf({ hops: trustedCount }, headers);
      if (configError === true || trustedCount > 16)
        expect(read).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
      else expect(read() ?? '').toBe(want);
    },
  );
});

describe('an address', () => {
  test.each(parseIP)('is read as realclientip reads it: $name', ({ input, want }) => {
    // The unspecified address is legal but nobody's.
    expect(parseForwardedIp(input)?.text).toBe(want === '0.0.0.0' ? undefined : want);
  });

  test.each(forwardedItem.filter(({ want }) => want !== null))('is read behind for=: $name', ({ input, want }) => {
    const [, value = ''] = /for="?([^";]*)"?/i.exec(input) ?? [];
    expect(parseForwardedIp(value)?.text).toBe(want?.replace(/%.*/, ''));
  });
});
