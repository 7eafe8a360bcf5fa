import { isMedzenError, MedzenError } from '@medzen/core';

/** Fields read from an SDK error. */
export interface StoreFailure {
  /** S3's code, or the name of a network error. */
  readonly code: string;
  readonly status: number | undefined;
}

/** Reads S3's code and status off an error, without `instanceof`: there may be two copies of the SDK. */
export function failureOf(error: unknown): StoreFailure {
  const { name, Code, code, $metadata } = (typeof error === 'object' && error !== null ? error : {}) as {
    name?: unknown;
    Code?: unknown;
    code?: unknown;
    $metadata?: { httpStatusCode?: unknown };
  }; // the shape of the SDK's errors, each member checked below
  const status = typeof $metadata?.httpStatusCode === 'number' ? $metadata.httpStatusCode : undefined;
  const text = [Code, name, code].find((one) => typeof one === 'string' && one !== 'Error');
  return { code: typeof text === 'string' ? text : 'Unknown', status };
}

const transientCodes: ReadonlySet<string> = new Set([
  'InternalError',
  'OperationAborted',
  'RequestLimitExceeded',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'ThrottlingException',
  'TooManyRequestsException',
]);

/** Checks whether a retry may succeed: no response, 5xx, 429, or S3's own retryable codes. */
export function isTransient({ code, status }: StoreFailure): boolean {
  if (transientCodes.has(code)) return true;
  return status === undefined || status >= 500 || status === 429 || status === 408;
}

/**
 * The port's error for an error of the SDK. The message names S3's code and nothing else: keys and hosts stay in `cause`.
 */
export function storeError(error: unknown): MedzenError {
  if (isMedzenError(error)) return error;
  const failure = failureOf(error);
  const message = `The object store answered ${failure.code}`;
  switch (failure.code) {
    case 'NoSuchBucket':
    case 'PermanentRedirect':
      return new MedzenError('invalid_configuration', message, { cause: error });
    case 'PreconditionFailed':
    case 'ConditionalRequestConflict':
      return new MedzenError('conflict', 'The key has an object already', { cause: error });
    case 'BadDigest':
    case 'XAmzContentSHA256Mismatch':
      return new MedzenError('checksum_mismatch', message, { cause: error });
    case 'InvalidRange':
      return new MedzenError('invalid_input', 'The range is not within the object', { cause: error });
    case 'KeyTooLongError':
      return new MedzenError('invalid_input', 'An object key has 1 to 1024 bytes', { cause: error });
    default:
      return new MedzenError('store_unavailable', message, { cause: error, retryable: isTransient(failure) });
  }
}

/** The SDK's options of a call that a signal may end. */
export function stopping(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

/**
 * Carries a call of the SDK out, with the port's errors.
 *
 * @throws the signal's reason when it was aborted
 */
export async function asking<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    signal?.throwIfAborted();
    return await call();
  } catch (error) {
    signal?.throwIfAborted();
    throw storeError(error);
  }
}

/** The same, with undefined for what is not there: a missing key or version, and a delete marker (405). */
export async function askingFor<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
  try {
    signal?.throwIfAborted();
    return await call();
  } catch (error) {
    signal?.throwIfAborted();
    const { code, status } = failureOf(error);
    if (code !== 'NoSuchBucket' && (status === 404 || status === 405)) return undefined;
    throw storeError(error);
  }
}
