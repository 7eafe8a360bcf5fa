import { S3ProtocolError } from './protocol-error.ts';
import { queryOf, type S3Request } from './request.ts';

/** What a request says of its own signature. */
export interface SignatureClaim {
  readonly mode: 'header' | 'query';
  readonly accessKeyId: string;
  readonly scope: string;
  readonly longDate: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** Seconds; for links only. */
  readonly expiresIn: number;
  readonly token: string | undefined;
}

/** A refusal in the words of the mechanism that was used. */
export function malformed(mode: SignatureClaim['mode'], message: string): S3ProtocolError {
  return new S3ProtocolError(
    mode === 'header' ? 'AuthorizationHeaderMalformed' : 'AuthorizationQueryParametersError',
    message,
  );
}

function claimOfHeader(request: S3Request, authorization: string): SignatureClaim {
  const match =
    /^AWS4-HMAC-SHA256 +Credential=(?<credential>[^, ]+), *SignedHeaders=(?<names>[^, ]+), *Signature=(?<signature>[^, ]+)$/.exec(
      authorization,
    );
  if (match?.groups === undefined) {
    if (!authorization.startsWith('AWS4-HMAC-SHA256')) {
      throw new S3ProtocolError(
        'InvalidRequest',
        'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
      );
    }
    throw malformed('header', 'The authorization header is malformed.');
  }
  const { credential = '', names = '', signature = '' } = match.groups;
  const slash = credential.indexOf('/');
  const longDate = request.headers['x-amz-date'];
  if (longDate === undefined) {
    throw new S3ProtocolError('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  }
  return {
    mode: 'header',
    accessKeyId: credential.slice(0, slash),
    scope: credential.slice(slash + 1),
    longDate,
    signedHeaders: names.split(';'),
    signature,
    expiresIn: 0,
    token: request.headers['x-amz-security-token'],
  };
}

/** The query parameters that carry a signature. */
export const linkParameters: readonly string[] = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
];

function claimOfQuery(request: S3Request): SignatureClaim {
  const values = linkParameters.map((name) => {
    const found = request.query.filter(([key]) => key === name);
    if (found.length !== 1) {
      throw malformed(
        'query',
        'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
      );
    }
    return found[0]?.[1] ?? '';
  });
  const [algorithm = '', credential = '', longDate = '', expires = '', names = '', signature = ''] = values;
  if (algorithm !== 'AWS4-HMAC-SHA256') throw malformed('query', 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"');
  if (!/^\d+$/.test(expires)) throw malformed('query', 'X-Amz-Expires should be a number');
  const expiresIn = Number(expires);
  if (expiresIn < 1) throw malformed('query', 'X-Amz-Expires must be positive');
  if (expiresIn > 604_800) {
    throw malformed('query', 'X-Amz-Expires must be less than a week (in seconds) that is 604800');
  }
  const slash = credential.indexOf('/');
  return {
    mode: 'query',
    accessKeyId: credential.slice(0, slash),
    scope: credential.slice(slash + 1),
    longDate,
    signedHeaders: names.split(';'),
    signature,
    expiresIn,
    token: queryOf(request, 'X-Amz-Security-Token'),
  };
}

/** Reads the `Authorization` header or the signed query. */
export function claimOf(request: S3Request): SignatureClaim {
  const authorization = request.headers.authorization;
  const inQuery = request.query.some(([name]) => linkParameters.includes(name));
  if (authorization !== undefined && inQuery) {
    throw new S3ProtocolError('InvalidArgument', 'Only one auth mechanism allowed');
  }
  if (authorization !== undefined) return claimOfHeader(request, authorization);
  if (inQuery) return claimOfQuery(request);
  throw new S3ProtocolError('AccessDenied', 'Access Denied');
}
