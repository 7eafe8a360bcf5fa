import { MedzenError, scopeOf } from '@medzen/core';
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
      auth: webhook({
        name: provider.name,
        verify: (request) => {
          const verdict = provider.verify(request);
          return verdict.ok || verdict.reason === 'body_malformed' ? { ok: true } : verdict;
        },
      }),
      limits: [perAddress],
      query: z.object({ tenant: z.string() }),
    },
    async (request, ctx) => {
      const told = provider.verify({ url: ctx.url.href, headers: request.headers, body: ctx.rawBody });
      if (!told.ok) throw new MedzenError('invalid_input', 'Signed, but not a callback that Twilio documents');
      const scope = scopeOf(ctx.query.tenant);
      const results: string[] = [];
      for (const event of told.events) {
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
