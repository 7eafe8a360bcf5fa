import { MedzenError } from '@medzen/core';
import { can, type GuardedHandler } from '@medzen/security';
import { perAddress, startsPerPerson } from '../guard.ts';
import { recordingView } from '../recording-view.ts';
import type { Services } from '../services.ts';

/** The provider starts the recording, once everyone has consented. */
export function start({ guard, auth, cors, recordings, provider, visits }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /visits/:visit/recording',
      auth,
      cors,
      limits: [perAddress, startsPerPerson],
      allow: can('recording:make'),
    },
    async (_request, ctx) => {
      const visit = visits.find(ctx.scope.tenant, ctx.params.visit);
      if (visit === undefined) throw new MedzenError('not_found', 'No such visit');
      const recording = await recordings.start(
        {
          sessionId: visit.id,
          patient: visit.patient,
          participants: visit.participants,
          provider: provider.name,
          providerRef: visit.roomSid,
          retentionClass: visit.retentionClass,
        },
        ctx,
      );
      return Response.json(recordingView(recording), { status: 201 });
    },
  );
}
