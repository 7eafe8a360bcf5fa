import type { Actor, AuditStore, Clock, Ids, Logger, Random, RateLimitStore } from '@medzen/core';
import type { Permissions } from './authorize.ts';
import type { TrustedProxies } from './network/trusted-proxies.ts';

/** The request an error belongs to. */
export interface ErrorOrigin {
  /** Also in the client's problem document. */
  readonly requestId: string;
  /** The template. */
  readonly route: string;
}

/** Dependencies of a guard. */
export interface GuardDeps {
  /** Store for denial events. */
  readonly audit: AuditStore;
  /** Without it a policy with `limits` does not type-check. */
  readonly limits?: RateLimitStore;
  /** Role → permissions, for `can`. */
  readonly permissions?: Permissions;
  /** Trusted forwarding headers. Default: none. */
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
  /** Deadline of the limit store, ms. Default 500. */
  readonly limitDeadlineMs?: number;
  /** Deadline for a denial's audit event, ms; after it the denial is answered without one. Default 2000. */
  readonly auditDeadlineMs?: number;
  /** Denials of one kind within this many milliseconds after the first are counted, not written one by one. Default 60 000. */
  readonly denialWindowMs?: number;
  /** Deadline for receiving a body, ms. Default 30,000. */
  readonly bodyDeadlineMs?: number;
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly random?: Random;
  /** Logger for operators. Receives codes, routes and request ids only. */
  readonly logger?: Pick<Logger, 'warn' | 'error'>;
  /** Every error that the client was not told of, as it was thrown, and nobody else gets. It may hold anything: the host decides. */
  readonly onError?: (error: unknown, about: ErrorOrigin) => void;
  /** For the keys of identity providers. */
  readonly fetch?: typeof fetch;
}
