import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Clock, systemClock } from '@medzen/core';
import { createFaultPlan, type FaultSubject, type S3Faults } from './s3-server/faults.ts';
import { operationOf, perform, type S3Operation } from './s3-server/operations.ts';
import { openPayload } from './s3-server/payload.ts';
import { S3ProtocolError } from './s3-server/protocol-error.ts';
import { readRequest, type S3Request, type S3Response } from './s3-server/request.ts';
import { type S3Account, verifySignature } from './s3-server/signature.ts';
import { type Encryption, makeBucket, type World } from './s3-server/world.ts';
import { writeXml } from './s3-server/xml.ts';

export type { FaultMatch, ResetMoment, S3Faults } from './s3-server/faults.ts';
export type { S3Operation } from './s3-server/operations.ts';
export type { Encryption } from './s3-server/world.ts';

/** How the server is set up. Everything has a default. */
export interface S3ServerOptions {
  /** Default `us-east-1`. */
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** When set, every request must carry it, as with temporary credentials. */
  readonly sessionToken?: string;
  /** Buckets to begin with. */
  readonly buckets?: readonly (string | { readonly name: string; readonly objectLock?: boolean })[];
  /** Versioning of new buckets. AWS begins with `Off`; the default here is `Enabled`, which is what Medzen asks of a bucket. */
  readonly versioning?: 'Enabled' | 'Off';
  /** Default encryption of new buckets: AWS applies `AES256` to all since 2023. `'none'` for a store that does not. */
  readonly defaultEncryption?: Encryption | 'none';
  /** Bytes that every part but the last must have. Default 5 MiB, as AWS. */
  readonly minimumPartSize?: number;
  /** Time for signatures, expiry, locks and dates. */
  readonly clock?: Clock;
  /** Bodies above this are refused with `EntityTooLarge`. Default 1 GiB: everything is kept in memory. */
  readonly maxBodyBytes?: number;
}

/** A line of the server's own log: what a test may look back on. */
export interface S3LogLine {
  readonly operation: S3Operation;
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly status: number;
  /** The S3 error code, when there was one. */
  readonly code?: string;
}

/** A running server. */
export interface S3Server {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  /** The same as `endpoint`. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** In the shape that SDKs take. */
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** What goes wrong next. */
  readonly faults: S3Faults;
  /** Every answered request, oldest first. A cut connection is logged with status 0. */
  readonly log: readonly S3LogLine[];
  /** Stops listening and cuts what is open. */
  close(): Promise<void>;
}

function bodyOf(message: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
    });
    message.on('end', () => {
      if (size > limit)
        reject(new S3ProtocolError('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size'));
      else resolve(Buffer.concat(chunks));
    });
    message.on('aborted', () => reject(new S3ProtocolError('IncompleteBody', 'The connection ended before the body')));
    message.on('error', reject);
  });
}

function checkLength(message: IncomingMessage): void {
  // aws-chunked bodies may come chunked by HTTP as well: their length is in a header of its own
  const decoded = message.headers['x-amz-decoded-content-length'] !== undefined;
  if (message.headers['transfer-encoding'] !== undefined && !decoded) {
    throw new S3ProtocolError(
      'NotImplemented',
      'A header you provided implies functionality that is not implemented: Transfer-Encoding',
    );
  }
  if (message.method === 'PUT' && message.headers['content-length'] === undefined && !decoded) {
    throw new S3ProtocolError('MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
}

function errorResponse(code: string, status: number, message: string, extras: S3ProtocolError['extras']): S3Response {
  return {
    status,
    headers: { 'content-type': 'application/xml', ...extras.headers },
    body: writeXml(
      'Error',
      { Code: code, Message: message, ...extras.elements, RequestId: 'TEST', HostId: 'test' },
      true,
    ),
  };
}

function send(response: ServerResponse, method: string, answer: S3Response, cut: boolean, date: Date): void {
  const bytes = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  response.statusCode = answer.status;
  // headers leave as UTF-8 bytes, the way S3 sends metadata back
  for (const [name, value] of Object.entries(answer.headers)) {
    response.setHeader(name, Buffer.from(value, 'utf8').toString('latin1'));
  }
  response.setHeader('x-amz-request-id', 'TEST');
  response.setHeader('date', date.toUTCString()); // clients correct their clocks by it
  if (answer.status === 204 || answer.status === 304) {
    response.removeHeader('content-length');
    response.end();
    return;
  }
  if (!response.hasHeader('content-length')) response.setHeader('content-length', bytes.length);
  if (method === 'HEAD') {
    if (answer.status >= 300) response.removeHeader('content-length');
    response.end();
  } else if (cut) {
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
  } else {
    response.end(bytes);
  }
}

function flipped(body: S3Response['body']): Uint8Array {
  const bytes = Buffer.from(body);
  const middle = bytes.length >> 1;
  if (bytes.length > 0) bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  return bytes;
}

/**
 * Starts an S3 server in memory on a free loopback port, for tests: as strict about signatures, headers and bodies as S3
 * itself, and able to fail on demand. Requests are signed again by `@smithy/signature-v4`, which is not Medzen's signer.
 * Node only.
 *
 * @param options - account, buckets, clock, defaults
 * @returns the running server; call `close()` at the end
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
 * @example
 * ```ts
 * import { createS3Server } from '@medzen/testing/s3-server';
 * const server = await createS3Server({ buckets: ['recordings'] });
 * server.faults.fail({ match: { operation: 'PutObject' }, code: 'SlowDown', status: 503 });
 * await server.close();
 * ```
 */
export async function createS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const region = options.region ?? 'us-east-1';
  const account: S3Account = {
    accessKeyId: options.accessKeyId ?? 'AKIDTESTTESTTESTTEST',
    secretAccessKey: options.secretAccessKey ?? 'test/secret+access/key0123456789abcdefgh',
    region,
    ...(options.sessionToken === undefined ? {} : { sessionToken: options.sessionToken }),
  };
  const { defaultEncryption = { algorithm: 'AES256' } } = options;
  const world: World = {
    clock: options.clock ?? systemClock,
    region,
    minimumPartSize: options.minimumPartSize ?? 5 * 1024 * 1024,
    defaultVersioning: options.versioning ?? 'Enabled',
    defaultEncryption: defaultEncryption === 'none' ? undefined : defaultEncryption,
    buckets: new Map(),
    sequence: 0,
  };
  for (const bucket of options.buckets ?? []) {
    if (typeof bucket === 'string') makeBucket(world, bucket, false);
    else makeBucket(world, bucket.name, bucket.objectLock === true);
  }
  const plan = createFaultPlan();
  const log: S3LogLine[] = [];

  async function answer(request: S3Request, operation: S3Operation, message: IncomingMessage): Promise<S3Response> {
    checkLength(message);
    const raw = await bodyOf(message, options.maxBodyBytes ?? 1024 ** 3);
    const verified = await verifySignature(request, account, world.clock.now());
    const payload = await openPayload(request, raw, verified);
    return perform(operation, world, request, payload, (key) => plan.takeDelete(key));
  }

  function refusal(error: unknown): { answer: S3Response; code: string } {
    if (error instanceof S3ProtocolError) {
      return { answer: errorResponse(error.code, error.status, error.message, error.extras), code: error.code };
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      answer: errorResponse('InternalError', 500, `The test server failed: ${text}`, {}),
      code: 'InternalError',
    };
  }

  async function handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let request: S3Request;
    try {
      request = readRequest(message);
    } catch (error) {
      message.resume();
      send(response, message.method ?? 'GET', refusal(error).answer, false, world.clock.now());
      return;
    }
    const operation = operationOf(request);
    const { method, bucket, key } = request;
    const subject: FaultSubject = { operation, method, key };
    const note = (status: number, code?: string) =>
      log.push({ operation, method, bucket, key, status, ...(code === undefined ? {} : { code }) });
    const delay = plan.delay(subject);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    if (plan.take('reset', subject, 'before') !== undefined) {
      note(0);
      message.socket.destroy();
      return;
    }
    const failure = plan.take('fail', subject);
    let result: { answer: S3Response; code?: string };
    if (failure === undefined) {
      try {
        result = { answer: await answer(request, operation, message) };
      } catch (error) {
        message.resume();
        result = refusal(error);
      }
    } else {
      message.resume();
      result = {
        answer: errorResponse(failure.code, failure.status, 'A fault that the test asked for', {}),
        code: failure.code,
      };
    }
    if (plan.take('reset', subject, 'after') !== undefined) {
      note(0);
      message.socket.destroy();
      return;
    }
    const cut = plan.take('reset', subject, 'midway') !== undefined;
    note(cut ? 0 : result.answer.status, result.code);
    const corrupted = plan.take('corrupt', subject) !== undefined;
    const sent = corrupted ? { ...result.answer, body: flipped(result.answer.body) } : result.answer;
    send(response, method, sent, cut, world.clock.now());
  }

  const server = createServer((message, response) => {
    handle(message, response).catch((error) => response.destroy(error));
  });
  // As in twilio-server: closed just as one is taken up again, an idle connection would fail a request that nobody answered.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  const endpoint = `http://127.0.0.1:${address.port}`;
  return {
    endpoint,
    url: endpoint,
    region,
    accessKeyId: account.accessKeyId,
    secretAccessKey: account.secretAccessKey,
    credentials: {
      accessKeyId: account.accessKeyId,
      secretAccessKey: account.secretAccessKey,
      ...(account.sessionToken === undefined ? {} : { sessionToken: account.sessionToken }),
    },
    faults: plan.faults,
    log,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeAllConnections();
      }),
  };
}
