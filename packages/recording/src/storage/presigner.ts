import { type Clock, hmacSha256, MedzenError, systemClock } from '@medzen/core';
import { prepareHmac, sha256Hex } from './presign-hash.ts';
import { type BucketPlace, checkRegion, encodeKey, percentEncode, placeOf } from './presign-place.ts';

/** AWS credentials, as every SDK has them. */
export interface PresignCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Session token of temporary credentials. It becomes part of the URL. */
  readonly sessionToken?: string;
}

/** Options of a presigner. */
export interface PresignerOptions {
  /** `eu-west-1`, or what the S3-compatible store expects. */
  readonly region: string;
  readonly credentials: PresignCredentials;
  /** Scheme, host and port. Default: AWS's for the region. */
  readonly endpoint?: string;
  /** Bucket in the path instead of the host name. Default: only where the host name cannot carry it. */
  readonly pathStyle?: boolean;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/** A link to read one object. */
export interface PresignGetInput {
  readonly bucket: string;
  /** 1–1024 bytes of UTF-8. */
  readonly key: string;
  /** Whole seconds, 1–604 800 (seven days). */
  readonly expiresIn: number;
  /** The signature's date. Default: now. */
  readonly now?: Date;
  /** Pins a version. */
  readonly versionId?: string;
  /** `Content-Disposition` of the answer, whole. */
  readonly responseContentDisposition?: string;
  /** `Content-Type` of the answer. */
  readonly responseContentType?: string;
}

/** A link to store one object; what is given is bound by the signature and must be sent as it is. */
export interface PresignPutInput {
  readonly bucket: string;
  /** 1–1024 bytes of UTF-8. */
  readonly key: string;
  /** Whole seconds, 1–604 800 (seven days). */
  readonly expiresIn: number;
  /** The signature's date. Default: now. */
  readonly now?: Date;
  readonly contentType?: string;
  /** Bytes, 0–5 GiB, the most that one PUT may carry. */
  readonly contentLength?: number;
  /** SHA-256 of the body, base64. S3 verifies it, because it is a header; in the query it would be ignored. */
  readonly checksumSha256?: string;
  /** Further headers to bind, lower-case: `x-amz-server-side-encryption`, `if-none-match`, … */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A link to store one object, with the headers that the client must send along. */
export interface PresignedPut {
  readonly url: string;
  /** Lower-case names, without `host`. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Signs links with one key. Synchronous: no endpoint to resolve, no credentials to wait for. */
export interface Presigner {
  /** @throws MedzenError `invalid_input` */
  get(input: PresignGetInput): string;
  /** @throws MedzenError `invalid_input` */
  put(input: PresignPutInput): PresignedPut;
}

const encoder: TextEncoder = new TextEncoder();
const maximumSeconds = 604_800;
const maximumPut: number = 5 * 1024 ** 3;
const headerName = /^[a-z0-9-]+$/;

/** The key of a day, by the chain of four HMACs. */
function signingKey(secret: string, day: string, region: string): Uint8Array {
  let key = hmacSha256(encoder.encode(`AWS4${secret}`), encoder.encode(day));
  for (const part of [region, 's3', 'aws4_request']) key = hmacSha256(key, encoder.encode(part));
  return key;
}

/** What all links of one second share. */
interface Second {
  readonly second: number;
  readonly day: string;
  readonly key: Uint8Array;
  /** Query up to and with `X-Amz-Expires=`. */
  readonly query: string;
  readonly sign: (hashOfRequest: string) => string;
}

function headerValue(value: string): string {
  const trimmed = value.trim();
  for (let i = 0; i < trimmed.length; i++) {
    const unit = trimmed.charCodeAt(i);
    if (unit < 0x20 || unit > 0x7e) throw new MedzenError('invalid_input', 'A header value is not printable ASCII');
  }
  return trimmed.replace(/ {2,}/g, ' ');
}

/**
 * Makes a signer of S3 links (SigV4 in the query) that keeps the day's key, so that a link costs one SHA-256 and one
 * HMAC. Links carry no PHI but are secrets: whoever holds one may use it until it expires. Never log them.
 *
 * @param options - region, credentials, and where the store answers
 * @returns a signer
 * @throws MedzenError `invalid_input` for a region or credentials that cannot be
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 * @example
 * ```ts
 * import { createPresigner } from '@medzen/recording';
 * const presigner = createPresigner({
 *   region: 'eu-west-1',
 *   credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
 * });
 * const url = presigner.get({ bucket: 'recordings', key: 'default/2026/11/id/video.webm', expiresIn: 3600 });
 * ```
 */
export function createPresigner(options: PresignerOptions): Presigner {
  const { region, endpoint, pathStyle, clock = systemClock } = options;
  const { accessKeyId, secretAccessKey, sessionToken } = options.credentials;
  checkRegion(region);
  if (!accessKeyId || !secretAccessKey) throw new MedzenError('invalid_input', 'Credentials are incomplete');
  const token = sessionToken ? `&X-Amz-Security-Token=${percentEncode(sessionToken)}` : '';
  const getTail = `${token}&X-Amz-SignedHeaders=host`;
  let lastSecond: Second | undefined;
  let lastBucket: string | undefined;
  let lastPlace: BucketPlace | undefined;

  function secondOf(now: Date): Second {
    const second = Math.floor(now.getTime() / 1000);
    if (lastSecond?.second === second) return lastSecond;
    if (!Number.isFinite(second) || second < 0 || second > 253_402_300_799) {
      throw new MedzenError('invalid_input', 'now must be a Date from 1970 to 9999');
    }
    const longDate = new Date(second * 1000).toISOString().replace(/[-:]|\.000/g, '');
    const day = longDate.slice(0, 8);
    const key = lastSecond?.day === day ? lastSecond.key : signingKey(secretAccessKey, day, region);
    const scope = `${day}/${region}/s3/aws4_request`;
    const credential = percentEncode(`${accessKeyId}/${scope}`);
    lastSecond = {
      second,
      day,
      key,
      query: `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${credential}&X-Amz-Date=${longDate}&X-Amz-Expires=`,
      sign: prepareHmac(key, `AWS4-HMAC-SHA256\n${longDate}\n${scope}\n`),
    };
    return lastSecond;
  }

  function place(bucket: string): BucketPlace {
    if (lastBucket === bucket && lastPlace !== undefined) return lastPlace;
    lastPlace = placeOf(bucket, region, endpoint, pathStyle);
    lastBucket = bucket;
    return lastPlace;
  }

  function checkSeconds(expiresIn: number): void {
    if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > maximumSeconds) {
      throw new MedzenError('invalid_input', 'expiresIn must be an integer from 1 to 604800 (7 days)');
    }
  }

  return {
    get: (input) => {
      const { bucket, key, expiresIn, now, versionId, responseContentDisposition, responseContentType } = input;
      checkSeconds(expiresIn);
      const { origin, host, path } = place(bucket);
      const target = path + encodeKey(key);
      const { query: head, sign } = secondOf(now ?? clock.now());
      // already in the order of the canonical query: upper-case names first, then response-…, then versionId
      let query = head + expiresIn + getTail;
      if (responseContentDisposition !== undefined) {
        query += `&response-content-disposition=${percentEncode(responseContentDisposition)}`;
      }
      if (responseContentType !== undefined) query += `&response-content-type=${percentEncode(responseContentType)}`;
      if (versionId !== undefined) query += `&versionId=${percentEncode(versionId)}`;
      const request = `GET\n${target}\n${query}\nhost:${host}\n\nhost\nUNSIGNED-PAYLOAD`;
      return `${origin}${target}?${query}&X-Amz-Signature=${sign(sha256Hex(request))}`;
    },
    put: (input) => {
      const { bucket, key, expiresIn, now, contentType, contentLength, checksumSha256 } = input;
      checkSeconds(expiresIn);
      const { origin, host, path } = place(bucket);
      const target = path + encodeKey(key);
      const bound: Record<string, string> = {};
      for (const [name, value] of Object.entries(input.headers ?? {})) {
        if (!headerName.test(name) || name === 'host')
          throw new MedzenError('invalid_input', 'headers must be valid header names other than host');
        bound[name] = headerValue(value);
      }
      if (contentType !== undefined) bound['content-type'] = headerValue(contentType);
      if (contentLength !== undefined) {
        if (!Number.isInteger(contentLength) || contentLength < 0 || contentLength > maximumPut) {
          throw new MedzenError('invalid_input', 'One upload carries between 0 bytes and 5 GiB');
        }
        bound['content-length'] = String(contentLength);
      }
      if (checksumSha256 !== undefined) {
        if (!/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(checksumSha256)) {
          throw new MedzenError('invalid_input', 'checksumSha256 must be a SHA-256 in base64');
        }
        bound['x-amz-checksum-sha256'] = checksumSha256;
      }
      const signed = Object.entries({ ...bound, host }).sort(([a], [b]) => (a < b ? -1 : 1));
      const names = signed.map(([name]) => name).join(';');
      const { query: head, sign } = secondOf(now ?? clock.now());
      const query = `${head}${expiresIn}${token}&X-Amz-SignedHeaders=${percentEncode(names)}`;
      const lines = signed.map(([name, value]) => `${name}:${value}\n`).join('');
      const request = `PUT\n${target}\n${query}\n${lines}\n${names}\nUNSIGNED-PAYLOAD`;
      return { url: `${origin}${target}?${query}&X-Amz-Signature=${sign(sha256Hex(request))}`, headers: bound };
    },
  };
}
