import assert from 'node:assert/strict';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { AwsV4Signer } from 'aws4fetch';
import type { ContractCase } from '../../contract.ts';

/** Where a server is, and who asks. */
export interface S3Target {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** A request as a case writes it; it is signed by `aws4fetch`, a third signer. */
export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** `YYYYMMDDThhmmssZ`; now when absent. */
  readonly datetime?: string;
  /** Sign the query instead of a header, valid for so many seconds. */
  readonly link?: number;
  readonly credentials?: S3Target['credentials'];
  readonly region?: string;
}

/** What a case gets: a fresh, empty, versioned bucket, the SDK's client, and raw signed requests. */
export interface S3CaseContext extends S3Target {
  readonly bucket: string;
  readonly client: S3Client;
  /** Makes a further bucket, with Object Lock or without. */
  makeBucket(options: { readonly objectLock: boolean }): Promise<string>;
  /** Signs without sending. */
  sign(request: RawRequest): Promise<{ url: string; method: string; headers: Headers; body: BodyInit | null }>;
  /** Signs and sends. */
  send(request: RawRequest): Promise<Response>;
}

/** A case of the S3 protocol, to be run against any server that claims to speak it. */
export type S3ServerCase = ContractCase<S3CaseContext>;

/**
 * Makes a context with a new bucket, so that cases do not meet each other.
 *
 * @param target - the server
 * @param name - a bucket name not yet used
 */
export async function createS3CaseContext(target: S3Target, name: string): Promise<S3CaseContext> {
  const client = new S3Client({
    endpoint: target.endpoint,
    region: target.region,
    credentials: target.credentials,
    forcePathStyle: true,
    maxAttempts: 1,
  });
  let made = 0;
  async function makeBucket(objectLock: boolean): Promise<string> {
    made += 1;
    const bucket = `${name}-${made}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: objectLock }));
    if (!objectLock) {
      await client.send(
        new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }),
      );
    }
    return bucket;
  }
  async function sign(request: RawRequest) {
    const url = new URL(target.endpoint + request.path);
    for (const [key, value] of Object.entries(request.query ?? {})) url.searchParams.set(key, value);
    if (request.link !== undefined) url.searchParams.set('X-Amz-Expires', String(request.link));
    const signer = new AwsV4Signer({
      url: url.href,
      method: request.method ?? 'GET',
      headers: { ...request.headers },
      ...(request.body === undefined ? {} : { body: request.body as BodyInit }), // bytes and text are bodies to fetch
      ...(request.credentials ?? target.credentials),
      region: request.region ?? target.region,
      service: 's3',
      signQuery: request.link !== undefined,
      ...(request.datetime === undefined ? {} : { datetime: request.datetime }),
    });
    const signed = await signer.sign();
    return { url: String(signed.url), method: signed.method, headers: signed.headers, body: signed.body ?? null };
  }
  return {
    ...target,
    bucket: await makeBucket(false),
    client,
    makeBucket: ({ objectLock }) => makeBucket(objectLock),
    sign,
    send: async (request) => {
      const { url, method, headers, body } = await sign(request);
      return fetch(url, { method, headers, body });
    },
  };
}

/** The S3 error code in an answer's document. */
export async function codeOf(response: Response): Promise<string | undefined> {
  return /<Code>([^<]+)<\/Code>/.exec(await response.text())?.[1];
}

/** Asserts a refusal by status and code. */
export async function refused(response: Response, status: number, code: string): Promise<void> {
  const found = await codeOf(response);
  assert.deepEqual({ status: response.status, code: found }, { status, code });
}

/** Asserts that an SDK call is refused with a status and an error name. */
export async function rejects(call: Promise<unknown>, status: number, name: string): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    const { name: found, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } }; // the SDK's errors
    assert.deepEqual({ name: found, status: $metadata?.httpStatusCode }, { name, status });
    return true;
  });
}
