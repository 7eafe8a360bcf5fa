import {
  type AuditLog,
  type CheckpointMemory,
  createAuditLog,
  createJobReporter,
  createSequencer,
  type JobReporter,
  type Sequencer,
  type Signer,
  type VerifyLogOptions,
} from '@medzen/audit';
import { type AuditContext, type Clock, type Logger, type ObjectStore, type Stores, scopeOf } from '@medzen/core';
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

/** Dependencies of the app. `main.ts` makes it from the environment; tests and the demo by hand. */
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
  /** Verifier keys of origins that a rebase has ended; none when absent. */
  readonly endedKeys?: readonly string[];
  /** Remembers what was signed, outside the database. */
  readonly memory: CheckpointMemory;
  readonly visits: Visits;
  /** Keys of rate limits are hidden with it in the shared store: 32 bytes. */
  readonly limitSecret: Uint8Array;
  /** Milliseconds that the store may take over a limit or a refusal; the guard's defaults when absent. */
  readonly patienceMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Services of the routes. */
export interface Services {
  readonly guard: AppGuard;
  readonly auth: IdentityAuth;
  readonly cors: OriginList;
  readonly recordings: Recordings;
  readonly provider: Provider;
  readonly visits: Visits;
  readonly audit: AuditLog;
  readonly sequencer: Sequencer;
  /** The practice that runs the installation. */
  readonly tenant: string;
  /** Options for verifying the log. */
  readonly verification: () => Promise<VerifyLogOptions>;
  /** Puts into the log what the jobs came to. */
  readonly reports: JobReporter;
  /** The last checkpoint that was signed, from outside the database. */
  readonly lastCheckpoint: () => Promise<string | undefined>;
  readonly background: Background;
}

/** Puts Medzen together: one place, read from top to bottom. */
export function createServices(deps: AppDeps): Services {
  const { tenant, stores, clock, logger, signer, memory } = deps;
  const audit = createAuditLog({ store: stores.audit, clock });
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
    audit,
    sequencer: createSequencer({
      store: stores.log,
      signer,
      logger,
      memory,
    }),
    tenant,
    verification: async () => {
      const checkpoint = await lastCheckpoint();
      return {
        store: stores.log,
        verifierKeys: [signer.verifierKey, ...(deps.endedKeys ?? [])],
        ...(checkpoint === undefined ? {} : { checkpoint }),
      };
    },
    reports: createJobReporter({ audit, ctx: jobsOf(tenant), clock, logger }),
    lastCheckpoint,
    background: createBackground(logger),
  };
}

/** A host sends a letter or a mail here. */
function warn(logger: Logger, { recordingId, deadline, held }: RetentionWarning): void {
  logger.warn('A recording is to be deleted', { recordingId, deadline, held });
}

/** Context of the jobs of this process: a service acts. */
function jobsOf(tenant: string): AuditContext {
  return { scope: scopeOf(tenant), actor: { id: 'jobs', type: 'service', roles: [], tenant } };
}
