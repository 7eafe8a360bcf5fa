import { can, type GuardedHandler } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import { recordingView } from '../recording-view.ts';
import type { Services } from '../services.ts';

/** Where a recording stands. */
export function status({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'GET /recordings/:id',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('recording:watch'),
      params: z.object({ id: z.uuid() }),
    },
    async (_request, ctx) => Response.json(recordingView(await recordings.status(ctx.params.id, ctx))),
  );
}
