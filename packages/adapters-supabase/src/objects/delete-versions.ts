import { type DeleteVersionsResult, MedzenError } from '@medzen/core';
import { checkKey, namesOf } from './object-name.ts';
import type { Bucket, StorageBucketLike } from './storage-client.ts';
import { told } from './storage-error.ts';

type Version = { readonly key: string; readonly versionId: string };
type Outcome = 'deleted' | 'locked';

/** Names a request takes; projects may be set to fewer than 1000. */
const batch = 200;

/**
 * Removes versions: the bytes first, then, when they are gone, the mark, so that what is left by a crash is still listed. Storage
 * answers with what it removed; what it does not name was either not there or may not be removed, and is looked for.
 */
export async function deleteVersions(
  bucket: Bucket,
  versions: readonly Version[],
  signal?: AbortSignal,
): Promise<DeleteVersionsResult> {
  if (versions.length > 1000) throw new MedzenError('invalid_input', 'One call deletes at most 1000 versions');
  for (const { key } of versions) checkKey(key);
  const api = await bucket.api();
  const deleted: Version[] = [];
  const errors: DeleteVersionsResult['errors'][number][] = [];
  let failure: unknown;
  for (let at = 0; at < versions.length; at += batch) {
    signal?.throwIfAborted();
    const part = versions.slice(at, at + batch);
    try {
      const outcomes = await deletePart(api, part);
      for (const [i, { key, versionId }] of part.entries()) {
        if (outcomes[i] === 'deleted') deleted.push({ key, versionId });
        else errors.push({ key, versionId, reason: 'locked', code: 'AccessDenied' });
      }
    } catch (error) {
      failure = error;
      for (const { key, versionId } of part) errors.push({ key, versionId, reason: 'transient', code: 'Unavailable' });
    }
  }
  if (failure !== undefined && errors.every(({ reason }) => reason === 'transient') && deleted.length === 0)
    throw failure;
  return { deleted, errors };
}

async function deletePart(api: StorageBucketLike, part: readonly Version[]): Promise<readonly Outcome[]> {
  const names = part.map(({ key, versionId }) => namesOf(key, versionId));
  const gone = await removeNames(
    api,
    names.flatMap((name) => name?.bytes ?? []),
  );
  const marks = names.flatMap((name) => (name !== undefined && gone.has(name.bytes) ? name.mark : []));
  const unmarked = await removeNames(api, marks);
  // A version id of another form was never given by this store.
  return names.map((name) => (name === undefined || unmarked.has(name.mark) ? 'deleted' : 'locked'));
}

/** @returns those that are not there any more, whether or not they ever were */
export async function removeNames(api: StorageBucketLike, names: readonly string[]): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set();
  const removed = await told(() => api.remove([...new Set(names)]));
  const gone = new Set(removed.map(({ name }) => name));
  const doubtful = names.filter((name) => !gone.has(name));
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let name = doubtful.pop(); name !== undefined; name = doubtful.pop()) {
        const prefix = name;
        const { objects } = await told(() => api.listV2({ prefix, limit: 1 }));
        if (objects[0]?.name !== name) gone.add(name);
      }
    }),
  );
  return gone;
}
