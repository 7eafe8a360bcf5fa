import { type MemoryInspector, memoryStores } from '@medzen/adapters-local';
import {
  type AuditEventDraft,
  createIds,
  type LogStore,
  type SealedEvent,
  type Stores,
  sealEvent,
  systemRandom,
  toHex,
} from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import { createSequencer, type SequencerDeps } from '../sequencer.ts';
import { createSigner, type Signer } from '../signer.ts';
import type { TileTarget } from '../tile-storage.ts';
import { type CheckpointMemory, memoryCheckpoints } from './checkpoint-memory.ts';
import { type Rebased, type RebaseOptions, rebaseLog } from './rebase.ts';

export const scope = { tenant: 'default' };
export const signerOf = (origin: string, byte: number): Signer =>
  createSigner({ origin, privateKey: new Uint8Array(32).fill(byte) });
export const a: Signer = signerOf('example.org/audit', 7);
export const b: Signer = signerOf('example.org/audit-2', 8);
export const c: Signer = signerOf('example.org/audit-3', 9);
export const allKeys: readonly string[] = [a, b, c].map(({ verifierKey }) => verifierKey);
export const decision: Pick<RebaseOptions, 'decidedBy' | 'reason'> = {
  decidedBy: { id: 'officer-1', name: 'R. Jones' },
  reason: 'The disk failed; the backup of 02:00 was restored.',
};

const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  patient: 'p1',
  source: {},
};

/** A log, and what is done to it. */
export interface TestLog extends Pick<Stores, 'audit' | 'log'> {
  /** All that were written. */
  readonly events: readonly SealedEvent[];
  write(count: number): Promise<readonly SealedEvent[]>;
  /** Sequences all that waits, in a process of its own. @returns the last checkpoint */
  seal(signer: Signer, deps?: Partial<SequencerDeps>): Promise<string>;
  rebase(signer: Signer, options?: Partial<RebaseOptions>): Promise<Rebased>;
}

/** A log over any stores, with one memory of what was signed. */
export function logOver(stores: Pick<Stores, 'audit' | 'log'>, memory: CheckpointMemory): TestLog {
  const clock = fakeClock();
  const sealing = { clock, random: systemRandom, ids: createIds(clock, systemRandom) };
  const events: SealedEvent[] = [];
  return {
    ...stores,
    events,
    write: async (count) => {
      const batch = Array.from({ length: count }, () => sealEvent(draft, sealing));
      await stores.audit.append(scope, batch);
      events.push(...batch);
      return batch;
    },
    seal: async (signer, deps = {}) => {
      const sequencer = createSequencer({ store: stores.log, signer, memory, ...deps });
      for (;;) {
        const result = await sequencer.tick();
        if (result.status === 'idle') return result.checkpoint ?? '';
      }
    },
    rebase: (signer, options = {}) =>
      rebaseLog({
        ...{ store: stores.log, memory, signer, scope, clock, ...decision },
        previousKeys: allKeys.filter((key) => key !== signer.verifierKey),
        ...options,
      }),
  };
}

/** A log whose database can be restored. */
export interface RestorableLog extends TestLog {
  readonly memory: CheckpointMemory;
  /** A backup of now. */
  backUp(): number;
  /** The database as it was. */
  restore(backup: number): Promise<void>;
  inspect(): MemoryInspector;
}

/** A log in memory whose database can be restored: built again from the batches that a backup held. */
export function restorable(memory: CheckpointMemory = memoryCheckpoints()): RestorableLog {
  type Step = (stores: Pick<Stores, 'audit' | 'log'>) => Promise<unknown>;
  const steps: Step[] = [];
  let present = memoryStores();
  /** What is written goes into the backup too. */
  const recorded = (store: LogStore): LogStore => ({
    ...store,
    commitBatch: async (commit) => {
      const answer = await store.commitBatch(commit);
      if (answer.status === 'committed') steps.push(({ log }) => log.commitBatch(commit));
      return answer;
    },
    commitRebase: async (tenant, event, commit) => {
      const answer = await store.commitRebase(tenant, event, commit);
      if (answer.status === 'committed') steps.push(({ log }) => log.commitRebase(tenant, event, commit));
      return answer;
    },
  });
  const proxy: Pick<Stores, 'audit' | 'log'> = {
    audit: {
      append: async (tenant, events, options) => {
        steps.push(({ audit }) => audit.append(tenant, events));
        return present.audit.append(tenant, events, options);
      },
      search: (...args) => present.audit.search(...args),
      summarize: (...args) => present.audit.summarize(...args),
    },
    log: forwarding(() => recorded(present.log)),
  };
  return {
    ...logOver(proxy, memory),
    memory,
    backUp: () => steps.length,
    restore: async (backup) => {
      steps.length = backup;
      const fresh = memoryStores();
      for (const step of steps) await step(fresh);
      present = fresh;
    },
    inspect: () => present.inspect,
  };
}

function forwarding(present: () => LogStore): LogStore {
  return {
    head: () => present().head(),
    readBatch: (limit) => present().readBatch(limit),
    commitBatch: (commit) => present().commitBatch(commit),
    commitRebase: (...args) => present().commitRebase(...args),
    readTile: (level, index) => present().readTile(level, index),
    readLeaves: (from, limit) => present().readLeaves(from, limit),
    leafOf: (eventId) => present().leafOf(eventId),
    addCosignature: (size, line) => present().addCosignature(size, line),
    checkpoints: (after, limit) => present().checkpoints(after, limit),
    readStrays: (after, limit) => present().readStrays(after, limit),
    lag: () => present().lag(),
  };
}

/** Published files in memory. */
export function files(): { readonly kept: Map<string, Uint8Array>; readonly target: TileTarget } {
  const kept = new Map<string, Uint8Array>();
  const target: TileTarget = {
    read: async (path) => kept.get(path),
    write: async (path, bytes, { immutable }) => {
      const present = kept.get(path);
      if (immutable && present !== undefined && toHex(present) !== toHex(bytes)) throw new Error(`changed: ${path}`);
      kept.set(path, bytes.slice());
    },
  };
  return { kept, target };
}
