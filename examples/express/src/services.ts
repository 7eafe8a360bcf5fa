import {
  type AuditLog,
  type CheckpointMemory,
  createAuditLog,
  createSequencer,
  type LogVerdict,
  type Sequencer,
  type Signer,
  verifyLog,
} from '@medzen/audit';
import type { Clock, Logger, ObjectStore, Stores } from '@medzen/core';
import {
  createRecordings,
  createRetention,
  georgiaPsychologist,
  type Provider,
  type Recordings,
  type RetentionWarning,
  retentionRules,
} from '@medzen/recording';
import { type FetchHandler, type IdentityAuth, type OriginList, origins } from '@medzen/security';
import { type Background, createBackground } from './background.ts';
import { type AppGuard, appGuard } from './guard.ts';
import type { Visits } from './visits.ts';

/** What the app is made of. `main.ts` makes it from the environment; tests and the demo by hand. */
export interface AppDeps {
  /** The practice: whose log the denials of unknown callers go to. */
  readonly tenant: string;
  readonly publicUrl: string;
  readonly origins: readonly string[];
  readonly stores: Stores;
  readonly objects: ObjectStore;
  /** Serves the links that the object store signs. S3 does that itself. */
  readonly media: FetchHandler;
  readonly auth: IdentityAuth;
  /** Twilio Video. */
  readonly provider: Provider;
  readonly signer: Signer;
  /** Remembers what was signed, outside the database. */
  readonly memory: CheckpointMemory;
  readonly visits: Visits;
  /** Keys of rate limits are hidden with it in the shared store: 32 bytes. */
  readonly limitSecret: Uint8Array;
  /** How long the store may take over a limit or a refusal, in milliseconds; the guard's defaults when absent. */
  readonly patienceMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the routes work with. */
export interface Services {
  readonly guard: AppGuard;
  readonly auth: IdentityAuth;
  readonly cors: OriginList;
  readonly recordings: Recordings;
  readonly provider: Provider;
  readonly visits: Visits;
  readonly audit: AuditLog;
  readonly sequencer: Sequencer;
  readonly verify: () => Promise<LogVerdict>;
  /** The last checkpoint that was signed, from outside the database. */
  readonly lastCheckpoint: () => Promise<string | undefined>;
  readonly background: Background;
}

/** Puts Medzen together: one place, read from top to bottom. */
export function createServices(deps: AppDeps): Services {
  const { stores, clock, logger, signer, memory } = deps;
  const lastCheckpoint = async (): Promise<string | undefined> => (await memory.read(signer.origin))?.checkpoint;
  return {
    guard: appGuard(deps),
    auth: deps.auth,
    cors: origins(...deps.origins),
    recordings: createRecordings({
      stores,
      objects: deps.objects,
      providers: { [deps.provider.name]: deps.provider },
      retention: createRetention({ rules: retentionRules, policies: [georgiaPsychologist] }),
      notifier: { retentionWarning: async (warning) => warn(logger, warning) },
      clock,
      logger,
    }),
    provider: deps.provider,
    visits: deps.visits,
    audit: createAuditLog({ store: stores.audit, clock }),
    sequencer: createSequencer({
      store: stores.log,
      signer,
      logger,
      memory,
    }),
    verify: async () => {
      const checkpoint = await lastCheckpoint();
      return verifyLog({
        store: stores.log,
        verifierKeys: [signer.verifierKey],
        ...(checkpoint === undefined ? {} : { checkpoint }),
      });
    },
    lastCheckpoint,
    background: createBackground(logger),
  };
}

/** A host sends a letter or a mail here. */
function warn(logger: Logger, { recordingId, deadline, held }: RetentionWarning): void {
  logger.warn('A recording is to be deleted', { recordingId, deadline, held });
}
