import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { S3ProtocolError } from './protocol-error.ts';
import { queryOf, type S3Request } from './request.ts';
import { claimOf, linkParameters, malformed, type SignatureClaim } from './signature-claim.ts';

/** The one account of the server. */
export interface S3Account {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** When set, every request must carry it. */
  readonly sessionToken?: string;
  readonly region: string;
}

/** What the payload needs to know of a verified request. */
export interface VerifiedSignature {
  /** `x-amz-content-sha256`, or `UNSIGNED-PAYLOAD` for a signed link without one. */
  readonly payloadHash: string;
  /** Hex; the seed of chunk signatures. */
  readonly signature: string;
  readonly date: Date;
  /** `20130524T000000Z` */
  readonly longDate: string;
  /** `20130524/us-east-1/s3/aws4_request` */
  readonly scope: string;
  /** Signs a string with the day's key, by the library, for chunk signatures. */
  sign(text: string): Promise<string>;
}

type Digest = { update(data: Uint8Array | string): unknown; digest(): Buffer };

// The library asks for a constructor; one that answers a plain object serves without a class.
const Sha256 = function sha256(secret?: Uint8Array | string) {
  const hash: Digest = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  return {
    update: (data: Uint8Array | string) => {
      hash.update(data);
    },
    digest: () => Promise.resolve(new Uint8Array(hash.digest())),
    reset: () => undefined,
  };
} as unknown as ConstructorParameters<typeof SignatureV4>[0]['sha256'];

const skewMs: number = 15 * 60 * 1000;

function dateOf(claim: SignatureClaim): Date {
  const parts = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(claim.longDate);
  const [, year, month, day, hour, minute, second] = parts ?? [];
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (parts === null || Number.isNaN(date.getTime())) {
    if (claim.mode === 'query') throw malformed('query', 'X-Amz-Date must be in the ISO8601 Long Format');
    throw new S3ProtocolError('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  }
  return date;
}

function checkScope(claim: SignatureClaim, account: S3Account): void {
  const [day, region, service, end, ...more] = claim.scope.split('/');
  if (end !== 'aws4_request' || service !== 's3' || more.length > 0) {
    throw malformed(claim.mode, 'The credential scope is malformed; expecting ".../s3/aws4_request".');
  }
  if (region !== account.region) {
    throw malformed(claim.mode, `The region '${region}' is wrong; expecting '${account.region}'`);
  }
  if (day !== claim.longDate.slice(0, 8)) {
    throw malformed(claim.mode, 'The date of the credential is not the date of the request.');
  }
}

function checkTime(claim: SignatureClaim, date: Date, now: Date): void {
  const age = now.getTime() - date.getTime();
  if (claim.mode === 'header') {
    if (Math.abs(age) > skewMs) {
      throw new S3ProtocolError(
        'RequestTimeTooSkewed',
        'The difference between the request time and the current time is too large.',
      );
    }
    return;
  }
  if (age < -skewMs) throw new S3ProtocolError('AccessDenied', 'Request is not valid yet');
  if (age > claim.expiresIn * 1000) {
    const expires = new Date(date.getTime() + claim.expiresIn * 1000).toISOString();
    throw new S3ProtocolError('AccessDenied', 'Request has expired', {
      elements: {
        'X-Amz-Expires': String(claim.expiresIn),
        Expires: expires,
        ServerTime: now.toISOString(),
      },
    });
  }
}

function checkHeaders(request: S3Request, claim: SignatureClaim): Record<string, string> {
  const signed = new Set(claim.signedHeaders);
  const unsigned = Object.keys(request.headers).filter((name) => name.startsWith('x-amz-') && !signed.has(name));
  if (unsigned.length > 0 || !signed.has('host')) {
    throw new S3ProtocolError('AccessDenied', 'There were headers present in the request which were not signed', {
      elements: { HeadersNotSigned: (unsigned.length > 0 ? unsigned : ['host']).join(', ') },
    });
  }
  const headers: Record<string, string> = {};
  for (const name of signed) {
    const value = request.headers[name];
    if (value === undefined) throw mismatch();
    headers[name] = value;
  }
  return headers;
}

function mismatch(): S3ProtocolError {
  return new S3ProtocolError(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  );
}

function equalText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/**
 * Verifies the `Authorization` header or the signed query by signing the request again with `@smithy/signature-v4`,
 * which shares no code with Medzen's own signer.
 *
 * @throws S3ProtocolError with the code that S3 answers
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 */
export async function verifySignature(request: S3Request, account: S3Account, now: Date): Promise<VerifiedSignature> {
  const claim = claimOf(request);
  const date = dateOf(claim);
  if (claim.accessKeyId !== account.accessKeyId) {
    throw new S3ProtocolError(
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
    );
  }
  checkScope(claim, account);
  if (claim.token !== account.sessionToken) {
    throw new S3ProtocolError('InvalidToken', 'The provided token is malformed or otherwise invalid.');
  }
  const headers = checkHeaders(request, claim);
  const signer = new SignatureV4({
    credentials: { accessKeyId: account.accessKeyId, secretAccessKey: account.secretAccessKey },
    region: account.region,
    service: 's3',
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  const query: Record<string, string | string[]> = {};
  for (const [name, value] of request.query) {
    if (claim.mode === 'query' && linkParameters.includes(name)) continue;
    const before = query[name];
    query[name] = before === undefined ? value : [before, value].flat();
  }
  const payloadHash =
    headers['x-amz-content-sha256'] ??
    (claim.mode === 'query' ? (queryOf(request, 'X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD') : undefined);
  if (payloadHash === undefined) {
    throw new S3ProtocolError('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  const names = new Set(claim.signedHeaders);
  const unsigned = names.has('x-amz-content-sha256') ? new Set<string>() : new Set(['x-amz-content-sha256']);
  const again = {
    method: request.method,
    protocol: 'http:',
    hostname: 'unused',
    path: request.canonicalPath,
    query,
    headers: { ...headers, 'x-amz-content-sha256': payloadHash },
  };
  let expected: string | undefined;
  if (claim.mode === 'header') {
    const signed = await signer.sign(again, { signingDate: date, signableHeaders: names });
    expected = signed.headers.authorization?.split('Signature=')[1];
  } else {
    const signed = await signer.presign(again, {
      signingDate: date,
      expiresIn: claim.expiresIn,
      signableHeaders: names,
      unsignableHeaders: unsigned,
      unhoistableHeaders: new Set([...names, 'x-amz-content-sha256']),
    });
    const value = signed.query?.['X-Amz-Signature'];
    expected = typeof value === 'string' ? value : undefined;
  }
  if (expected === undefined || !equalText(expected, claim.signature)) throw mismatch();
  checkTime(claim, date, now);
  return {
    payloadHash,
    signature: claim.signature,
    date,
    longDate: claim.longDate,
    scope: claim.scope,
    sign: (text) => signer.sign(text, { signingDate: date }),
  };
}
