import { can, type GuardedHandler, json } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

const text = z.string().min(1).max(256);
const instant = z.iso.datetime().transform((value) => new Date(value));
/** One, or several of which one must match. */
const some = <T extends z.ZodType>(one: T) => z.union([one, z.array(one).min(1).max(100)]).exactOptional();
// In the body, not in the URL: it names patients.
const Query = z.strictObject({
  patient: text.exactOptional(),
  actor: text.exactOptional(),
  action: some(text),
  outcome: some(z.enum(['success', 'denied', 'failed'])),
  purpose: some(text),
  targetType: text.exactOptional(),
  targetId: text.exactOptional(),
  from: instant.exactOptional(),
  to: instant.exactOptional(),
  limit: z.int().min(1).max(1000).exactOptional(),
  cursor: z.string().max(512).exactOptional(),
});

/** The log, newest first. Reading it is written in it. */
export function auditSearch({ guard, auth, cors, audit }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /audit/events/search',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('audit:read'),
      body: json(Query, { maxBytes: '16kb' }),
    },
    async (_request, ctx) => {
      const { patient } = ctx.body;
      const page = await audit.audited(
        { action: 'audit.search', kind: 'read', ...(patient === undefined ? {} : { patient }) },
        ctx,
        () => audit.search(ctx.scope, ctx.body),
      );
      return Response.json(page);
    },
  );
}
