import { limit } from '@medzen/security';
import { z } from 'zod';
import { serve } from '../_shared/serve.ts';

// The recordings in which the caller takes part. Postgres answers as the caller, and writes the event of the reading itself.
serve(({ guard, auth, cors, asPerson }) =>
  guard.secure(
    {
      route: 'GET /my-recordings',
      cors,
      auth,
      limits: [limit('list', { rate: 60, per: '1m', by: 'user' })],
      query: z.object({ cursor: z.string().max(128).optional() }),
    },
    async (request, { query }) =>
      Response.json(await asPerson(request).call('list_my_recordings', { limit: 20, ...query })),
  ),
);
