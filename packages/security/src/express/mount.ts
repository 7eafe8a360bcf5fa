import type { GuardedHandler } from '../policy.ts';
import { routes } from '../routes.ts';
import { type ExpressHandler, toExpress } from './to-express.ts';

/** The part of an Express application or router that is used. A router must be mounted at `/`: templates are whole paths. */
export interface ExpressRouter {
  all(path: RegExp, handler: ExpressHandler): unknown;
}

/**
 * Mounts guarded routes on an Express 5 application, all methods of a path together, so that preflights find the route of
 * the method they ask for and other methods are answered 405. Call it before any body parser is used.
 *
 * @throws MedzenError `invalid_configuration` when two routes are the same
 * @example
 * ```ts
 * import type { Stores } from '@medzen/core';
 * import { createGuard, publicRoute } from '@medzen/security';
 * import { mount } from '@medzen/security/express';
 * import express from 'express';
 * declare const stores: Stores;
 * const { secure } = createGuard({ audit: stores.audit });
 * const app = express();
 * mount(app, secure({ route: 'GET /healthz', auth: publicRoute('health probe') }, () => new Response('ok')));
 * ```
 */
export function mount(router: ExpressRouter, ...handlers: readonly GuardedHandler[]): void {
  for (const [path, group] of Map.groupBy(handlers, ({ pattern }) => pattern.path)) {
    router.all(pathOf(path), toExpress(routes(...group)));
  }
}

/**
 * Without captures: Express would decode what it captures, and answer what it cannot decode with a stack. Loose in case and in the last
 * slash, as Express is; the template then decides, and answers in our own words.
 */
function pathOf(template: string): RegExp {
  const segments = template.split('/').map((one) => (one.startsWith(':') ? '[^/]+' : one.replaceAll(/[.$]/g, '\\$&')));
  return new RegExp(`^${segments.join('/')}/?$`, 'i');
}
