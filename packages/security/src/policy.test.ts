import type { CallContext, RateLimitStore, Stores } from '@medzen/core';
import { describe, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { createGuard, form, json, limit, oidc, publicRoute, secure, webhook } from './index.ts';

// Compiled by the type check of the repository; never called, because there are no stores behind it.
export function typesOfPolicies(stores: Stores): void {
  const guard = createGuard({ audit: stores.audit, limits: stores.limits as RateLimitStore });
  const auth = oidc({ issuer: 'https://id.example', audience: 'api' });

  guard.secure(
    {
      route: 'POST /v1/sessions/:id/recording/:part',
      auth,
      limits: [limit('start', { rate: 1, per: '1m', by: 'user' })],
      query: z.object({ page: z.coerce.number() }),
      body: json(z.object({ name: z.string() }), { maxBytes: '32kb' }),
    },
    async (_request, ctx) => {
      expectTypeOf(ctx.params).toEqualTypeOf<{ readonly id: string; readonly part: string }>();
      expectTypeOf(ctx.query.page).toEqualTypeOf<number>();
      expectTypeOf(ctx.body).toEqualTypeOf<{ name: string }>();
      expectTypeOf(ctx.route).toEqualTypeOf<'POST /v1/sessions/:id/recording/:part'>();
      expectTypeOf(ctx).toExtend<CallContext>();
      return Response.json(ctx.claims.sub);
    },
  );
  guard.secure({ route: 'GET /healthz', auth: publicRoute('probe') }, (_request, ctx) => {
    expectTypeOf(ctx).not.toExtend<CallContext>();
    expectTypeOf(ctx.body).toEqualTypeOf<undefined>();
    // @ts-expect-error a public route has no actor
    ctx.actor;
    return new Response('ok');
  });
  guard.secure(
    { route: 'POST /hook', auth: webhook({ name: 'x', verify: () => ({ ok: true }) }) },
    async (_request, ctx) => {
      expectTypeOf(ctx.body).toEqualTypeOf<Uint8Array>();
      expectTypeOf(ctx).toExtend<CallContext>();
      return new Response();
    },
  );
  guard.secure(
    {
      route: 'POST /hook',
      auth: webhook({ name: 'x', verify: () => ({ ok: true }) }),
      body: form(z.object({ Sid: z.string() })),
    },
    async (_request, ctx) => {
      expectTypeOf(ctx.body).toEqualTypeOf<{ Sid: string }>();
      expectTypeOf(ctx.rawBody).toEqualTypeOf<Uint8Array>();
      return new Response();
    },
  );
  // @ts-expect-error auth may not be left out
  guard.secure({ route: 'GET /x' }, () => new Response());
  // @ts-expect-error not a route
  guard.secure({ route: '/x', auth }, () => new Response());

  const bare = createGuard({ audit: stores.audit });
  bare.secure({ route: 'GET /x', auth }, () => new Response());
  const limits = [limit('x', { rate: 1, per: '1m', by: 'ip' })];
  // @ts-expect-error limits need a store for them
  bare.secure({ route: 'GET /x', auth, limits }, () => new Response());
  // @ts-expect-error limits need a store for them
  secure({ deps: { audit: stores.audit }, route: 'GET /x', auth, limits }, () => new Response());
  secure({ deps: { audit: stores.audit, limits: stores.limits }, route: 'GET /x', auth, limits }, async (_r, ctx) =>
    Response.json(ctx.actor),
  );
  // @ts-expect-error symmetric algorithms cannot be pinned
  oidc({ issuer: 'https://id.example', audience: 'api', algorithms: ['HS256'] });
}

describe('the types of a policy', () => {
  test('infer what the handler gets and refuse what is missing', () => {
    expectTypeOf(typesOfPolicies).toBeFunction();
  });
});
