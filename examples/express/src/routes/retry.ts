import { can, type GuardedHandler } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import { recordingView } from '../recording-view.ts';
import type { Services } from '../services.ts';

/** Sends a failed transfer round again; the next job takes it. */
export function retry({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /recordings/:id/retry',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('recording:make'),
      params: z.object({ id: z.uuid() }),
    },
    async (_request, ctx) => Response.json(recordingView(await recordings.retryTransfer(ctx.params.id, ctx))),
  );
}
