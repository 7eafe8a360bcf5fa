import { can, type GuardedHandler, json } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import { recordingView } from '../recording-view.ts';
import type { Services } from '../services.ts';

const Request = z.strictObject({ reason: z.string().min(1).max(500) });

/** A person asks for deletion. Retention and holds decide. */
export function deleteRecording({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'DELETE /recordings/:id',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('recording:delete'),
      params: z.object({ id: z.uuid() }),
      body: json(Request, { maxBytes: '4kb' }),
    },
    async (_request, ctx) => Response.json(recordingView(await recordings.delete(ctx.params.id, ctx.body, ctx))),
  );
}
