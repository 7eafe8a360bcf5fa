import { parseJson } from '../body/parse-json.ts';
import type { AuthFailure, Claims } from './auth.ts';

/** A token taken apart; nothing of it is verified yet. */
export interface CompactToken {
  readonly token: string;
  readonly header: Claims;
  readonly claims: Claims;
}

/** Longer tokens are refused before anything is decoded. */
const maxTokenLength = 8192;

const bounds = { maxDepth: 16, maxKeys: 512 };

/**
 * Reads the compact serialisation of a signed JWT, strictly: three non-empty parts of canonical base64url (whose unused
 * bits are zero, so that a token has one spelling), each of the first two a JSON object without repeated keys.
 *
 * @see RFC 7515 §7.1, RFC 4648 §3.5
 */
export function readCompactToken(token: string): CompactToken | AuthFailure {
  if (token.length > maxTokenLength) return 'too_large';
  const parts = token.split('.');
  if (parts.length !== 3 || !parts.every(isCanonicalBase64Url)) return 'malformed';
  const header = objectOf(parts[0] ?? '');
  const claims = objectOf(parts[1] ?? '');
  return header === undefined || claims === undefined ? 'malformed' : { token, header, claims };
}

const lastOfTwo = /[AQgw]$/;
const lastOfThree = /[AEIMQUYcgkosw048]$/;

function isCanonicalBase64Url(part: string): boolean {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return false;
  const rest = part.length % 4;
  return rest === 0 || (rest === 2 && lastOfTwo.test(part)) || (rest === 3 && lastOfThree.test(part));
}

function objectOf(part: string): Claims | undefined {
  try {
    const binary = atob(part.replaceAll('-', '+').replaceAll('_', '/'));
    const value = parseJson(
      Uint8Array.from(binary, (c) => c.charCodeAt(0)),
      bounds,
    );
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined; // an object of JSON
  } catch {
    return undefined;
  }
}

/**
 * The token of a request.
 *
 * @param name - lower case; `authorization` demands the scheme
 * @returns undefined when the header is absent
 */
export function tokenOf(headers: Headers, name: string): string | undefined {
  const value = headers.get(name);
  if (value === null) return undefined;
  const bearer = /^bearer +(.*)$/i.exec(value);
  if (bearer !== null) return bearer[1] ?? '';
  return name === 'authorization' ? undefined : value;
}
