import type { Actor, AuditStore, Clock, Ids, Random, RateLimitStore } from '@medzen/core';
import { MedzenError } from '@medzen/core';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Permissions } from './authorize.ts';
import type { BodyReader } from './body/body-reader.ts';
import type { Auth } from './identity/auth.ts';
import type { GuardLogger } from './logger.ts';
import type { TrustedProxies } from './network/trusted-proxies.ts';
import type { FetchHandler, Handler, Policy } from './policy.ts';
import type { Route } from './route.ts';

/** What a guard works with. */
export interface GuardDeps {
  /** Where denials are written. */
  readonly audit: AuditStore;
  /** Without it a policy with `limits` does not type-check. */
  readonly limits?: RateLimitStore;
  /** Role → permissions, for `can`. */
  readonly permissions?: Permissions;
  /** Which forwarding headers are believed. Absent = none. */
  readonly trustedProxies?: TrustedProxies;
  /**
   * Scheme, host and port under which clients call (`https://api.clinic.example`). Webhook signatures cover the
   * public URL; behind a proxy either this or `trustedProxies` must tell it. This one is safer: no header decides.
   */
  readonly publicOrigin?: string;
  /** The tenant of public routes, webhooks, IP limits and of identities that name none. Default `'default'`. */
  readonly defaultTenant?: string;
  /** The tenant a request works in. Default: the actor's own. Never take it from the request without checking the actor. */
  readonly tenantOf?: (actor: Actor, request: Request) => string;
  /** Keys of limits are HMACed with it before they reach a shared store. ≥ 32 bytes. */
  readonly limitSecret?: Uint8Array;
  /** Bits of an IPv6 address that count as one client. 56 or 64 (default). */
  readonly ipv6Prefix?: 56 | 64;
  /** How long the limit store may take. Default 500. */
  readonly limitDeadlineMs?: number;
  /** How long a denial waits for its audit event before it is answered without. Default 2000. */
  readonly auditDeadlineMs?: number;
  /** Denials of one kind within this many milliseconds after the first are counted, not written one by one. Default 60 000. */
  readonly denialWindowMs?: number;
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly random?: Random;
  readonly logger?: GuardLogger;
  /** For the keys of identity providers. */
  readonly fetch?: typeof fetch;
}

/** What a policy may not use because its guard lacks the store for it. */
export type Lacking<D extends GuardDeps> = D extends { readonly limits: RateLimitStore }
  ? unknown
  : { readonly limits?: never };

/** Makes guarded handlers that share stores, clock and counters. */
export interface Guard<D extends GuardDeps = GuardDeps> {
  /**
   * @throws MedzenError `invalid_configuration` for a policy that contradicts itself or needs what the guard lacks
   */
  secure<
    const R extends Route,
    A extends Auth,
    P extends StandardSchemaV1 | undefined = undefined,
    Q extends StandardSchemaV1 | undefined = undefined,
    B extends BodyReader<unknown> | undefined = undefined,
  >(policy: Policy<R, A, P, Q, B> & Lacking<D>, handler: Handler<R, A, P, Q, B>): FetchHandler;

  /** Writes the counted denials. Call it at shutdown, and from a timer if quiet hours should not hold them back. */
  flush(): Promise<void>;
}

/**
 * Gathers what policies need, once a process.
 *
 * @throws MedzenError `invalid_configuration`
 * @example
 * ```ts
 * import type { Stores } from '@medzen/core';
 * import { createGuard, json, limit, oidc, roles } from '@medzen/security';
 * import { z } from 'zod';
 * declare const stores: Stores;
 * const { secure } = createGuard({ audit: stores.audit, limits: stores.limits, trustedProxies: { hops: 1 } });
 * const start = secure(
 *   {
 *     route: 'POST /v1/sessions/:id/recording',
 *     auth: oidc({ issuer: 'https://id.clinic.example/', audience: 'api' }),
 *     allow: roles('provider'),
 *     limits: [limit('recording-start', { rate: 10, per: '1m', by: 'user' })],
 *     params: z.object({ id: z.uuid() }),
 *     body: json(z.object({ reason: z.string().max(200) })),
 *   },
 *   async (_request, ctx) => Response.json({ session: ctx.params.id, by: ctx.actor.id, reason: ctx.body.reason }),
 * );
 * await start(new Request('https://api.clinic.example/v1/sessions/1/recording', { method: 'POST' }));
 * ```
 */
export function createGuard<const D extends GuardDeps>(deps: D): Guard<D> {
  throw new MedzenError('internal', `Being written ${typeof deps}`);
}
