import { MedzenError } from '@medzen/core';
import { can, type GuardedHandler } from '@medzen/security';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

/** A participant takes consent back, and the recording stops. */
export function withdraw({ guard, auth, cors, recordings, visits }: Services): GuardedHandler {
  return guard.secure(
    { route: 'DELETE /visits/:visit/consent', auth, cors, limits: [perAddress, perPerson], allow: can('consent:give') },
    async (_request, ctx) => {
      const visit = visits.find(ctx.scope.tenant, ctx.params.visit);
      if (visit === undefined) throw new MedzenError('not_found', 'No such visit');
      // Whoever is let through here stops the recording, and holds up the next one.
      if (!visit.participants.some((one) => one.id === ctx.actor.id))
        throw new MedzenError('forbidden', 'Only those who take part can withdraw');
      const { id, at, decision } = await recordings.consent.withdraw(
        { sessionId: visit.id, patient: visit.patient },
        ctx,
      );
      return Response.json({ id, at, decision });
    },
  );
}
