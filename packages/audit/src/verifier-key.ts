import { equalBytes, fromBase64, sha256, toBase64, toHex } from '@medzen/core';
import { isKeyName } from './signed-note.ts';

/** Signature types: plain Ed25519 (C2SP signed-note), which logs sign with, and the timestamped one of witnesses (C2SP tlog-cosignature). */
const types = { ed25519: 0x01, cosignature: 0x04 } as const;
const publicKeyBytes = 32;

/** What a key signs: a log's checkpoints, or cosignatures on the checkpoints of others. */
export type KeyType = keyof typeof types;

/** A key that verifies checkpoints, taken from its text. */
export interface VerifierKey {
  readonly type: KeyType;
  /** The key's name: for a log, its origin. */
  readonly name: string;
  /** 4 bytes that, with the name, say which signature line is this key's. */
  readonly keyId: Uint8Array;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The text it was read from. */
  readonly text: string;
}

/**
 * The first 4 bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).
 *
 * @param typed - the type's byte, then the public key
 * @see C2SP signed-note, “Ed25519 signatures”; C2SP tlog-cosignature, “Format”
 */
function keyIdOf(name: string, typed: Uint8Array): Uint8Array {
  return sha256(new TextEncoder().encode(`${name}\n`), typed).slice(0, 4);
}

/** The text of a verifier key: `<name>+<key id in hex>+<base64(type ‖ public key)>`. */
export function formatVerifierKey(name: string, publicKey: Uint8Array, type: KeyType = 'ed25519'): string {
  const typed = Uint8Array.of(types[type], ...publicKey);
  return `${name}+${toHex(keyIdOf(name, typed))}+${toBase64(typed)}`;
}

/** A key of a kind that is not verified here, such as ML-DSA. What it signs is neither proved nor refuted. */
export interface UnsupportedKey {
  readonly type: 'unsupported';
  /** The signature type's byte. */
  readonly algorithm: number;
  readonly name: string;
  /** The text it was read from. */
  readonly text: string;
}

/**
 * Reads the text of a verifier key of any kind.
 *
 * @param text - anything
 * @returns undefined for what is no verifier key: another form, or an id that does not belong to its name and key
 */
export function readVerifierKey(text: unknown): VerifierKey | UnsupportedKey | undefined {
  if (typeof text !== 'string' || text.length > maxKeyLength) return undefined;
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(text);
  const [, name, id, encoded] = match ?? [];
  if (!isKeyName(name) || id === undefined || encoded === undefined) return undefined;
  const typed = bytesIn(encoded);
  const algorithm = typed?.[0];
  if (typed === undefined || algorithm === undefined) return undefined;
  const type = (['ed25519', 'cosignature'] as const).find((known) => types[known] === algorithm);
  const publicKey = typed.slice(1);
  const keyId = keyIdOf(name, typed);
  if (id !== toHex(keyId)) return undefined; // mistyped
  if (type === undefined) return { type: 'unsupported', algorithm, name, text };
  return publicKey.length === publicKeyBytes ? { type, name, keyId, publicKey, text } : undefined;
}

/**
 * Reads a verifier key.
 *
 * @param text - anything
 * @returns undefined when it is not the text of an Ed25519 key of a log or a witness, or its id does not belong to its name and key
 */
export function parseVerifierKey(text: unknown): VerifierKey | undefined {
  const key = readVerifierKey(text);
  return key?.type === 'unsupported' ? undefined : key;
}

/** Those of the keys whose kind is not supported, each once. */
export function unsupportedAmong(texts: readonly string[]): readonly UnsupportedKey[] {
  const found = new Map<string, UnsupportedKey>();
  for (const text of texts) {
    const key = readVerifierKey(text);
    if (key?.type === 'unsupported') found.set(text, key);
  }
  return [...found.values()];
}

/** Room for post-quantum keys of 5 kB. */
const maxKeyLength = 8192;

function bytesIn(encoded: string): Uint8Array | undefined {
  try {
    return fromBase64(encoded);
  } catch {
    return undefined; // the one thing it throws for: not canonical base64
  }
}

/** Whether a signature line claims to be of this key. */
export function isOfKey(line: { readonly name: string; readonly keyId: Uint8Array }, key: VerifierKey): boolean {
  return line.name === key.name && equalBytes(line.keyId, key.keyId);
}
