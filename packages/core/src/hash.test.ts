import { hmac as nobleHmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import * as native from './hash.ts';
import { fromHex, toHex } from './hex.ts';

const text = new TextEncoder();
const bytes = fc.uint8Array({ maxLength: 300 });

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** The module as a runtime without `node:crypto` loads it. */
async function withoutNodeCrypto(): Promise<typeof native> {
  vi.resetModules();
  vi.stubGlobal('process', { ...process, getBuiltinModule: undefined });
  return import('./hash.ts');
}

describe.each([
  ['with node:crypto', async () => native],
  ['without node:crypto', withoutNodeCrypto],
] as const)('hashes %s', (_, load) => {
  test('give the digest of "abc" that FIPS 180-4 gives', async () => {
    const { sha256 } = await load();
    const wanted = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(toHex(sha256(text.encode('abc')))).toBe(wanted);
    expect(toHex(sha256(text.encode('a'), new Uint8Array(), text.encode('bc')))).toBe(wanted);
    expect(toHex(sha256())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  test('give the HMAC of RFC 4231, case 2', async () => {
    const { hmacSha256 } = await load();
    expect(toHex(hmacSha256(text.encode('Jefe'), text.encode('what do ya want for nothing?')))).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });

  test('give the HMAC of RFC 2202, case 1', async () => {
    const { hmacSha1 } = await load();
    expect(toHex(hmacSha1(new Uint8Array(20).fill(0x0b), text.encode('Hi There')))).toBe(
      'b617318655057264e28bc0b6fb378c8ef146be00',
    );
  });

  test('agree with @noble/hashes on anything', async () => {
    const { hmacSha1, hmacSha256, sha256, sha256Hasher, sha256Into } = await load();
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const joined = Uint8Array.from([...a, ...b]);
        const wanted = nobleSha256(joined);
        expect(sha256(a, b)).toEqual(wanted);
        const hasher = sha256Hasher();
        hasher.update(a);
        hasher.update(b);
        expect(hasher.digest()).toEqual(wanted);
        const target = new Uint8Array(40).fill(0xee);
        sha256Into(joined, target, 5);
        expect(target).toEqual(Uint8Array.from([...new Array(5).fill(0xee), ...wanted, 0xee, 0xee, 0xee]));
        expect(hmacSha256(a, b)).toEqual(nobleHmac(nobleSha256, a, b));
        expect(hmacSha1(a, b)).toEqual(nobleHmac(sha1, a, b));
      }),
    );
  });

  test('may write over their own input', async () => {
    const { sha256Into } = await load();
    const node = new Uint8Array(65).map((_, i) => i);
    const wanted = nobleSha256(node);
    sha256Into(node, node, 1);
    expect(node.subarray(1, 33)).toEqual(wanted);
  });

  test('give bytes, not a Buffer, whose methods differ', async () => {
    const { hmacSha1, hmacSha256, sha256, sha256Hasher } = await load();
    const empty = new Uint8Array();
    for (const digest of [sha256(), sha256Hasher().digest(), hmacSha256(empty, empty), hmacSha1(empty, empty)])
      expect(Object.getPrototypeOf(digest)).toBe(Uint8Array.prototype);
  });
});

describe('equalBytes', () => {
  test('is true for the same bytes only', () => {
    fc.assert(
      fc.property(bytes, bytes, fc.nat(), (a, b, at) => {
        expect(native.equalBytes(a, a.slice())).toBe(true);
        expect(native.equalBytes(a, b)).toBe(toHex(a) === toHex(b));
        if (a.length === 0) return;
        const other = a.slice();
        other[at % a.length] = (other[at % a.length] ?? 0) ^ 1;
        expect(native.equalBytes(a, other)).toBe(false);
        expect(native.equalBytes(a, a.subarray(1))).toBe(false);
      }),
    );
    expect(native.equalBytes(fromHex('00'), new Uint8Array())).toBe(false);
  });
});
