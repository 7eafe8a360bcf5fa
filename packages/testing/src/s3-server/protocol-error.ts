/** The S3 error codes that the server answers, with the HTTP status AWS documents for each. */
const statuses = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  BadRequest: 400,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  IncompleteBody: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidBucketState: 409,
  InvalidChunkSizeError: 403,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidTag: 400,
  InvalidToken: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedTrailerError: 400,
  MalformedXML: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchObjectLockConfiguration: 404,
  NoSuchUpload: 404,
  NoSuchVersion: 404,
  NotImplemented: 501,
  ObjectLockConfigurationNotFoundError: 404,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  SignatureDoesNotMatch: 403,
  SlowDown: 503,
  XAmzContentSHA256Mismatch: 400,
} as const;

/** An error code of the S3 protocol. */
export type S3ErrorCode = keyof typeof statuses;

/** What an error answer may carry besides its code and message. */
export interface S3ErrorExtras {
  /** Response headers, lower-case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further elements of the XML document: `BucketName`, `Expires`, `HeadersNotSigned`, … */
  readonly elements?: Readonly<Record<string, string>>;
}

/** A refusal in S3's own terms; the server turns it into an XML document. */
export class S3ProtocolError extends Error {
  readonly code: S3ErrorCode;
  readonly status: number;
  readonly extras: S3ErrorExtras;

  constructor(code: S3ErrorCode, message: string, extras: S3ErrorExtras = {}) {
    super(message);
    this.name = 'S3ProtocolError';
    this.code = code;
    this.status = statuses[code];
    this.extras = extras;
  }
}
