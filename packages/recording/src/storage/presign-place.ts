import { MedzenError } from '@medzen/core';

/** URL of a bucket up to the key. */
export interface BucketPlace {
  /** `https://bucket.s3.eu-west-1.amazonaws.com` */
  readonly origin: string;
  /** As it stands in the `Host` header: without the scheme's own port. */
  readonly host: string;
  /** `/`, or `/bucket/` in path style. */
  readonly path: string;
}

const bucketPattern = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const addressPattern = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const regionPattern = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const plainKey = /^[A-Za-z0-9\-._~/]+$/;
const reserved = /[!'()*]/g;

/**
 * Percent-encodes by RFC 3986, as SigV4 wants it: only letters, digits, `-`, `.`, `_` and `~` stay.
 *
 * @throws MedzenError `invalid_input` when the text is no Unicode (a lone surrogate)
 */
export function percentEncode(text: string): string {
  try {
    return encodeURIComponent(text).replace(reserved, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  } catch (cause) {
    throw new MedzenError('invalid_input', 'A text is not well-formed Unicode', { cause });
  }
}

/**
 * Encodes a key as the path of a URL.
 *
 * @throws MedzenError `invalid_input` when it is empty, over 1024 bytes of UTF-8, or no Unicode
 */
export function encodeKey(key: string): string {
  // most keys are ids and slashes: one look, no encoding
  if (key.length <= 1024 && plainKey.test(key)) return key;
  if (key.length === 0) throw new MedzenError('invalid_input', 'An object key is empty');
  if (key.length > 1024 || new TextEncoder().encode(key).length > 1024) {
    throw new MedzenError('invalid_input', 'An object key has more than 1024 bytes');
  }
  return percentEncode(key).replaceAll('%2F', '/');
}

/** @throws MedzenError `invalid_input` */
export function checkRegion(region: string): void {
  if (!regionPattern.test(region)) throw new MedzenError('invalid_input', "region must be a name such as 'us-east-1'");
}

function defaultEndpoint(region: string): string {
  // us-east-1 keeps the name without a region, which is also the one of AWS's published examples
  if (region === 'us-east-1') return 'https://s3.amazonaws.com';
  return `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/**
 * Finds where a bucket answers.
 *
 * @param endpoint - scheme, host and port only; AWS's own for the region when absent
 * @param pathStyle - put the bucket into the path. Default: in the host name, except where the endpoint is an IP address,
 *   `localhost`, or TLS meets a bucket with a dot, which no wildcard certificate covers
 * @throws MedzenError `invalid_input`
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
 */
export function placeOf(
  bucket: string,
  region: string,
  endpoint: string | undefined,
  pathStyle: boolean | undefined,
): BucketPlace {
  if (!bucketPattern.test(bucket) || bucket.includes('..') || addressPattern.test(bucket)) {
    throw new MedzenError('invalid_input', 'bucket must be a valid DNS-style S3 bucket name');
  }
  let url: URL;
  try {
    url = new URL(endpoint ?? defaultEndpoint(region));
  } catch (cause) {
    throw new MedzenError('invalid_input', 'The endpoint is not a URL', { cause });
  }
  const bare =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if ((url.protocol !== 'https:' && url.protocol !== 'http:') || !bare) {
    throw new MedzenError('invalid_input', 'The endpoint must be a scheme, a host and a port');
  }
  const numeric = addressPattern.test(url.hostname) || url.hostname.startsWith('[') || url.hostname === 'localhost';
  const inPath = pathStyle ?? (numeric || (url.protocol === 'https:' && bucket.includes('.')));
  const host = inPath ? url.host : `${bucket}.${url.host}`;
  return { origin: `${url.protocol}//${host}`, host, path: inPath ? `/${bucket}/` : '/' };
}
