import { memoryObjects } from '@medzen/adapters-local';
import {
  cosign,
  createArchiver,
  createCosigner,
  createReview,
  createSequencer,
  createSigner,
  eraseIdentity,
  publishLog,
  type TileTarget,
} from '@medzen/audit';
import { type LogStore, type Stores, systemRandom } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import { createSamples, fakeClock } from '@medzen/testing';
import type pg from 'pg';
import { type FreshDatabase, freshDatabase } from '../postgres.ts';

export const signer: ReturnType<typeof createSigner> = createSigner({
  origin: 'clinic.example/audit',
  privateKey: new Uint8Array(32).fill(7),
});
export const scope = { tenant: 'default' } as const;

/** A clinic's log with all that a log may come to hold, and what is kept of it elsewhere. */
export interface Clinic {
  readonly db: FreshDatabase;
  readonly owner: pg.Client;
  readonly stores: Stores;
  /** The last checkpoint, kept elsewhere. */
  readonly checkpoint: string;
  /** The published files, kept elsewhere. */
  readonly published: ReadonlyMap<string, Uint8Array>;
}

const dayMs = 86_400_000;

/** Files in memory, over a copy of what was published. */
export function filesOver(kept: ReadonlyMap<string, Uint8Array>): {
  readonly files: Map<string, Uint8Array>;
  readonly target: TileTarget;
} {
  const files = new Map(kept);
  return {
    files,
    target: {
      read: async (path) => files.get(path),
      write: async (path, bytes) => {
        files.set(path, bytes.slice());
      },
    },
  };
}

/** Everything at once: a purged range, plain events, a bulk write, pseudonyms, an erasure, a review signed and one open, a follower. */
export async function hostileClinic(): Promise<Clinic> {
  const db = await freshDatabase({ test: true });
  const owner = await db.connect();
  const stores = sqlStores(pgWire(db.pool));
  const clock = fakeClock('2019-03-05T09:00:00.000Z');
  const settle = async (ms = 0): Promise<void> => {
    clock.advance(ms);
    await owner.query('SELECT medzen.set_test_clock($1)', [clock.now().toISOString()]);
  };
  await settle();
  await owner.query('SELECT medzen.make_audit_partitions()');
  const samples = createSamples({ scope, clock });
  const sequencer = createSequencer({ store: stores.log, signer, memory: 'unguarded' });
  const seal = async (): Promise<void> => {
    for (let status = ''; status !== 'idle'; ) status = (await sequencer.tick()).status;
  };
  const append = async (...drafts: Parameters<typeof samples.event>[0][]): Promise<void> => {
    await stores.audit.append(
      scope,
      drafts.map((draft) => samples.event(draft)),
    );
    await seal();
  };
  const person = (id: string) => ({ id, type: 'user' }) as const;

  // 2019: what is purged in 2026.
  await append({ patient: 'old1' }, { patient: 'old2' }, { patient: 'vip', actor: person('snooper') });
  await settle(40 * dayMs);
  await append({ patient: 'old3' });
  await settle(40 * dayMs);
  const { files, target } = filesOver(new Map());
  await publishLog({ store: stores.log, target, entries: true });
  const archiver = createArchiver({
    ...{ store: stores, objects: memoryObjects({ clock }), prefix: 'audit/', verifierKeys: [signer.verifierKey] },
    clock,
  });
  await archiver.archive();
  await archiver.archive();
  await settle(Math.ceil(6.3 * 366) * dayMs);
  await owner.query('SELECT medzen.make_audit_partitions()');
  const { purged } = await archiver.purge({ scope, actor: { id: 'retention', type: 'service' } });
  if (purged.length === 0) throw new Error('Nothing was purged');
  await seal();

  // Today: bulk writes in clear, then pseudonyms.
  await settle(dayMs);
  await owner.query(`CREATE TABLE public.note (id int PRIMARY KEY, patient_id text, body text);
    SELECT medzen.audit_table('public.note', 'patient_id', 'statement');
    INSERT INTO public.note VALUES (1, 'vip', 'a'), (2, 'p2', 'b'), (3, 'p3', 'c');
    UPDATE public.note SET body = 'x';
    SELECT medzen.unaudit_table('public.note')`);
  await append(
    { patient: 'vip', actor: person('snooper'), purpose: 'BTG', reason: 'Emergency' },
    { patient: 'p2', actor: person('nurse'), action: 'recording.view' },
  );
  // Of another clinic, and in every column something else.
  clock.advance(60_000);
  const elsewhere = { tenant: 'clinic-b' };
  const theirs = createSamples({ scope: elsewhere, clock }).event({
    ...{ action: 'note.view', outcome: 'denied', purpose: 'HOPERAT', target: { type: 'note', id: 'n1' } },
    ...{ patient: 'theirs', actor: person('stranger') },
  });
  await stores.audit.append(elsewhere, [theirs]);
  await seal();
  clock.advance(60_000);
  await owner.query(`SELECT medzen.keep_erasable('patient', 'user')`);
  await append(
    { patient: 'vip', actor: person('snooper'), action: 'chart.open', target: { type: 'chart', id: 'c1' } },
    { patient: 'p9', actor: person('scapegoat'), action: 'chart.open', purpose: 'BTG', reason: 'Emergency' },
    { patient: 'gone', actor: person('nurse') },
  );
  const erased = await eraseIdentity(
    { ...stores, clock },
    { scope, actor: { id: 'dpo', type: 'service', roles: [], tenant: 'default' }, source: {} },
    { kind: 'patient', value: 'gone', reason: 'Request 12', despiteRetention: true },
  );
  if (erased.status !== 'erased') throw new Error(`Not erased: ${erased.status}`);
  await seal();
  const review = createReview({
    ...stores,
    clock,
    rules: [{ id: 'break-glass', look: ({ purpose }) => (purpose === 'BTG' ? {} : undefined) }],
  });
  await review.scan();
  const { reviews } = await review.list(scope);
  const officer = {
    scope,
    actor: { id: 'officer', type: 'service', roles: [], tenant: 'default' },
    source: {},
  } as const;
  await review.signOff(officer, { id: reviews[0]?.id ?? '', outcome: 'violation', note: 'Was not on duty' });
  await seal();
  await stores.cursors.move('siem', 0, 5);
  const { checkpoint = '', size } = await stores.log.head();
  const witness = createCosigner({ name: 'witness.example', privateKey: systemRandom.bytes(32) });
  await stores.log.addCosignature(
    size,
    await cosign(checkpoint.slice(0, checkpoint.lastIndexOf('\n\n') + 1), witness, clock),
  );
  await publishLog({ store: stores.log, target, entries: true });
  // One more waits for its leaf; and time stands still, lest the log be late at some cell.
  await owner.query('SELECT medzen.set_test_clock($1, true)', [clock.now().toISOString()]);
  await stores.audit.append(scope, [
    samples.event({ patient: 'vip', actor: person('snooper'), action: 'chart.print' }),
  ]);
  return { db, owner, stores, checkpoint: (await stores.log.head()).checkpoint ?? '', published: files };
}

/** The stores as they see what the owner does in an open transaction of his. */
export function storesInside(owner: pg.Client, db: FreshDatabase): Stores & { readonly log: LogStore } {
  const inside = pgWire(owner, { root: pgWire(db.pool) });
  return sqlStores({ ...inside, root: inside });
}
