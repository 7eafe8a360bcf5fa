import { scopeOf } from '@medzen/core';
import { createRecordings, createRetention, georgiaPsychologist, retentionRules, twilio } from '@medzen/recording';
import { webhook } from '@medzen/security';
import { serve } from '../_shared/serve.ts';

// What Twilio Video tells: verified over the raw bytes, then brought into the recording's life in whatever order it comes. The media is
// copied by a job (`transferDue`) elsewhere: Twilio waits for an answer, and a function at the edge lives for minutes only.
serve(({ guard, objects, asService, settings }) => {
  const { publicOrigin, tenant } = settings;
  const provider = twilio({ ...settings.twilio, statusCallback: `${publicOrigin}/functions/v1/twilio` });
  // Supabase takes /functions/v1 off the path, and Twilio signs the whole URL.
  const asSigned = (url: string): string => url.replace(publicOrigin, `${publicOrigin}/functions/v1`);
  const retention = createRetention({ rules: retentionRules, policies: [georgiaPsychologist] });
  return guard.secure(
    {
      route: 'POST /twilio',
      auth: webhook({
        name: provider.name,
        verify: (request) => provider.verify({ ...request, url: asSigned(request.url) }),
      }),
    },
    async (_request, ctx) => {
      const { stores } = await asService('what a provider tells concerns no person who is here', 'twilio', ctx);
      const recordings = createRecordings({ stores, objects, providers: { [provider.name]: provider }, retention });
      const results: string[] = [];
      for (const event of ctx.events)
        results.push((await recordings.ingest(event, scopeOf(tenant), ctx.source)).status);
      return Response.json({ results });
    },
  );
});
