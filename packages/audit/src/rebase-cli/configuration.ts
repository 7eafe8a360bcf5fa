import { type LogStore, MedzenError, type Scope } from '@medzen/core';
import type { CheckpointMemory } from '../sequencer/checkpoint-memory.ts';
import type { Signer } from '../signer.ts';
import type { TileSource } from '../tile-storage.ts';

/**
 * Configuration of an installation: the default export of a module of your application, which makes stores and signer
 * as its sequencer does, so that the key stays where it is (an environment variable, a KMS, an HSM).
 */
export interface RebaseConfiguration {
  readonly store: LogStore;
  /** The sequencer's. */
  readonly memory: CheckpointMemory;
  /** Signer of the new origin: a name and a key that have never signed. */
  readonly signer: Signer;
  /** Verifier keys of the origin that ends, and of those before it. */
  readonly previousKeys: readonly string[];
  /** The published files of the log, where there are some. */
  readonly published?: TileSource;
  /** Scope of the event that records the rebase; tenant `default` when absent. */
  readonly scope?: Scope;
  /** Ends connections. */
  readonly close?: () => Promise<void>;
}

/** Takes a module's default export, or what a function of it gives. @throws MedzenError `invalid_configuration` */
export async function readConfiguration(module: unknown): Promise<RebaseConfiguration> {
  const given: unknown =
    typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined;
  const made: unknown = await (typeof given === 'function' ? given() : given);
  const missing = ['store', 'memory', 'signer', 'previousKeys'].filter(
    (name) => typeof made !== 'object' || made === null || !(name in made),
  );
  if (missing.length > 0)
    throw new MedzenError(
      'invalid_configuration',
      `The configuration must export by default an object, or a function that makes it, with ${missing.join(', ')}`,
    );
  return made as RebaseConfiguration; // its members are checked by rebaseLog
}
