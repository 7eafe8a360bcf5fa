import { MedzenError } from '@medzen/core';
import { type GuardedHandler, json } from '@medzen/security';
import { z } from 'zod';
import { holds, perAddress, perPerson, signedIn } from '../guard.ts';
import type { Services } from '../services.ts';

// In the body, since URLs end up in logs of proxies, in histories and in monitoring.
const Asked = z.strictObject({ patient: z.string().min(1).max(256) });

/** Everyone who saw a patient's record, or was refused it. Patients may ask for their own. */
export function accessReport({ guard, auth, cors, audit }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /access-reports',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: signedIn,
      body: json(Asked, { maxBytes: '1kb' }),
    },
    async (_request, ctx) => {
      const { patient } = ctx.body;
      const report = await audit.audited({ action: 'audit.report', kind: 'read', patient }, ctx, () => {
        if (patient !== ctx.actor.id && !holds(ctx.actor, 'audit:read'))
          throw new MedzenError('forbidden', 'Only the patient and auditors see who saw a record');
        return audit.accessReport(ctx.scope, patient);
      });
      return Response.json(report);
    },
  );
}
