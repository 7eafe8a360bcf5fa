import { errorFields, isMedzenError, MedzenError, problemTable } from '@medzen/core';
import type { AnyHandler, AnyPolicy } from './any-policy.ts';
import { type Attempt, sourceOf } from './attempt.ts';
import { checkPolicy } from './check-policy.ts';
import { cors } from './cors/cors.ts';
import { type GuardedRoute, runSteps } from './guard-steps.ts';
import type { GuardTools } from './guard-tools.ts';
import { clientKey } from './network/ip-address.ts';
import type { ConnectionInfo } from './network/trusted-proxies.ts';
import type { GuardedHandler } from './policy.ts';
import { problemResponse } from './problem-response.ts';
import { recordDenial } from './record-denial.ts';
import { parseRoute } from './route.ts';
import { securityHeaders } from './security-headers.ts';

/**
 * Puts a handler behind its policy. The answer never rejects: whatever is thrown becomes a problem document, and every
 * answer passes through the same end, where header fields are set and refusals are written down.
 *
 * @throws MedzenError `invalid_configuration`
 */
export function guardRoute(tools: GuardTools, policy: AnyPolicy, handler: AnyHandler): GuardedHandler {
  checkPolicy(policy, tools);
  const pattern = parseRoute(policy.route);
  const methods = pattern.method === 'GET' ? ['GET', 'HEAD'] : [pattern.method];
  const corsOptions = { methods, ...(tools.ownOrigin === undefined ? {} : { ownOrigin: tools.ownOrigin }) };
  const route: GuardedRoute = {
    policy,
    handler,
    pattern,
    tools,
    cors: cors(policy.cors, corsOptions),
    headers: policy.headers ?? securityHeaders(),
  };
  const guarded = async (request: Request, info?: ConnectionInfo): Promise<Response> => {
    try {
      return await answer(route, begin(route, request, info));
    } catch (error) {
      // Only what lies outside the steps can throw here: ids, the reading of addresses, the setting of header fields.
      tools.logger.error('The guard failed', { route: pattern.template, ...errorFields(error) });
      tools.onError(error, { requestId: '', route: pattern.template });
      const response = problemResponse(error);
      route.headers.apply(response.headers);
      route.cors.apply(response.headers, request);
      return response;
    }
  };
  return Object.assign(guarded, { pattern });
}

function begin(route: GuardedRoute, request: Request, info: ConnectionInfo | undefined): Attempt {
  const { tools } = route;
  const requestId = tools.ids.uuid();
  const client = tools.readClient(request, info);
  return {
    request,
    info,
    requestId,
    client,
    clientKey: client.ip === undefined ? 'unknown' : clientKey(client.ip, tools.ipv6Prefix),
    source: sourceOf(request, requestId, client),
    scope: tools.defaultScope,
    actor: undefined,
    signed: false,
    fields: new Map([['x-request-id', requestId]]),
    reason: '',
  };
}

async function answer(route: GuardedRoute, attempt: Attempt): Promise<Response> {
  const { tools } = route;
  const verdict = route.cors.check(attempt.request);
  let response: Response;
  let failure: unknown;
  try {
    if (verdict.kind === 'refuse') throw refusedOrigin(attempt);
    if (verdict.kind === 'preflight') {
      if (!verdict.allowed) attempt.reason = 'preflight';
      response = verdict.response;
    } else {
      response = sound(await runSteps(route, attempt));
    }
  } catch (error) {
    failure = error;
    report(route, attempt, error);
    response = problemResponse(error, attempt.requestId);
  }
  await recordDenial(tools, attempt, route.pattern.template, response.status, failure);
  const due = tools.denials.flushDue();
  if (due !== undefined) attempt.info?.waitUntil?.(due);
  return finish(route, attempt, response, verdict.kind === 'preflight');
}

/** Refuses what cannot be sent: hosts without types may answer anything. */
function sound(response: Response): Response {
  if (typeof response?.headers?.get !== 'function' || response.status === 0)
    throw new TypeError('The handler did not answer with a Response');
  if (response.bodyUsed) throw new TypeError('The body of the answer was read before it was sent');
  return response;
}

function refusedOrigin(attempt: Attempt): MedzenError {
  attempt.reason = 'origin';
  return new MedzenError('origin_not_allowed', 'Pages of this origin may not call this route');
}

/** What the host must see: everything the client is not told. */
function report(route: GuardedRoute, attempt: Attempt, error: unknown): void {
  const { logger, onError } = route.tools;
  const about = { requestId: attempt.requestId, route: route.pattern.template };
  const code = isMedzenError(error) ? error.code : 'internal';
  // A newer copy of core may know codes that this one does not.
  const status = problemTable[code]?.status ?? 500;
  if (status < 500) return;
  if (status === 500) logger.error('A request failed', { ...about, ...errorFields(error) });
  else logger.warn('A request could not be served', { ...about, ...errorFields(error) });
  onError(error, about);
}

function finish(route: GuardedRoute, attempt: Attempt, response: Response, isPreflight: boolean): Response {
  // A switch of protocols has no header fields of ours, and cannot be built anew.
  if (response.status < 200) return response;
  const { status, statusText } = response;
  const headOnly = attempt.request.method === 'HEAD';
  if (headOnly) response.body?.cancel().catch(() => undefined);
  // Never the handler's own object: it may be one that is answered again and again.
  const answer = new Response(headOnly ? null : response.body, { status, statusText, headers: response.headers });
  const { headers } = answer;
  for (const [name, value] of attempt.fields) headers.set(name, value);
  route.headers.apply(headers);
  headers.delete('x-powered-by');
  headers.delete('server');
  if (!isPreflight) route.cors.apply(headers, attempt.request);
  return answer;
}
