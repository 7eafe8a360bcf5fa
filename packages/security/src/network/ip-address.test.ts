import { BlockList, isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientKey, parseForwardedIp, parseIp, parseRange } from './ip-address.ts';

const group = fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16));
const sparse = fc.oneof(fc.constant('0'), group);
const v6 = fc.array(sparse, { minLength: 8, maxLength: 8 }).map((parts) => parts.join(':'));
const v4 = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }).map((parts) => parts.join('.'));
const nearly = fc.array(fc.oneof(fc.constantFrom(':', '::', '.', '0', '1', 'ff', 'ffff', '256', '01', 'g', '%'), v4), {
  maxLength: 10,
});

describe('an address', () => {
  test('of IPv6 is written as the URL standard writes it', () => {
    fc.assert(
      fc.property(v6, (text) => {
        const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
        const address = parseIp(text);
        if (address?.version === 4) expect(canonical).toMatch(/^::ffff:/);
        else expect(address?.text).toBe(canonical);
        expect(parseIp(canonical)).toEqual(address);
      }),
    );
  });

  test('is accepted just when Node accepts it', () => {
    fc.assert(
      fc.property(
        nearly.map((parts) => parts.join('')).filter((text) => !text.includes('%')),
        (text) => {
          expect(parseIp(text) !== undefined).toBe(isIPv4(text) || isIPv6(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test.each(['::ffff:192.0.2.1', '::FFFF:c000:0201', '0:0:0:0:0:ffff:192.0.2.1'])(
    'mapped into IPv6 as %s is the IPv4 address',
    (text) => {
      expect(parseIp(text)).toEqual(parseIp('192.0.2.1'));
    },
  );

  test.each([
    '0177.0.0.1',
    '1.2.3',
    '1.2.3.4.5',
    '0x7f.1',
    '2130706433',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '１.2.3.4',
    '1::2::3',
  ])('is not %j', (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

describe('an address in a forwarding header', () => {
  test.each([
    ['203.0.113.9', '203.0.113.9'],
    ['203.0.113.9%', '203.0.113.9'],
    ['203.0.113.9:48944', '203.0.113.9'],
    [' 203.0.113.9 ', '203.0.113.9'],
    ['fe80::9%en0', 'fe80::9'],
    ['2001:db8::9', '2001:db8::9'],
    ['[2001:DB8::9]', '2001:db8::9'],
    ['[2001:db8::9]:443', '2001:db8::9'],
    ['[::ffff:203.0.113.9]', '203.0.113.9'],
    ['[0:0:0:0:0:ffff:cb00:7109]', '203.0.113.9'],
    // The unspecified address is legal but nobody's.
    ['0.0.0.0', undefined],
    ['[::]:443', undefined],
    ['', undefined],
    ['clinic', undefined],
    ['clinic%en0', undefined],
    ['203.0.113.\\9', undefined],
    ['"203.0.113.9', undefined],
    ['[203.0.113.9', undefined],
    ['[2001:db8::9]]', undefined],
    ['[2001:db8::9]443', undefined],
    ['203.0.113.9:480000', undefined],
    ['203.0.113.9:', undefined],
    ['2001:db8::99999', undefined],
    ['unknown', undefined],
    ['_hidden', undefined],
  ])('%j is %s', (item, want) => {
    expect(parseForwardedIp(item)?.text).toBe(want);
  });
});

describe('a range', () => {
  test('contains what Node says it contains', () => {
    const family = fc.constantFrom('ipv4' as const, 'ipv6' as const);
    fc.assert(
      fc.property(
        family,
        fc.nat(128),
        fc.tuple(v4, v4),
        fc.tuple(v6, v6),
        fc.nat(16),
        (kind, bits, fours, sixes, keep) => {
          const length = kind === 'ipv4' ? bits % 33 : bits;
          const [base, other] = kind === 'ipv4' ? fours : sixes;
          if (parseIp(base)?.version !== (kind === 'ipv4' ? 4 : 6)) return;
          // A neighbour: the first parts of the base, the rest of the other.
          const mark = kind === 'ipv4' ? '.' : ':';
          const parts = other.split(mark);
          const near = parts
            .map((part, i) => (i < keep % parts.length ? (base.split(mark)[i] ?? part) : part))
            .join(mark);
          const address = parseIp(near);
          if (address === undefined || address.version !== (kind === 'ipv4' ? 4 : 6)) return;
          const list = new BlockList();
          list.addSubnet(base, length, kind);
          expect(parseRange(`${base}/${length}`)?.contains(address)).toBe(list.check(near, kind));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test.each([
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '::/129',
    '10.0.0/8',
    'x',
    '::ffff:10.0.0.0/104',
    'fe80::%1/10',
    '10.0.0.0/8/8',
  ])('is not %j', (text) => {
    expect(parseRange(text)).toBeUndefined();
  });
});

test('a client of IPv6 is its network, one of IPv4 its address', () => {
  const key = (text: string, bits: 56 | 64): string | undefined => {
    const address = parseIp(text);
    return address === undefined ? undefined : clientKey(address, bits);
  };
  expect(key('2001:db8:1:2:3:4:5:6', 64)).toBe('2001:db8:1:2::/64');
  expect(key('2001:db8:1:2ff:3:4:5:6', 56)).toBe('2001:db8:1:200::/56');
  expect(key('::ffff:192.0.2.1', 64)).toBe('192.0.2.1');
});
