import {
  type Actor,
  type Clock,
  createIds,
  errorFields,
  type Ids,
  type Logger,
  MedzenError,
  type Scope,
  scopeOf,
  stderrLogger,
  systemClock,
  systemRandom,
} from '@medzen/core';
import type { Permissions } from './authorize.ts';
import { createDenialLog, type DenialLog } from './denials.ts';
import type { ErrorOrigin, GuardDeps } from './guard-deps.ts';
import type { AuthDeps } from './identity/auth.ts';
import { type RateLimiter, rateLimit } from './limits/rate-limit.ts';
import { createReadClient, type ReadClient } from './network/client.ts';

/** Dependencies shared by the routes of one guard, defaults filled in. */
export interface GuardTools {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Pick<Logger, 'warn' | 'error'>;
  /** Tells the host; never throws. */
  readonly onError: (error: unknown, about: ErrorOrigin) => void;
  readonly denials: DenialLog;
  readonly limiter: RateLimiter | undefined;
  readonly permissions: Permissions | undefined;
  readonly readClient: ReadClient;
  readonly ipv6Prefix: 56 | 64;
  readonly ownOrigin: string | undefined;
  readonly defaultScope: Scope;
  readonly tenantOf: (actor: Actor, request: Request) => string;
  readonly bodyDeadlineMs: number;
  readonly auth: AuthDeps;
}

/** @throws MedzenError `invalid_configuration` */
export function createGuardTools(deps: GuardDeps): GuardTools {
  const { clock = systemClock, random = systemRandom, logger = stderrLogger, defaultTenant = 'default' } = deps;
  const ids = deps.ids ?? createIds(clock, random);
  const windowMs = atLeastOne('denialWindowMs', deps.denialWindowMs ?? 60_000);
  const deadlineMs = atLeastOne('auditDeadlineMs', deps.auditDeadlineMs ?? 2000);
  return {
    clock,
    ids,
    logger,
    onError: (error, about) => {
      try {
        deps.onError?.(error, about);
      } catch (failure) {
        logger.error('onError itself failed', { ...about, ...errorFields(failure) });
      }
    },
    denials: createDenialLog({ audit: deps.audit, clock, ids, random, logger, windowMs, deadlineMs }),
    limiter: deps.limits === undefined ? undefined : limiterOf(deps, deps.limits, clock),
    permissions: deps.permissions,
    readClient: createReadClient(deps.trustedProxies, deps.publicOrigin),
    ipv6Prefix: deps.ipv6Prefix ?? 64,
    ownOrigin: deps.publicOrigin,
    defaultScope: tenantScope(defaultTenant),
    tenantOf: deps.tenantOf ?? ((actor) => actor.tenant),
    bodyDeadlineMs: atLeastOne('bodyDeadlineMs', deps.bodyDeadlineMs ?? 30_000),
    // The global is looked up at each call, so that a host may replace it after the guard was made.
    auth: { clock, fetch: deps.fetch ?? ((input, init) => fetch(input, init)), defaultTenant, logger },
  };
}

function limiterOf(deps: GuardDeps, store: NonNullable<GuardDeps['limits']>, clock: Clock): RateLimiter {
  return rateLimit({
    store,
    clock,
    deadlineMs: atLeastOne('limitDeadlineMs', deps.limitDeadlineMs ?? 500),
    ...(deps.limitSecret === undefined ? {} : { secret: deps.limitSecret }),
  });
}

function atLeastOne(name: string, ms: number): number {
  if (Number.isInteger(ms) && ms >= 1 && ms <= 2 ** 31 - 1) return ms;
  throw new MedzenError('invalid_configuration', `${name} must be a whole number of milliseconds, ≥ 1`);
}

function tenantScope(tenant: string): Scope {
  try {
    return scopeOf(tenant);
  } catch (cause) {
    throw new MedzenError('invalid_configuration', 'defaultTenant is not a tenant name', { cause });
  }
}
