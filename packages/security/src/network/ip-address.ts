/** An Internet address. IPv4-mapped IPv6 is folded to IPv4, so that one client is one client. */
export interface IpAddress {
  readonly version: 4 | 6;
  /** 4 or 16. */
  readonly bytes: readonly number[];
  /** Canonical (RFC 5952 for IPv6), without a zone. */
  readonly text: string;
}

/**
 * Reads an address as text, strictly: four decimal parts without leading zeros, or RFC 4291 text.
 *
 * @param text - no brackets, no port; a zone (`%eth0`) is dropped
 * @returns undefined for anything else
 */
export function parseIp(text: string): IpAddress | undefined {
  if (text.length > 64) return undefined;
  const bare = text.split('%', 1)[0] ?? '';
  if (!bare.includes(':')) {
    const bytes = parseV4(bare);
    return bytes === undefined ? undefined : { version: 4, bytes, text: bytes.join('.') };
  }
  const bytes = parseV6(bare);
  if (bytes === undefined) return undefined;
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (mapped) return { version: 4, bytes: bytes.slice(12), text: bytes.slice(12).join('.') };
  return { version: 6, bytes, text: writeV6(bytes) };
}

/** An address as forwarding headers write it: with brackets, with a port, or bare. The unspecified address is nobody's. */
export function parseForwardedIp(item: string): IpAddress | undefined {
  const address = readForwarded(item);
  return address?.bytes.every((byte) => byte === 0) === true ? undefined : address;
}

function readForwarded(item: string): IpAddress | undefined {
  const text = item.trim();
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text);
  if (bracketed !== null) return parseIp(bracketed[1] ?? '');
  const withPort = /^(\d[\d.]*):\d{1,5}$/.exec(text);
  return parseIp(withPort?.[1] ?? text);
}

function parseV4(text: string): readonly number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.map(Number);
}

function parseV6(text: string): readonly number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const gap = 16 - head.length - tail.length;
  if (halves.length === 1 ? gap !== 0 : gap < 2) return undefined;
  return [...head, ...Array.from({ length: gap }, () => 0), ...tail];
}

/** Bytes of colon-separated groups; the last may be dotted decimal where the address ends. */
function groups(text: string, last: boolean): readonly number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes('.')) {
      const v4 = parseV4(part);
      if (v4 === undefined) return undefined;
      bytes.push(...v4);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return undefined;
      const group = Number.parseInt(part, 16);
      bytes.push(group >> 8, group & 255);
    }
  }
  return bytes;
}

function writeV6(bytes: readonly number[]): string {
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && words[i + run] === 0) run++;
    if (run > length) [start, length] = [i, run];
  }
  const hex = (part: readonly number[]): string => part.map((word) => word.toString(16)).join(':');
  return start < 0 ? hex(words) : `${hex(words.slice(0, start))}::${hex(words.slice(start + length))}`;
}

/** A CIDR range, or a single address. */
export interface IpRange {
  contains(address: IpAddress): boolean;
}

/** @returns undefined when the text is no range */
export function parseRange(text: string): IpRange | undefined {
  const [base = '', bits, ...rest] = text.split('/');
  const address = parseIp(base);
  if (address === undefined || rest.length > 0 || base.includes('%')) return undefined;
  const size = address.bytes.length * 8;
  const length = bits === undefined ? size : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  // A prefix written for the IPv4-mapped form would count from the wrong end.
  if (length < 0 || length > size || (address.version === 4 && base.includes(':'))) return undefined;
  return {
    contains: (other) => other.version === address.version && samePrefix(other.bytes, address.bytes, length),
  };
}

function samePrefix(a: readonly number[], b: readonly number[], bits: number): boolean {
  for (let i = 0; i < a.length && i * 8 < bits; i++) {
    const mask = bits - i * 8 >= 8 ? 255 : 255 & ~(255 >> (bits - i * 8));
    if (((a[i] ?? 0) & mask) !== ((b[i] ?? 0) & mask)) return false;
  }
  return true;
}

/**
 * What counts as one client: an IPv4 address, or the network of an IPv6 address, because a subscriber has a whole one.
 *
 * @param bits - of IPv6, a multiple of 8
 */
export function clientKey(address: IpAddress, bits: 56 | 64): string {
  if (address.version === 4) return address.text;
  const kept = address.bytes.map((byte, i) => (i * 8 < bits ? byte : 0));
  return `${writeV6(kept)}/${bits}`;
}
