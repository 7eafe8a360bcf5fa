import {
  type LeafSpan,
  type LogLeaf,
  MedzenError,
  type ObjectStore,
  openStoredEvent,
  withObjectDeadlines,
} from '@medzen/core';
import { archivePaths } from './archive-manifest.ts';
import { readLines } from './read-lines.ts';

/**
 * The events of a range of the archive, in leaf order, with their canonical bytes: for an answer to somebody who asks after the purge, or for
 * evidence (`createEvidence(log, eventId, { body })`). Streams. It proves nothing: `verifyArchive` does, and evidence proves itself.
 *
 * @param objects - the archive's
 * @param prefix - of the archive, with its slash
 * @param span - as `ArchiveStore.list` gives
 * @throws MedzenError `not_found` when the file is not there; `store_unavailable`
 * @example
 * ```ts
 * import { createEvidence, readArchive } from '@medzen/audit';
 * import type { ObjectStore, Stores } from '@medzen/core';
 * async function evidenceOf(store: Stores, objects: ObjectStore, eventId: string): Promise<string | undefined> {
 *   const index = (await store.log.leafOf(eventId)) ?? -1;
 *   for (const row of await store.archive.list(0, 1000))
 *     if (row.first <= index && index < row.end)
 *       for await (const leaf of readArchive(objects, 'audit/', row))
 *         if (leaf.index === index) return createEvidence(store.log, eventId, { body: leaf.body });
 *   return undefined;
 * }
 * ```
 */
export async function* readArchive(
  objects: ObjectStore,
  prefix: string,
  span: LeafSpan,
): AsyncGenerator<LogLeaf & { readonly body: Uint8Array }> {
  const stored = await withObjectDeadlines(objects).get(prefix + archivePaths(span).events);
  if (stored === undefined) throw new MedzenError('not_found', 'There is no such file in the archive');
  let index = span.first;
  for await (const body of readLines(stored.body, { update: () => {} })) {
    yield { index, eventId: openStoredEvent(body)?.id ?? '', body }; // damaged bytes have no id, and prove nothing
    index++;
  }
}
