import { can, type GuardedHandler, json } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

const Keep = z.strictObject({ until: z.iso.datetime({ offset: true }), reason: z.string().min(1).max(500) });

/** Keeps one recording longer than its rules ask. The floor moves later only. */
export function keep({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'PUT /recordings/:id/keep-until',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('hold:manage'),
      params: z.object({ id: z.uuid() }),
      body: json(Keep, { maxBytes: '4kb' }),
    },
    async (_request, ctx) => {
      const { keepUntil } = await recordings.keepUntil(ctx.params.id, ctx.body, ctx);
      return Response.json({ keepUntil });
    },
  );
}
