import { can, type GuardedHandler } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

const text = z.string().min(1).max(256);
const instant = z.iso.datetime().transform((value) => new Date(value));
const Query = z.strictObject({
  patient: text.exactOptional(),
  actor: text.exactOptional(),
  action: text.exactOptional(),
  outcome: z.enum(['success', 'denied', 'failed']).exactOptional(),
  targetId: text.exactOptional(),
  from: instant.exactOptional(),
  to: instant.exactOptional(),
  limit: z.coerce.number().int().min(1).max(1000).exactOptional(),
  cursor: z.string().max(512).exactOptional(),
});

/** The log, newest first. Reading it is written in it. */
export function auditSearch({ guard, auth, cors, audit }: Services): GuardedHandler {
  return guard.secure(
    { route: 'GET /audit/events', auth, cors, limits: [perAddress, perPerson], allow: can('audit:read'), query: Query },
    async (_request, ctx) => {
      const { patient } = ctx.query;
      const page = await audit.audited(
        { action: 'audit.search', kind: 'read', ...(patient === undefined ? {} : { patient }) },
        ctx,
        () => audit.search(ctx.scope, ctx.query),
      );
      return Response.json(page);
    },
  );
}
