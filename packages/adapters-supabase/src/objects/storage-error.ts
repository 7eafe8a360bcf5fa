import { type ErrorCode, isMedzenError, MedzenError } from '@medzen/core';
import type { StorageAnswer } from './storage-client.ts';

/**
 * The status that Storage means: many of its errors are an HTTP 400 whose body holds the real one.
 *
 * @returns 0 when no answer came
 */
function statusOf(error: unknown): number {
  const { status, statusCode } = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>; // checked
  if (typeof status !== 'number') return 0;
  const told = Number(statusCode);
  return Number.isInteger(told) && told >= 400 && told < 600 ? told : status;
}

/** Whether an error says that the object is not there. */
export function isAbsent(error: unknown): boolean {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown }; // compared only
  return statusOf(error) === 404 && code !== 'NoSuchBucket';
}

const codes: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  401: ['invalid_configuration', 'Storage refused the key'],
  403: ['invalid_configuration', 'Storage refused the key, or a policy of storage.objects did'],
  404: ['invalid_configuration', 'Storage has no such bucket, or is too old for what was asked'],
  409: ['conflict', 'Storage has an object of this name already'],
  413: ['invalid_configuration', 'The object is larger than the bucket or the project allows'],
  415: ['invalid_configuration', 'The bucket does not allow this type of content'],
  422: ['invalid_configuration', 'The bucket does not allow this type of content'],
  408: ['store_unavailable', 'Storage took too long'],
  429: ['store_unavailable', 'Storage asks for patience'],
};

/** Turns an error of storage-js into a `MedzenError`, without a word of what was told: it may hold addresses and names. */
function fromStorage(error: unknown): MedzenError {
  if (isMedzenError(error)) return error;
  const status = statusOf(error);
  const [code, message] =
    codes[status] ??
    (status === 0 || status >= 500
      ? (['store_unavailable', 'Storage could not be reached, or could not complete the call'] as const)
      : (['internal', 'Storage refused the call'] as const));
  return new MedzenError(code, message, { cause: Object.assign(new Error('Storage'), { status }) });
}

/** The data of an answer. @throws MedzenError as `fromStorage` has it */
export async function told<Data>(call: () => PromiseLike<StorageAnswer<Data>>): Promise<Data> {
  let answer: StorageAnswer<Data>;
  try {
    answer = await call();
  } catch (error) {
    throw fromStorage(error); // a client that was told to throw
  }
  if (answer.error !== null || answer.data === null) throw fromStorage(answer.error);
  return answer.data;
}
