import { scopeOf } from '@medzen/core';
import { type GuardedHandler, webhook } from '@medzen/security';
import { z } from 'zod';
import { perAddress } from '../guard.ts';
import type { Services } from '../services.ts';

/**
 * What Twilio tells. The tenant stands in the URL that Twilio signs, so it is as authentic as the rest. The media is copied
 * after the answer, because Twilio waits for it.
 */
export function twilioWebhook({ guard, provider, recordings, background }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /webhooks/twilio',
      auth: webhook(provider),
      limits: [perAddress],
      query: z.object({ tenant: z.string() }),
    },
    async (_request, ctx) => {
      const scope = scopeOf(ctx.query.tenant);
      const results: string[] = [];
      for (const event of ctx.events) {
        const result = await recordings.ingest(event, scope, ctx.source);
        results.push(result.status);
        if (result.status === 'applied' && result.recording.state === 'uploading') {
          const { id } = result.recording;
          background.run('transfer', () => recordings.transfer(id, scope));
        }
      }
      return Response.json({ results });
    },
  );
}
