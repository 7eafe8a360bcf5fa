import { can, type GuardedHandler } from '@medzen/security';
import { ofInstallation, perAddress } from '../guard.ts';
import { seal } from '../jobs.ts';
import type { Services } from '../services.ts';

/** The daily job, for a scheduler that calls: decide, warn, archive, delete what may be deleted. */
export function sweep({ guard, auth, recordings, reports }: Services): GuardedHandler {
  return guard.secure(
    { route: 'POST /jobs/sweep', auth, limits: [perAddress], allow: can('job:run') },
    async (_request, ctx) => Response.json(await reports.run('recording.sweep', () => recordings.sweep(ctx.scope))),
  );
}

/** Has the provider stop what still runs although somebody has withdrawn consent. */
export function stopWithdrawn({ guard, auth, recordings }: Services): GuardedHandler {
  return guard.secure(
    { route: 'POST /jobs/stop', auth, limits: [perAddress], allow: can('job:run') },
    async (_request, ctx) => Response.json(await recordings.stopWithdrawn(ctx.scope)),
  );
}

/** Asks the provider about what is late: any callback may have been lost. */
export function reconcile({ guard, auth, recordings }: Services): GuardedHandler {
  return guard.secure(
    { route: 'POST /jobs/reconcile', auth, limits: [perAddress], allow: can('job:run') },
    async (_request, ctx) => Response.json(await recordings.reconcile(ctx.scope)),
  );
}

/** Copies media that is waiting. */
export function transfer({ guard, auth, recordings }: Services): GuardedHandler {
  return guard.secure(
    { route: 'POST /jobs/transfer', auth, limits: [perAddress], allow: can('job:run') },
    async (_request, ctx) => Response.json(await recordings.transferDue(ctx.scope)),
  );
}

/** Seals what is in the log into the tree, and signs it: that of all practices. */
export function sequence(services: Services): GuardedHandler {
  const { guard, auth, tenant } = services;
  return guard.secure(
    { route: 'POST /jobs/seal', auth, limits: [perAddress], allow: ofInstallation(tenant, 'log:seal') },
    async () => Response.json(await seal(services)),
  );
}
