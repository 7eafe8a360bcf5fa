import { createPlayback } from '@medzen/recording/playback';
import { limit } from '@medzen/security';
import { z } from 'zod';
import { serve } from '../_shared/serve.ts';

// A link that plays for five minutes, for whoever takes part. People have no right to the bucket, so the service signs; who may see the
// recording is checked, and written down, before there is a link.
serve(({ guard, auth, cors, objects, asService }) =>
  guard.secure(
    {
      route: 'GET /playback/:id',
      cors,
      auth,
      limits: [limit('playback', { rate: 5, per: '1m', by: 'user' })],
      params: z.object({ id: z.uuid() }),
    },
    async (_request, ctx) => {
      const { stores } = await asService('links to media are signed by the service', 'playback', ctx);
      const { playbackUrl } = createPlayback({ stores, objects });
      return Response.json(await playbackUrl(ctx.params.id, ctx, { expiresInSeconds: 300 }));
    },
  ),
);
