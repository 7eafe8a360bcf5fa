import { MedzenError } from '@medzen/core';
import type { BodyReader } from './body-reader.ts';
import { readBytes, tooLarge } from './read-bytes.ts';

/**
 * Refuses a body by its header fields, before a byte is read.
 *
 * @throws MedzenError `unsupported_media_type` for another media type, another charset than UTF-8, or a content coding
 * (a few bytes may unfold to gigabytes)
 */
export function checkBodyHeaders(headers: Headers, mediaTypes: BodyReader<unknown>['mediaTypes']): void {
  const refuse = (why: string): never => {
    throw new MedzenError('unsupported_media_type', why);
  };
  const coding = headers.get('content-encoding');
  if (coding !== null && coding.trim().toLowerCase() !== 'identity') refuse('Encoded bodies are not taken');
  if (mediaTypes.length === 0) return;
  const [essence = '', ...parameters] = (headers.get('content-type') ?? '').split(';');
  if (!mediaTypes.includes(essence.trim().toLowerCase())) refuse('The body must be of another media type');
  for (const parameter of parameters) {
    const [, charset] = /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/i.exec(parameter) ?? [];
    if (charset !== undefined && charset.toLowerCase() !== 'utf-8') refuse('The body must be UTF-8');
  }
}

/**
 * The raw bytes of a request.
 *
 * @param deadlineMs - for the whole body
 * @throws MedzenError `body_too_large`, at once if Content-Length admits it; `invalid_input` when it breaks off or is late
 */
export async function readBody(request: Request, maxBytes: number, deadlineMs: number): Promise<Uint8Array> {
  const stated = request.headers.get('content-length');
  if (stated !== null && Number(stated) > maxBytes) throw tooLarge(maxBytes);
  if (request.bodyUsed)
    throw new MedzenError(
      'invalid_configuration',
      'The request body was read before the guard; mount guarded routes before any body parser',
    );
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), deadlineMs);
  try {
    return await readBytes(request.body, maxBytes, late.signal);
  } finally {
    clearTimeout(timer);
  }
}
