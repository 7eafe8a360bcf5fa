import { fromHex, isMedzenError, sha256, toHex } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leafHash, nodeHash, treeHash } from './tree-hash.ts';
import { createTreeHasher } from './tree-hasher.ts';

// The tree of the Certificate Transparency reference tests (certificate-transparency-go, testonly): leaf data and roots of sizes 0 to 8.
const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** RFC 6962 §2.1 as it is written, split by split. */
function naiveRoot(hashes: readonly Uint8Array[]): Uint8Array {
  const [first] = hashes;
  if (first === undefined) return sha256();
  if (hashes.length === 1) return first;
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return sha256(Uint8Array.of(1), naiveRoot(hashes.slice(0, k)), naiveRoot(hashes.slice(k)));
}

describe('treeHash', () => {
  it('gives the published roots of the Certificate Transparency test tree, at every size', () => {
    const hashes = leaves.map((hex) => leafHash(fromHex(hex)));
    const found = roots.map((_, size) => toHex(treeHash(hashes.slice(0, size))));
    expect(found).toEqual(roots);
  });

  it('gives the root that RFC 6962 describes, at every size around the width of a tile and its square', () => {
    const hashes = Array.from({ length: 1030 }, (_, i) => leafHash(Uint8Array.of(i >> 8, i & 255)));
    for (let size = 0; size <= hashes.length; size += size < 20 || size % 256 < 3 || size % 256 > 253 ? 1 : 13)
      expect(toHex(treeHash(hashes.slice(0, size)))).toBe(toHex(naiveRoot(hashes.slice(0, size))));
    const many = Array.from({ length: 65_536 + 257 }, (_, i) => leafHash(Uint8Array.of(i >> 16, i >> 8, i & 255)));
    for (const size of [65_536, 65_793])
      expect(toHex(treeHash(many.slice(0, size)))).toBe(toHex(naiveRoot(many.slice(0, size))));
  });

  it('refuses a hash of another length', () => {
    for (const bad of [new Uint8Array(31), new Uint8Array(33), new Uint8Array()]) {
      expect(() => treeHash([bad])).toThrow(expect.toSatisfy(isMedzenError));
      expect(() => nodeHash(bad, new Uint8Array(32))).toThrow(expect.toSatisfy(isMedzenError));
      expect(() => nodeHash(new Uint8Array(32), bad)).toThrow(expect.toSatisfy(isMedzenError));
    }
  });
});

describe('createTreeHasher', () => {
  it('hashes leaves of any length as leafHash does, the long before the short and the short before the long', () => {
    const hasher = createTreeHasher();
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(300), fc.integer({ min: 4000, max: 9000 })), { maxLength: 6 }),
        (lengths) => {
          for (const length of lengths) {
            const body = new Uint8Array(length).fill(length % 251);
            const target = new Uint8Array(96);
            hasher.leaf(body, target, 32);
            expect(toHex(target.subarray(32, 64))).toBe(toHex(leafHash(body)));
            expect(target[31]).toBe(0);
            expect(target[64]).toBe(0);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('leaves the hashes it folds as they are', () => {
    const hashes = new Uint8Array(32 * 300).map((_, i) => i % 256);
    const before = hashes.slice();
    createTreeHasher().fold(hashes, 300);
    expect(hashes).toEqual(before);
  });
});
