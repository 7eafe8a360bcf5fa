import { can, type GuardedHandler } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

/** Explains why a recording is kept, and until when: rules, facts, dates, holds, what is missing. */
export function explain({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'GET /recordings/:id/retention',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('retention:explain'),
      params: z.object({ id: z.uuid() }),
    },
    async (_request, ctx) => Response.json(await recordings.explain(ctx.params.id, ctx)),
  );
}
