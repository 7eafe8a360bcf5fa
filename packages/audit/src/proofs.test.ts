import { fromHex, isMedzenError, sha256, toHex } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConsistencyClaim, consistencyProof, verifyConsistency } from './consistency-proof.ts';
import { type InclusionClaim, inclusionProof, verifyInclusion } from './inclusion-proof.ts';
import { leafHash, treeHash } from './tree-hash.ts';

const ctLeaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const ctHashes = ctLeaves.map((hex) => leafHash(fromHex(hex)));
// Published with the Certificate Transparency test tree; index from 0.
const ctInclusion = [
  [
    0,
    8,
    '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  ],
  [
    5,
    8,
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  ],
  [2, 3, 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
  [
    1,
    5,
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
  ],
] as const;
const ctConsistency = [
  [1, 1],
  [
    1,
    8,
    '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  ],
  [
    6,
    8,
    '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  ],
  [
    2,
    5,
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
  ],
] as const;

// An independent statement of the proofs: RFC 9162 §2.1.3.1 and §2.1.4.1 as they are written, by recursion.
const node = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256(Uint8Array.of(1), left, right);
const split = (n: number): number => 2 ** (Math.ceil(Math.log2(n)) - 1);
function memo(hashes: readonly Uint8Array[]): (from: number, to: number) => Uint8Array {
  const known = new Map<string, Uint8Array>();
  const root = (from: number, to: number): Uint8Array => {
    const key = `${from}-${to}`;
    const k = from + split(to - from);
    const found = known.get(key) ?? (to - from === 1 ? (hashes[from] ?? sha256()) : node(root(from, k), root(k, to)));
    known.set(key, found);
    return found;
  };
  return root;
}
type Root = ReturnType<typeof memo>;
function path(root: Root, m: number, from: number, to: number): Uint8Array[] {
  if (to - from === 1) return [];
  const k = from + split(to - from);
  return m < k ? [...path(root, m, from, k), root(k, to)] : [...path(root, m, k, to), root(from, k)];
}
function subproof(root: Root, m: number, from: number, to: number, whole: boolean): Uint8Array[] {
  if (m === to) return whole ? [] : [root(from, to)];
  const k = from + split(to - from);
  return m <= k
    ? [...subproof(root, m, from, k, whole), root(k, to)]
    : [...subproof(root, m, k, to, false), root(from, k)];
}

const leafHashes = Array.from({ length: 300 }, (_, i) => leafHash(Uint8Array.of(i >> 8, i & 255)));
const at = (i: number): Uint8Array => leafHashes[i] ?? sha256();
const hexes = (proof: readonly Uint8Array[]): string[] => proof.map(toHex);
const rootOf = memo(leafHashes);

function flipped(hash: Uint8Array, bit: number): Uint8Array {
  const copy = hash.slice();
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

describe('inclusion proofs', () => {
  it('are the published ones of the Certificate Transparency test tree', () => {
    for (const [index, size, ...expected] of ctInclusion) {
      const proof = inclusionProof({ leafHashes: ctHashes, index, size });
      expect(hexes(proof)).toEqual(expected);
      const root = treeHash(ctHashes.slice(0, size));
      expect(verifyInclusion({ leafHash: ctHashes[index] ?? sha256(), index, size, proof, root })).toBe(true);
    }
  });

  it('equal the recursive definition and verify, for every leaf of every size up to 130 and of sizes around a tile', () => {
    for (const size of [...Array(130).keys(), 254, 255, 256, 257, 299].map((n) => n + 1)) {
      const root = rootOf(0, size);
      for (let index = 0; index < size; index += size > 130 ? 7 : 1) {
        const proof = path(rootOf, index, 0, size);
        expect(verifyInclusion({ leafHash: at(index), index, size, proof, root })).toBe(true);
        if (size < 70 || index % 5 === 0)
          expect(hexes(inclusionProof({ leafHashes, index, size }))).toEqual(hexes(proof));
      }
    }
  });

  it('are refused with one bit changed anywhere, at another index or size, and a hash short or long', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(255), fc.nat(), (size, pick, bit, which) => {
        const index = pick % size;
        const proof = path(rootOf, index, 0, size);
        const good: InclusionClaim = { leafHash: at(index), index, size, proof, root: rootOf(0, size) };
        expect(verifyInclusion(good)).toBe(true);
        const spot = which % proof.length;
        const bad: InclusionClaim[] = [
          { ...good, leafHash: flipped(good.leafHash, bit) },
          { ...good, root: flipped(good.root, bit) },
          { ...good, proof: proof.map((hash, i) => (i === spot ? flipped(hash, bit) : hash)) },
          { ...good, proof: proof.slice(1) },
          { ...good, proof: proof.slice(0, -1) },
          { ...good, proof: [...proof, at(0)] },
          { ...good, proof: [at(0), ...proof] },
          { ...good, index: (index + 1) % size },
          { ...good, index: size },
          { ...good, size: index },
        ];
        expect(bad.map(verifyInclusion)).toEqual(bad.map(() => false));
      }),
    );
  });

  it('are refused when their hashes lead to the root of a tree of another size', () => {
    const [a, b, c] = [at(0), at(1), at(2)];
    // Too few for the size: an inner node passed off as the root's child. Too many: a root passed off as a leaf.
    expect(verifyInclusion({ leafHash: a, index: 0, size: 4, proof: [], root: a })).toBe(false);
    expect(verifyInclusion({ leafHash: a, index: 0, size: 4, proof: [b], root: node(a, b) })).toBe(false);
    expect(verifyInclusion({ leafHash: b, index: 0, size: 1, proof: [a], root: node(a, b) })).toBe(false);
    expect(verifyInclusion({ leafHash: b, index: 1, size: 2, proof: [a, c], root: node(c, node(a, b)) })).toBe(false);
    expect(verifyInclusion({ leafHash: b, index: 1, size: 2, proof: [a, c], root: node(node(a, b), c) })).toBe(false);
  });

  it('hold in trees far past 32 bits', () => {
    // A tree of 2^52 + 1 leaves whose last leaf has one sibling: the root of all the others.
    const left = sha256(Uint8Array.of(9));
    const leaf = at(1);
    const size = 2 ** 52 + 1;
    const claim = { leafHash: leaf, index: 2 ** 52, size, proof: [left], root: node(left, leaf) };
    expect(verifyInclusion(claim)).toBe(true);
    expect(verifyInclusion({ ...claim, index: 0 })).toBe(false);
    expect(verifyInclusion({ ...claim, size: size + 2 ** 32 })).toBe(false);
    // And the first leaf of 2^52: 52 siblings.
    const siblings = Array.from({ length: 52 }, (_, i) => at(i));
    const root = siblings.reduce((hash, sibling) => node(hash, sibling), leaf);
    expect(verifyInclusion({ leafHash: leaf, index: 0, size: 2 ** 52, proof: siblings, root })).toBe(true);
    expect(verifyInclusion({ leafHash: leaf, index: 2 ** 32, size: 2 ** 52, proof: siblings, root })).toBe(false);
  });

  it('are not made for a leaf that is not there', () => {
    for (const [index, size] of [
      [3, 3],
      [-1, 3],
      [0, 0],
      [0, 301],
      [0.5, 3],
      [Number.NaN, 3],
    ] as const)
      expect(() => inclusionProof({ leafHashes, index, size })).toThrow(expect.toSatisfy(isMedzenError));
  });
});

describe('consistency proofs', () => {
  it('are the published ones of the Certificate Transparency test tree', () => {
    for (const [size1, size2, ...expected] of ctConsistency) {
      const proof = consistencyProof({ leafHashes: ctHashes, size1, size2 });
      expect(hexes(proof)).toEqual(expected);
      const [root1, root2] = [treeHash(ctHashes.slice(0, size1)), treeHash(ctHashes.slice(0, size2))];
      expect(verifyConsistency({ size1, size2, root1, root2, proof })).toBe(true);
    }
  });

  it('equal the recursive definition and verify, for every pair of sizes up to 70 and of sizes around a tile', () => {
    const sizes = [...Array.from({ length: 70 }, (_, i) => i + 1), 127, 128, 129, 255, 256, 257, 300];
    for (const size1 of sizes)
      for (const size2 of sizes.filter((n) => n >= size1)) {
        const proof = subproof(rootOf, size1, 0, size2, true);
        const claim = { size1, size2, root1: rootOf(0, size1), root2: rootOf(0, size2), proof };
        expect(verifyConsistency(claim)).toBe(true);
        if ((size1 + size2) % 3 === 0)
          expect(hexes(consistencyProof({ leafHashes, size1, size2 }))).toEqual(hexes(proof));
      }
  });

  it('are refused with one bit changed anywhere, at other sizes, and a hash short or long', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(255), fc.nat(), (size2, pick, bit, which) => {
        const size1 = 1 + (pick % (size2 - 1));
        const proof = subproof(rootOf, size1, 0, size2, true);
        const good: ConsistencyClaim = { size1, size2, root1: rootOf(0, size1), root2: rootOf(0, size2), proof };
        expect(verifyConsistency(good)).toBe(true);
        const spot = which % proof.length;
        const bad: ConsistencyClaim[] = [
          { ...good, root1: flipped(good.root1, bit) },
          { ...good, root2: flipped(good.root2, bit) },
          { ...good, proof: proof.map((hash, i) => (i === spot ? flipped(hash, bit) : hash)) },
          { ...good, proof: proof.slice(1) },
          { ...good, proof: proof.slice(0, -1) },
          { ...good, proof: [...proof, at(0)] },
          { ...good, proof: [] },
          { ...good, size1: 0 },
          { ...good, size1: 0, proof: [] },
          { ...good, size1: size2 },
          { ...good, size1: size2, size2: size1 },
          { ...good, size2: size1 },
        ];
        expect(bad.map(verifyConsistency)).toEqual(bad.map(() => false));
      }),
    );
  });

  it('are refused when their hashes lead to the root of a tree of another size', () => {
    const [a, b, c] = [at(0), at(1), at(2)];
    expect(verifyConsistency({ size1: 1, size2: 4, root1: a, root2: node(a, b), proof: [b] })).toBe(false);
    expect(verifyConsistency({ size1: 1, size2: 2, root1: a, root2: node(node(a, b), c), proof: [b, c] })).toBe(false);
    const [d, x] = [at(3), at(4)];
    const claim = {
      size1: 3,
      size2: 4,
      root1: node(node(a, b), c),
      root2: node(node(a, b), node(c, d)),
      proof: [c, d, node(a, b)],
    };
    expect(verifyConsistency(claim)).toBe(true);
    const above = { root1: node(x, claim.root1), root2: node(x, claim.root2), proof: [...claim.proof, x] };
    expect(verifyConsistency({ ...claim, ...above })).toBe(false);
  });

  it('between equal sizes need equal roots and no hash', () => {
    const equal = { size1: 5, size2: 5, root1: rootOf(0, 5), root2: rootOf(0, 5), proof: [] };
    expect(verifyConsistency(equal)).toBe(true);
    expect(verifyConsistency({ ...equal, root2: rootOf(0, 6) })).toBe(false);
    expect(verifyConsistency({ ...equal, proof: [at(0)] })).toBe(false);
  });

  it('hold in trees far past 32 bits', () => {
    const [root1, right] = [at(2), at(3)];
    const claim = { size1: 2 ** 52, size2: 2 ** 52 + 1, root1, root2: node(root1, right), proof: [right] };
    expect(verifyConsistency(claim)).toBe(true);
    expect(verifyConsistency({ ...claim, size1: 2 ** 32 })).toBe(false);
    expect(verifyConsistency({ ...claim, size1: 2 ** 52 - 1 })).toBe(false);
  });

  it('are not made from an empty tree, nor backwards', () => {
    for (const [size1, size2] of [
      [0, 3],
      [4, 3],
      [1, 301],
      [1.5, 3],
      [Number.NaN, 3],
    ] as const)
      expect(() => consistencyProof({ leafHashes, size1, size2 })).toThrow(expect.toSatisfy(isMedzenError));
  });
});

describe('verifying what anybody may have sent', () => {
  const hostileNumbers = [
    Number.NaN,
    -1,
    -0.5,
    0.5,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    2 ** 53 + 2,
    1e300,
    '1',
    1n,
    null,
    undefined,
    {},
    [],
    [1],
    true,
    Symbol('1'),
  ];
  const hostileHashes = [
    undefined,
    null,
    'a'.repeat(32),
    new Uint8Array(31),
    new Uint8Array(33),
    new Uint16Array(16),
    new DataView(new ArrayBuffer(32)),
    new ArrayBuffer(32),
    Array(32).fill(0),
    { length: 32, byteLength: 32 },
    Object.create(Uint8Array.prototype),
    new Proxy(new Uint8Array(32), {}),
  ];
  const throwing = new Proxy(
    {},
    {
      get: () => {
        throw new Error('no');
      },
    },
  );
  const endless = Object.assign([at(0)], {
    *[Symbol.iterator]() {
      for (;;) yield at(0);
    },
  });
  const hostileProofs = [
    undefined,
    null,
    'proof',
    new Uint8Array(64),
    new Array(3),
    [undefined],
    [[]],
    { 0: at(0), length: 1 },
    new Set([at(0)]),
    throwing,
    new Array(4_000_000_000),
    endless,
    ...hostileHashes.map((hash) => [hash]),
  ];
  const inclusion: Record<string, unknown> = {
    leafHash: at(0),
    index: 0,
    size: 2,
    proof: [at(1)],
    root: rootOf(0, 2),
  };
  const consistency: Record<string, unknown> = {
    size1: 1,
    size2: 2,
    root1: at(0),
    root2: rootOf(0, 2),
    proof: [at(1)],
  };
  const asks = {
    inclusion: (claim: unknown): unknown => verifyInclusion(claim as InclusionClaim), // hostile on purpose
    consistency: (claim: unknown): unknown => verifyConsistency(claim as ConsistencyClaim), // hostile on purpose
  };

  it('answers false to a member of a wrong kind, and does not throw', () => {
    expect(asks.inclusion(inclusion)).toBe(true);
    expect(asks.consistency(consistency)).toBe(true);
    const refused = (
      ask: (claim: unknown) => unknown,
      good: object,
      member: string,
      values: readonly unknown[],
    ): void => {
      for (const value of values) expect(ask({ ...good, [member]: value }), `${member}: ${typeof value}`).toBe(false);
    };
    for (const member of ['index', 'size'])
      refused(asks.inclusion, inclusion, member, member === 'index' ? hostileNumbers : [...hostileNumbers, 0]);
    for (const member of ['leafHash', 'root']) refused(asks.inclusion, inclusion, member, hostileHashes);
    refused(asks.inclusion, inclusion, 'proof', hostileProofs);
    for (const member of ['size1', 'size2']) refused(asks.consistency, consistency, member, [...hostileNumbers, 0]);
    for (const member of ['root1', 'root2']) refused(asks.consistency, consistency, member, hostileHashes);
    refused(asks.consistency, consistency, 'proof', hostileProofs);
  });

  it('answers false to what is no claim at all', () => {
    for (const claim of [undefined, null, 0, 'x', [], () => {}, throwing, {}]) {
      expect(asks.inclusion(claim)).toBe(false);
      expect(asks.consistency(claim)).toBe(false);
    }
  });

  it('answers with a boolean whatever the claim', () => {
    const anything = fc.oneof(
      fc.anything(),
      fc.uint8Array({ minLength: 30, maxLength: 34 }),
      fc.nat(9),
      fc.constantFrom(...hostileNumbers),
    );
    fc.assert(
      fc.property(fc.array(anything, { minLength: 5, maxLength: 5 }), fc.array(anything), (members, proof) => {
        const [a, b, c, d] = members;
        expect(typeof asks.inclusion({ leafHash: a, index: b, size: c, root: d, proof })).toBe('boolean');
        expect(typeof asks.consistency({ size1: a, size2: b, root1: c, root2: d, proof })).toBe('boolean');
      }),
    );
  });
});
