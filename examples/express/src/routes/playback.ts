import { can, type GuardedHandler } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

/** A link that plays for an hour. The access is in the audit log before the link exists. */
export function playback({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'GET /recordings/:id/playback',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('recording:watch'),
      params: z.object({ id: z.uuid() }),
    },
    async (_request, ctx) => Response.json(await recordings.playbackUrl(ctx.params.id, ctx)),
  );
}
