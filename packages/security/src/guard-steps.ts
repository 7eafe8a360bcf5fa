import { errorFields, MedzenError, type Scope } from '@medzen/core';
import type { AnyHandler, AnyPolicy } from './any-policy.ts';
import { type Attempt, addLimitFields } from './attempt.ts';
import { authenticate, type Identified } from './authenticate.ts';
import { gatherFields } from './body/form.ts';
import { checkBodyHeaders, readBody } from './body/read-body.ts';
import { rulesOf } from './check-policy.ts';
import type { Cors } from './cors/cors.ts';
import type { GuardTools } from './guard-tools.ts';
import type { Limit } from './limits/limit.ts';
import { purposeOf } from './purpose.ts';
import { recordDegradedLimits } from './record-denial.ts';
import type { RoutePattern } from './route.ts';
import type { SecurityHeaders } from './security-headers.ts';
import { validate } from './validate.ts';

/** A route with everything that was worked out when it was made. */
export interface GuardedRoute {
  readonly policy: AnyPolicy;
  readonly handler: AnyHandler;
  readonly pattern: RoutePattern;
  readonly cors: Cors;
  readonly headers: SecurityHeaders;
  readonly tools: GuardTools;
}

/** More query fields than any form has. */
const maxQueryFields = 256;

/**
 * The fixed order, after CORS: method and path → IP limits → authentication → parameters and query → authorisation →
 * other limits → purpose → body → handler.
 *
 * @throws whatever a step or the handler throws
 */
export async function runSteps(route: GuardedRoute, attempt: Attempt): Promise<Response> {
  const { policy, handler, pattern } = route;
  const { request, client } = attempt;
  const raw = pattern.match(client.url.pathname);
  if (raw === undefined) throw new MedzenError('not_found', 'There is nothing under this path');
  if (!pattern.accepts(request.method)) {
    attempt.fields.set('allow', pattern.method === 'GET' ? 'GET, HEAD' : pattern.method);
    throw new MedzenError('method_not_allowed', 'This path has no such method');
  }
  await checkLimits(route, attempt, (limit) => limit.by === 'ip', attempt.scope);
  const identified = await authenticate(attempt, policy, route.tools);
  const params = policy.params === undefined ? raw : await validate(policy.params, raw);
  const query = await readQuery(policy, client.url);
  await authorise(route, attempt, raw);
  await checkLimits(route, attempt, (limit) => limit.by !== 'ip', attempt.scope);
  const purpose = purposeOf(policy.purpose, request.headers);
  const body = await readRouteBody(route, attempt, identified);
  attempt.reason = 'handler';
  const ctx = { ...contextOf(route, attempt, identified), ...purpose, params, query, body };
  return handler(request, ctx);
}

async function checkLimits(
  route: GuardedRoute,
  attempt: Attempt,
  which: (limit: Limit) => boolean,
  scope: Scope,
): Promise<void> {
  const { policy, pattern, tools } = route;
  const limits = policy.limits?.filter(which) ?? [];
  if (limits.length === 0 || tools.limiter === undefined) return;
  const { actor, clientKey } = attempt;
  const subjects = { ip: clientKey, tenant: scope.tenant, ...(actor === undefined ? {} : { user: actor.id }) };
  attempt.reason = 'limit_store';
  const verdict = await tools.limiter.check({ scope, route: pattern.template, limits, subjects });
  attempt.reason = '';
  addLimitFields(attempt, verdict.fields, !verdict.allowed);
  if (verdict.degraded !== undefined) recordDegradedLimits(tools, attempt, pattern.template, verdict.degraded);
  if (verdict.allowed) return;
  attempt.reason = verdict.refusedBy.join(',');
  throw new MedzenError('rate_limited', 'Too many requests; see Retry-After');
}

async function readQuery(policy: AnyPolicy, url: URL): Promise<unknown> {
  if (policy.query === undefined) return url.searchParams;
  return validate(policy.query, gatherFields(url.searchParams, maxQueryFields));
}

async function authorise(
  route: GuardedRoute,
  attempt: Attempt,
  params: Readonly<Record<string, string>>,
): Promise<void> {
  const { actor } = attempt;
  for (const rule of rulesOf(route.policy)) {
    if (actor === undefined) throw new MedzenError('unauthenticated', 'Credentials are missing or not valid');
    const verdict = await rule.authorize({ actor, params, permissions: route.tools.permissions ?? {} });
    if (verdict.ok) continue;
    attempt.reason = verdict.reason;
    throw new MedzenError('forbidden', 'Not allowed');
  }
}

async function readRouteBody(route: GuardedRoute, attempt: Attempt, identified: Identified): Promise<unknown> {
  const { body } = route.policy;
  if (body === undefined) return identified.rawBody;
  checkBodyHeaders(attempt.request.headers, body.mediaTypes);
  const { bodyDeadlineMs } = route.tools;
  return body.parse(identified.rawBody ?? (await readBody(attempt.request, body.maxBytes, bodyDeadlineMs)));
}

function contextOf(route: GuardedRoute, attempt: Attempt, identified: Identified): object {
  const { request, requestId, client, source, actor, scope, info } = attempt;
  const { logger, onError } = route.tools;
  const about = { requestId, route: route.pattern.template };
  const late = (error: unknown): void => {
    logger.error('Work after an answer failed', { ...about, ...errorFields(error) });
    onError(error, about);
  };
  return {
    requestId,
    source,
    route: route.pattern.template,
    url: client.url,
    signal: request.signal,
    waitUntil: (promise: Promise<unknown>) => {
      const watched = promise.catch(late);
      info?.waitUntil?.(watched);
    },
    ...(actor === undefined ? {} : { actor, scope, ...identified }),
  };
}
