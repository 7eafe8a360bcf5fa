import { isMedzenError } from '@medzen/core';

/** One line on why it did not start, where the reason is known and a stack would only hide it; else the error itself. */
export function startFailure(error: unknown): unknown {
  if (isMedzenError(error)) return `${error.code}: ${error.message}`;
  if (!(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'EADDRINUSE' && 'address' in error && 'port' in error)
    return `Something else listens on ${error.address}:${error.port} already; set PORT`;
  return ['EACCES', 'EROFS', 'ENOTDIR'].includes(String(error.code)) ? error.message : error;
}
