import { fromBase64, toBase64 } from '@medzen/core';
import { readHashLines } from './hash-lines.ts';

/** A C2SP tlog-proof taken apart; nothing in it is verified yet. */
export interface TlogProof {
  /** Opaque to the format; ours is the entry itself. */
  readonly extra?: Uint8Array;
  /** Of the entry, 0 to 2⁵³ − 1. */
  readonly index: number;
  /** Sibling hashes, lowest first, each 32 bytes. */
  readonly proof: readonly Uint8Array[];
  /** As the log signed it. */
  readonly checkpoint: string;
}

const title = 'c2sp.org/tlog-proof@v1';
/** Longest text that is looked at, in UTF-16 units: an entry of 65 535 bytes, a proof, and the longest checkpoint. */
const maxLength = 262_144;
const maxHashes = 63;

/** Writes a proof. @see C2SP tlog-proof, “Format” */
export function formatTlogProof({ extra, index, proof, checkpoint }: TlogProof): string {
  const lines = [
    title,
    ...(extra === undefined ? [] : [`extra ${toBase64(extra)}`]),
    `index ${index}`,
    ...proof.map(toBase64),
  ];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

/** Reads one; undefined when it is none. @param text - of a stranger */
export function parseTlogProof(text: unknown): TlogProof | undefined {
  if (typeof text !== 'string' || text.length > maxLength) return undefined;
  const split = text.indexOf('\n\n');
  if (split < 0) return undefined;
  const [first, ...rest] = text.slice(0, split).split('\n');
  if (first !== title) return undefined;
  const extra = rest[0]?.startsWith('extra ') ? decoded(rest.shift()?.slice('extra '.length) ?? '') : null;
  const [index, ...hashes] = rest;
  const digits = /^index (0|[1-9][0-9]{0,15})$/.exec(index ?? '')?.[1];
  const proof = hashes.length <= maxHashes ? readHashLines(hashes) : undefined;
  if (extra === undefined || digits === undefined || proof === undefined || !Number.isSafeInteger(Number(digits)))
    return undefined;
  const checkpoint = text.slice(split + 2);
  return { ...(extra !== null && { extra }), index: Number(digits), proof, checkpoint };
}

function decoded(text: string): Uint8Array | undefined {
  try {
    return fromBase64(text);
  } catch {
    return undefined; // not canonical base64
  }
}
