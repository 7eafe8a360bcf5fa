import { can, type GuardedHandler, json } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import type { Services } from '../services.ts';

const Correction = z.strictObject({
  patient: z.string().min(1).max(256),
  /** The mistaken fact: `GET /recordings/:id/retention` lists them. */
  voids: z.uuid(),
  reason: z.string().min(1).max(500),
  /** The correct type; `void` when the fact has no correct type. */
  type: z.enum(['treatment', 'discharge', 'therapy_ended', 'birth', 'death', 'claim_opened', 'claim_closed', 'void']),
  date: z.iso.date(),
  zone: z.string().max(64),
});

/** Takes back a fact that was a mistake. It can end a duty to keep, so those who note facts may not. */
export function correctFact({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'POST /facts/corrections',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('fact:correct'),
      body: json(Correction, { maxBytes: '4kb' }),
    },
    async (_request, ctx) => Response.json(await recordings.noteFact(ctx.body, ctx), { status: 201 }),
  );
}
