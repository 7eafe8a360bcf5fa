import type { Actor, AuditSource, Scope } from '@medzen/core';
import type { HeaderFields } from './limits/rate-limit-headers.ts';
import type { Client } from './network/client.ts';
import type { ConnectionInfo } from './network/trusted-proxies.ts';

/** One request on its way through the guard: what is known of it so far. */
export interface Attempt {
  readonly request: Request;
  readonly info: ConnectionInfo | undefined;
  readonly requestId: string;
  readonly client: Client;
  /** The address or network that counts as one client. */
  readonly clientKey: string;
  readonly source: AuditSource;
  /** The default tenant's until the actor is known. */
  scope: Scope;
  actor: Actor | undefined;
  /** True for a webhook with a valid signature. */
  signed: boolean;
  /** For the answer. */
  readonly fields: Map<string, string>;
  /** Reason why the guard refuses, for the audit event; `handler` once the handler has the request. */
  reason: string;
}

/** Adds the limits' header fields; on a refusal only the refusing limits are told. */
export function addLimitFields(attempt: Attempt, fields: HeaderFields, refused: boolean): void {
  for (const [name, value] of fields) {
    const before = attempt.fields.get(name);
    const joins = before !== undefined && !(refused && name === 'ratelimit');
    attempt.fields.set(name, joins ? `${before}, ${value}` : value);
  }
}

const traceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/**
 * From where a request came, for audit events. The client's own words (`User-Agent`, `traceparent`) are taken as claims.
 *
 * @see https://www.w3.org/TR/trace-context/
 */
export function sourceOf(request: Request, requestId: string, client: Client): AuditSource {
  const userAgent = request.headers.get('user-agent');
  const [, traceId] = traceparent.exec(request.headers.get('traceparent') ?? '') ?? [];
  return {
    requestId,
    ...(client.ip === undefined ? {} : { ip: client.ip.text }),
    ...(userAgent === null ? {} : { userAgent: userAgent.slice(0, 512) }),
    ...(traceId === undefined ? {} : { traceId }),
  };
}
