import { can, type GuardedHandler } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import { recordingView } from '../recording-view.ts';
import type { Services } from '../services.ts';

/** The provider stops the recording. */
export function stop({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /recordings/:id/stop',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('recording:make'),
      params: z.object({ id: z.uuid() }),
    },
    async (_request, ctx) => Response.json(recordingView(await recordings.stop(ctx.params.id, ctx))),
  );
}
