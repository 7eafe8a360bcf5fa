import { toHex } from '@medzen/core';
import { can, type GuardedHandler } from '@medzen/security';
import { perAddress } from '../guard.ts';
import type { Services } from '../services.ts';

/** Verifies every event of the log against the signed tree, and the tree against the checkpoint kept outside the database. */
export function verify({ guard, auth, cors, audit, verify }: Services): GuardedHandler {
  return guard.secure(
    { route: 'POST /audit/verify', auth, cors, limits: [perAddress], allow: can('audit:read') },
    async (_request, ctx) => {
      const verdict = await audit.audited({ action: 'audit.verify', kind: 'execute' }, ctx, verify);
      return Response.json(verdict.ok ? { ...verdict, root: toHex(verdict.root) } : verdict);
    },
  );
}
