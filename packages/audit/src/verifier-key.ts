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

/**
 * Reads a verifier key.
 *
 * @param text - anything
 * @returns undefined when it is not the text of an Ed25519 key of a log or a witness, or its id does not belong to its name and key
 */
export function parseVerifierKey(text: unknown): VerifierKey | undefined {
  if (typeof text !== 'string' || text.length > 2048) return undefined;
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/u.exec(text);
  const [, name, id, encoded] = match ?? [];
  if (!isKeyName(name) || id === undefined || encoded === undefined) return undefined;
  const typed = fromBase64(encoded); // 44 characters without padding are always 33 bytes
  const publicKey = typed.slice(1);
  const type = (['ed25519', 'cosignature'] as const).find((known) => types[known] === typed[0]);
  if (type === undefined || publicKey.length !== publicKeyBytes) return undefined;
  const keyId = keyIdOf(name, typed);
  return id === toHex(keyId) ? { type, name, keyId, publicKey, text } : undefined;
}

/** Whether a signature line claims to be of this key. */
export function isOfKey(line: { readonly name: string; readonly keyId: Uint8Array }, key: VerifierKey): boolean {
  return line.name === key.name && equalBytes(line.keyId, key.keyId);
}
