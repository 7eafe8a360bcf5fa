import { MedzenError } from '@medzen/core';
import { can, type GuardedHandler, json } from '@medzen/security';
import { z } from 'zod';
import { consentText } from '../consent-text.ts';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

const Consent = z.strictObject({
  acknowledgements: z.strictObject({
    recording: z.boolean(),
    storage: z.boolean(),
    access: z.boolean(),
    retention: z.boolean(),
  }),
  /** Which text the person was shown. */
  textVersion: z.literal(consentText.version),
  /** ISO 3166-2, where the person is: `US-GA`. */
  location: z
    .string()
    .regex(/^[A-Z]{2}-[A-Z0-9]{1,3}$/)
    .exactOptional(),
});

/** A participant consents to being recorded. */
export function consent({ guard, auth, cors, recordings, visits }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /visits/:visit/consent',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('consent:give'),
      body: json(Consent, { maxBytes: '4kb' }),
    },
    async (_request, ctx) => {
      const visit = visits.find(ctx.scope.tenant, ctx.params.visit);
      if (visit === undefined) throw new MedzenError('not_found', 'No such visit');
      if (!visit.participants.some(({ id }) => id === ctx.actor.id))
        throw new MedzenError('forbidden', 'Only those who take part can consent');
      const given = await recordings.consent.give(
        {
          ...ctx.body,
          sessionId: visit.id,
          patient: visit.patient,
          text: consentText.text,
          language: consentText.language,
          method: 'click',
        },
        ctx,
      );
      const { id, at, decision, textVersion, textSha256 } = given;
      return Response.json({ id, at, decision, textVersion, textSha256 }, { status: 201 });
    },
  );
}
