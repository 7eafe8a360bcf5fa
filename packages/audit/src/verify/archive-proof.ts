import { toHex } from '@medzen/core';
import { type VerifyArchiveOptions, verifyArchive } from '../archive/verify-archive.ts';
import type { PurgeClaim } from './purge-claim.ts';

/** The archive that a purge is compared with, and the keys of its checkpoints. */
export interface ArchiveProofOptions extends Omit<VerifyArchiveOptions, 'first' | 'end' | 'signal'> {
  readonly signal: AbortSignal | undefined;
}

/**
 * Proves purges by the archive: the whole range is there, under the manifest that the purge names.
 *
 * @returns the latest instant of the range's events, in milliseconds since 1970; or why the archive does not prove it
 */
export function archiveProof(options: ArchiveProofOptions): (claim: PurgeClaim) => Promise<number | string> {
  const { signal, ...archive } = options;
  return async ({ first, end, manifestSha256 }) => {
    const verdict = await verifyArchive({ ...archive, first, end, ...(signal && { signal }) });
    if (!verdict.ok) return verdict.reason;
    if (toHex(verdict.manifestSha256) !== manifestSha256) return 'another manifest';
    return verdict.newestAt === undefined ? 'no instant' : Date.parse(verdict.newestAt);
  };
}
