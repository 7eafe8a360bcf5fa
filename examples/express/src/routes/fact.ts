import { MedzenError } from '@medzen/core';
import { can, type GuardedHandler, json } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

const Fact = z.strictObject({
  patient: z.string().min(1).max(256),
  type: z.enum(['treatment', 'discharge', 'therapy_ended', 'birth', 'death', 'claim_opened', 'claim_closed']),
  date: z.iso.date(),
  /** IANA zone in which that was the date. */
  zone: z.string().max(64),
});

/** Something that retention counts from: a treatment, a birth date, a claim. */
export function fact({ guard, auth, cors, recordings, visits }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /facts',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('fact:note'),
      body: json(Fact, { maxBytes: '1kb' }),
    },
    async (_request, ctx) => {
      if (!visits.treats(ctx.scope.tenant, ctx.actor.id, ctx.body.patient))
        throw new MedzenError('forbidden', 'Only those who treat a patient note facts');
      const noted = await recordings.noteFact(ctx.body, ctx);
      return Response.json(noted, { status: 201 });
    },
  );
}
