import { MedzenError, sha256, toHex } from '@medzen/core';

// How a version of a key becomes names that Storage takes. It has no versions, and of characters only some
// (https://supabase.com/docs/guides/storage): so each version is an object of its own, called `<key>.<version>`, and beside it lies
// `<key>.<version>.<SHA-256>`, written last: the version is there when that one is.
//
// Of the key, a–z, 0–9 and - stay; a slash stays unless it begins the key or follows another; every other byte becomes = and two
// hexadecimal digits. So a prefix of a key is a prefix of its name, no dot of a key is taken for ours, capitals and wildcards of SQL
// mean nothing, and nothing is left that a URL would shorten. Keys whose names would be too long end in ! and their digest.

/** The digest makes a name that is cut unmistakable. */
const longest = 565;
const cut = 500;

/** The name of a key; of a prefix, what the names of all its keys begin with. */
function escaped(key: string): string {
  let name = '';
  let slashMayStay = false;
  for (const byte of new TextEncoder().encode(key)) {
    const char = String.fromCharCode(byte);
    const stays = /[a-z0-9-]/.test(char) || (char === '/' && slashMayStay);
    name += stays ? char : `=${byte.toString(16).padStart(2, '0')}`;
    slashMayStay = char !== '/';
  }
  return name;
}

/** What all names of a key's versions begin with. */
export function baseOf(key: string): string {
  const name = escaped(key);
  return name.length <= longest ? name : `${name.slice(0, cut)}!${toHex(sha256(new TextEncoder().encode(key)))}`;
}

/** What the names of all keys with a prefix begin with. Others may begin so too, if the prefix is long. */
export function searchOf(prefix: string): string {
  return escaped(prefix).slice(0, cut);
}

/** A version: its place among those of its key, newest first, and a random part; then, after a dot, the digest. */
export interface VersionName {
  readonly base: string;
  readonly version: string;
  /** Hexadecimal; absent in the name of the bytes themselves. */
  readonly digest: string | undefined;
}

/** @returns undefined for what is none of ours */
export function readName(name: string): VersionName | undefined {
  const [, base, version, digest] = /^([^.]+)\.(\d{9}-[0-9a-f]{16})(?:\.([0-9a-f]{64}))?$/.exec(name) ?? [];
  return base === undefined || version === undefined ? undefined : { base, version, digest };
}

/** The two names of a version; undefined when its id is none that this store gives. */
export function namesOf(
  key: string,
  versionId: string,
): { readonly bytes: string; readonly mark: string; readonly sha256: string } | undefined {
  const [, version, sha256] = /^(\d{9}-[0-9a-f]{16})\.([0-9a-f]{64})$/.exec(versionId) ?? [];
  if (version === undefined || sha256 === undefined) return undefined;
  const bytes = `${baseOf(key)}.${version}`;
  return { bytes, mark: `${bytes}.${sha256}`, sha256 };
}

/** The key of a base; undefined when it was cut, and the key stands in the mark. */
export function keyOf(base: string): string | undefined {
  if (base.includes('!')) return undefined;
  const bytes: number[] = [];
  for (const [, hex, char = ''] of base.matchAll(/=([0-9a-f]{2})|(.)/g))
    bytes.push(hex === undefined ? char.charCodeAt(0) : Number.parseInt(hex, 16));
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}

const last = 999_999_999;

/** The version that comes after another, before it in order: a listing shows the newest first. */
export function versionAfter(newest: string | undefined, random: Uint8Array): string {
  const place = newest === undefined ? last : Number(newest.slice(0, 9)) - 1;
  if (place < 0) throw new MedzenError('internal', 'The key has reached its maximum number of versions (999,999,999)');
  return `${String(place).padStart(9, '0')}-${toHex(random)}`;
}

/**
 * Checks a key: 1–1024 bytes of UTF-8.
 *
 * @throws MedzenError `invalid_input`
 */
export function checkKey(key: string): void {
  const size = new TextEncoder().encode(key).length;
  if (size < 1 || size > 1024 || !key.isWellFormed())
    throw new MedzenError('invalid_input', 'An object key has 1 to 1024 bytes of UTF-8');
}
