import type { LogCommit, SealedEvent } from '@medzen/core';
import { same } from '../assertions.ts';
import { type CaseSamples, caseDefiner, type DefineCase } from '../define-case.ts';
import { modelCheckpoint, modelLeaf, modelRoot } from '../merkle-model.ts';
import type { LogStoreContext, StoreContext } from '../store-context.ts';

/** What a case of the log is given. */
export type Tools = StoreContext<'audit' | 'log'> & CaseSamples;

/** Makes a case of the log. */
export const define: DefineCase<LogStoreContext> = caseDefiner('log');

/** The commit that adds these events after those already in the tree. */
export function commitOf(done: readonly SealedEvent[], added: readonly SealedEvent[]): LogCommit {
  const leaf = ({ body }: SealedEvent): Uint8Array => modelLeaf(body);
  const before = done.map(leaf);
  const all = [...before, ...added.map(leaf)];
  const root = modelRoot(all);
  return {
    expectedSize: before.length,
    expectedRoot: modelRoot(before),
    eventIds: added.map(({ id }) => id),
    leafHashes: added.map(leaf),
    // Small trees only: one partial tile of leaf hashes.
    tiles: [{ level: 0, index: 0, hashes: join(all) }],
    root,
    checkpoint: modelCheckpoint(all.length, root),
  };
}

/** The hashes one after the other. */
export function join(hashes: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(32 * hashes.length);
  for (const [i, hash] of hashes.entries()) bytes.set(hash, 32 * i);
  return bytes;
}

/** Events of the case's own, stored and pending. */
export async function appended(tools: Tools, count: number): Promise<readonly SealedEvent[]> {
  const events = Array.from({ length: count }, () => tools.mine.event());
  await tools.stores.audit.append(tools.scope, events);
  return events;
}

/** The same, as the first leaves of the tree. */
export async function committed(tools: Tools, count: number): Promise<readonly SealedEvent[]> {
  const events = await appended(tools, count);
  same(await tools.stores.log.commitBatch(commitOf([], events)), { status: 'committed' }, 'first commit');
  return events;
}
