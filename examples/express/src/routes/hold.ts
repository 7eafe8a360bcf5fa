import { can, type GuardedHandler, json } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

const params = z.object({ id: z.uuid() });
const Hold = z.strictObject({ matter: z.string().min(1).max(200), reason: z.string().min(1).max(500) });

/** A duty to keep: while it stands, nothing deletes the recording. */
export function placeHold({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /recordings/:id/holds',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('hold:manage'),
      params,
      body: json(Hold, { maxBytes: '4kb' }),
    },
    async (_request, ctx) => {
      const hold = await recordings.legalHold.place({ ...ctx.body, target: { recordingId: ctx.params.id } }, ctx);
      return Response.json(hold, { status: 201 });
    },
  );
}

const Query = z.strictObject({
  active: z.boolean().exactOptional(),
  patient: z.string().min(1).max(256).exactOptional(),
  matter: z.string().min(1).max(200).exactOptional(),
  limit: z.number().int().min(1).max(1000).exactOptional(),
  cursor: z.string().max(512).exactOptional(),
});

/** The tenant's holds by page. A search is a POST, so that no patient stands in a URL. */
export function searchHolds({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /holds/search',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('hold:manage'),
      body: json(Query, { maxBytes: '4kb' }),
    },
    async (_request, ctx) => Response.json(await recordings.legalHold.list(ctx.body, ctx)),
  );
}

/** Release is not deletion: the sweep decides again. */
export function releaseHold({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    { route: 'DELETE /holds/:id', auth, cors, limits: [perAddress, perPerson], allow: can('hold:manage'), params },
    async (_request, ctx) => {
      await recordings.legalHold.release(ctx.params.id, ctx);
      return new Response(null, { status: 204 });
    },
  );
}
