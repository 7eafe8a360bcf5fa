import {
  type Clock,
  canonicalize,
  equalBytes,
  fromHex,
  hmacSha256,
  MedzenError,
  type PresignedUrl,
  type PresignOptions,
  toHex,
} from '@medzen/core';
import { checkKey, isHeaderText } from './check-object.ts';

/** What a link allows: one version, under one type and name, until an instant. */
interface LinkGrant {
  readonly key: string;
  readonly versionId: string;
  /** Seconds since 1970. */
  readonly expires: number;
  readonly contentDisposition?: string;
  readonly contentType?: string;
}

/** Signs and reads links. */
export interface SignedLinks {
  /** @throws MedzenError `invalid_input` */
  sign(key: string, options: PresignOptions): PresignedUrl;
  /** Reads what a URL allows now. Undefined when it is of another store, was altered, or has expired. */
  read(url: URL): LinkGrant | undefined;
}

/** How links are made. */
export interface SignedLinksOptions {
  /** Signing secret: 32 random bytes or an equally strong string. Anyone who has it can make links. */
  readonly secret: string | Uint8Array;
  readonly clock: Clock;
  /** Where the handler is mounted. */
  readonly baseUrl: string;
}

const encoder: TextEncoder = new TextEncoder();
const names: readonly string[] = ['version', 'expires', 'disposition', 'type', 'signature'];

function toBase64Url(text: string): string {
  const binary = String.fromCharCode(...encoder.encode(text));
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function fromBase64Url(text: string): string | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    const key = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return toBase64Url(key) === text ? key : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Links as S3 has them, for stores that serve themselves: HMAC-SHA-256 over method, key, version, expiry and the response
 * headers, compared in constant time. The key travels as base64url, so that no client rewrites dots or slashes in it.
 *
 * @throws MedzenError `invalid_configuration` for an empty secret, or a base that is not a URL
 */
export function createSignedLinks(options: SignedLinksOptions): SignedLinks {
  const secret = typeof options.secret === 'string' ? encoder.encode(options.secret) : options.secret.slice();
  if (secret.length === 0) throw new MedzenError('invalid_configuration', 'The secret for links is empty');
  if (!URL.canParse(options.baseUrl)) throw new MedzenError('invalid_configuration', 'The base of links is not a URL');
  const base = options.baseUrl.replace(/\/+$/, '');
  const mount = `${new URL(base).pathname.replace(/\/$/, '')}/`;

  function signature(grant: LinkGrant): Uint8Array {
    const { key, versionId, expires, contentDisposition = null, contentType = null } = grant;
    const text = canonicalize(['GET', key, versionId, expires, contentDisposition, contentType]);
    return hmacSha256(secret, encoder.encode(text));
  }

  return {
    sign: (key, { versionId, expiresInSeconds, contentDisposition, contentType }) => {
      checkKey(key);
      if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > 604_800) {
        throw new MedzenError('invalid_input', 'expiresInSeconds must be an integer from 1 to 604800 (7 days)');
      }
      if (versionId === '') throw new MedzenError('invalid_input', 'versionId must not be empty');
      for (const text of [contentDisposition, contentType]) {
        if (text !== undefined && !isHeaderText(text))
          throw new MedzenError(
            'invalid_input',
            'contentDisposition and contentType must be printable ASCII without line breaks',
          );
      }
      const expires = Math.floor(options.clock.now().getTime() / 1000) + expiresInSeconds;
      const grant: LinkGrant = {
        key,
        versionId,
        expires,
        ...(contentDisposition === undefined ? {} : { contentDisposition }),
        ...(contentType === undefined ? {} : { contentType }),
      };
      const query = new URLSearchParams({ version: versionId, expires: String(expires) });
      if (contentDisposition !== undefined) query.set('disposition', contentDisposition);
      if (contentType !== undefined) query.set('type', contentType);
      query.set('signature', toHex(signature(grant)));
      return { url: `${base}/${toBase64Url(key)}?${query}`, expiresAt: new Date(expires * 1000) };
    },
    read: (url) => {
      // a framework that mounts handlers may have taken the mount's path off already
      const from = url.pathname.startsWith(mount) ? mount.length : 1;
      const key = fromBase64Url(url.pathname.slice(from));
      const query = [...url.searchParams];
      const values = Object.fromEntries(query);
      const { version, expires = '', disposition, type, signature: stated = '' } = values;
      const plain = query.length === Object.keys(values).length && query.every(([name]) => names.includes(name));
      if (key === undefined || version === undefined || !plain) return undefined;
      if (!/^[1-9]\d{0,11}$/.test(expires) || !/^[0-9a-f]{64}$/.test(stated)) return undefined;
      const grant: LinkGrant = {
        key,
        versionId: version,
        expires: Number(expires),
        ...(disposition === undefined ? {} : { contentDisposition: disposition }),
        ...(type === undefined ? {} : { contentType: type }),
      };
      if (!equalBytes(signature(grant), fromHex(stated))) return undefined;
      // so put that a clock that tells no time opens nothing
      return options.clock.now().getTime() <= grant.expires * 1000 ? grant : undefined;
    },
  };
}
