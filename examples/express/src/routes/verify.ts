import { verifyAndReport } from '@medzen/audit';
import { toHex } from '@medzen/core';
import type { GuardedHandler } from '@medzen/security';
import { ofInstallation, perAddress } from '../guard.ts';
import type { Services } from '../services.ts';

/**
 * Verifies every event of the log against the signed tree, and the tree against the checkpoint kept outside the database. The log is one for all practices: an
 * officer of another one has no business in it. What came of it is itself in the log.
 */
export function verify({ guard, auth, cors, audit, verification, tenant }: Services): GuardedHandler {
  return guard.secure(
    { route: 'POST /audit/verify', auth, cors, limits: [perAddress], allow: ofInstallation(tenant, 'log:verify') },
    async (_request, ctx) => {
      const verdict = await verifyAndReport({ ...(await verification()), audit, ctx });
      return Response.json(verdict.ok ? { ...verdict, root: toHex(verdict.root) } : verdict);
    },
  );
}
