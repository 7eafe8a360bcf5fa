import { can, type GuardedHandler } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

/** A link that saves as a file, for five minutes. */
export function download({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'GET /recordings/:id/download',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('recording:watch'),
      params: z.object({ id: z.uuid() }),
    },
    async (_request, ctx) => Response.json(await recordings.downloadUrl(ctx.params.id, ctx)),
  );
}
