import type { GuardedHandler } from '@medzen/security';
import { perAddress, perPerson, selfOr } from '../guard.ts';
import type { Services } from '../services.ts';

/** Everyone who saw a patient's record, or was refused it. Patients may ask for their own. */
export function accessReport({ guard, auth, cors, audit }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'GET /patients/:patient/access-report',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: selfOr('audit:read'),
    },
    async (_request, ctx) => {
      const { patient } = ctx.params;
      const report = await audit.audited({ action: 'audit.report', kind: 'read', patient }, ctx, () =>
        audit.accessReport(ctx.scope, patient),
      );
      return Response.json(report);
    },
  );
}
