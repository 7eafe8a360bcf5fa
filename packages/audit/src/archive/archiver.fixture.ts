import { memoryObjects } from '@medzen/adapters-local';
import type { ObjectStore, Scope, SealedEvent, Stores } from '@medzen/core';
import { createSamples, type StoreContext } from '@medzen/testing';
import { createSequencer } from '../sequencer.ts';
import { createSigner } from '../signer.ts';
import { type Archiver, type ArchiverDeps, createArchiver } from './archiver.ts';

export const signer: ReturnType<typeof createSigner> = createSigner({
  origin: 'example.org/audit',
  privateKey: new Uint8Array(32).fill(7),
});
export const verifierKeys: readonly string[] = [signer.verifierKey];
export const prefix = 'audit/';
export const day = 86_400_000;
export const purgedBy: { readonly scope: Scope; readonly actor: { readonly id: string; readonly type: 'service' } } = {
  scope: { tenant: 'clinic-a' },
  actor: { id: 'retention', type: 'service' },
};

/** A log in which a month has passed since each batch of events, and an archiver over it. */
export interface ArchivedLog {
  readonly context: StoreContext<keyof Stores>;
  readonly objects: ObjectStore;
  readonly archiver: Archiver;
  /** In leaf order. */
  readonly events: readonly SealedEvent[];
  /** Makes another archiver over the same, with parts replaced. */
  again(parts: Partial<Pick<ArchiverDeps, 'store' | 'objects' | 'deadlines'>>): Archiver;
  /** Makes every waiting event a leaf. */
  sequence(): Promise<void>;
}

/** @param months - how many events each of them has */
export async function archivedLog(
  context: StoreContext<keyof Stores>,
  months: readonly number[],
  options: { readonly maxLeaves?: number } = {},
): Promise<ArchivedLog> {
  const { stores, scope, clock, advance } = context;
  const samples = createSamples({ scope, clock });
  const objects = memoryObjects({ clock });
  const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer });
  const sequence = async (): Promise<void> => {
    for (let status = ''; status !== 'idle'; ) status = (await sequencer.tick()).status;
  };
  const events: SealedEvent[] = [];
  for (const count of months) {
    for (let left = count; left > 0; left -= 500) {
      const batch = Array.from({ length: Math.min(left, 500) }, () => samples.event({ patient: `p${events.length}` }));
      await stores.audit.append(scope, batch);
      events.push(...batch);
    }
    await sequence();
    await advance(32 * day);
  }
  const again: ArchivedLog['again'] = (parts) =>
    createArchiver({ store: stores, objects, prefix, verifierKeys, clock, ...options, ...parts });
  const leaves = await stores.log.readLeaves(0, 10_000);
  const byId = new Map(events.map((event) => [event.id, event]));
  const ordered = leaves.flatMap(({ eventId }) => byId.get(eventId) ?? []);
  return { context, objects, archiver: again({}), events: ordered, again, sequence };
}

/** Archives all that can be. @returns the ranges, `first-end` */
export async function archiveAll(archiver: Archiver): Promise<readonly string[]> {
  const done: string[] = [];
  for (let result = await archiver.archive(); result.status === 'archived'; result = await archiver.archive())
    done.push(`${result.first}-${result.end}`);
  return done;
}
