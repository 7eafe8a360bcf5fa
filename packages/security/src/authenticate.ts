import { MedzenError, scopeOf } from '@medzen/core';
import type { AnyPolicy } from './any-policy.ts';
import type { Attempt } from './attempt.ts';
import { readBody } from './body/read-body.ts';
import type { GuardTools } from './guard-tools.ts';
import type { Claims } from './identity/auth.ts';

/** Context fields that authentication adds. */
export interface Identified {
  readonly claims?: Claims;
  readonly issuer?: string;
  readonly rawBody?: Uint8Array;
  readonly events?: readonly unknown[];
}

/**
 * Finds out who calls and sets the attempt's actor and scope.
 *
 * @throws MedzenError `unauthenticated`, `signature_invalid`, `forbidden` (no usable tenant); `body_too_large` and `invalid_input` (signed,
 * but malformed) of a webhook; `provider_unavailable`
 */
export async function authenticate(attempt: Attempt, policy: AnyPolicy, tools: GuardTools): Promise<Identified> {
  const { auth } = policy;
  if (auth.kind === 'public') return {};
  if (auth.kind === 'webhook') return authenticateWebhook(attempt, policy, tools);
  const waitUntil = (work: Promise<unknown>): void => attempt.info?.waitUntil?.(work);
  const verdict = await auth.authenticate(attempt.request.headers, { ...tools.auth, waitUntil });
  if (!verdict.ok) {
    attempt.reason = verdict.reason;
    throw new MedzenError('unauthenticated', 'Credentials are missing or not valid');
  }
  attempt.actor = verdict.actor;
  try {
    attempt.scope = scopeOf(tools.tenantOf(verdict.actor, attempt.request));
  } catch (cause) {
    attempt.reason = 'tenant';
    throw new MedzenError('forbidden', 'No valid tenant for this identity; check tenantOf or defaultTenant', { cause });
  }
  return { claims: verdict.claims, issuer: verdict.issuer };
}

async function authenticateWebhook(attempt: Attempt, policy: AnyPolicy, tools: GuardTools): Promise<Identified> {
  const { auth, body } = policy;
  if (auth.kind !== 'webhook') return {};
  const { request, client } = attempt;
  const maxBytes = Math.min(auth.maxBytes, body?.maxBytes ?? auth.maxBytes);
  const rawBody = await readBody(request, maxBytes, tools.bodyDeadlineMs);
  const verdict = await auth.verify({ url: client.receivedUrl, headers: request.headers, body: rawBody });
  if (!verdict.ok && verdict.reason !== 'body_malformed') {
    attempt.reason = verdict.reason;
    if (verdict.reason === 'signature_invalid') reportSignature(attempt, policy, tools);
    throw new MedzenError('signature_invalid', 'The signature of the webhook does not verify');
  }
  attempt.signed = true;
  attempt.actor = {
    id: `webhook:${auth.name}`,
    type: 'service',
    roles: ['webhook'],
    tenant: tools.auth.defaultTenant,
  };
  if (!verdict.ok) {
    attempt.reason = verdict.reason;
    throw new MedzenError('invalid_input', 'The webhook is signed, but the provider documents no such body');
  }
  return { rawBody, events: verdict.events ?? [] };
}

/** Tells the log which URL was checked, by its origin and template: paths and queries may carry ids. */
function reportSignature({ requestId, client }: Attempt, { route }: AnyPolicy, tools: GuardTools): void {
  const template = route.slice(route.indexOf(' ') + 1);
  const remedy =
    tools.ownOrigin === undefined
      ? { remedy: 'behind a proxy, set publicOrigin to the origin that the sender calls' }
      : {};
  tools.logger.warn('The signature of a webhook does not verify', {
    requestId,
    route,
    checked: `${client.url.origin}${template}`,
    ...remedy,
  });
}
