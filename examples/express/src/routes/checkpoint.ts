import { MedzenError } from '@medzen/core';
import { type GuardedHandler, publicRoute } from '@medzen/security';
import { perAddress } from '../guard.ts';
import type { Services } from '../services.ts';

/** The last signed checkpoint, for anyone who wants to hold us to it. It says how many events there are, and a hash. */
export function checkpoint({ guard, lastCheckpoint }: Services): GuardedHandler {
  return guard.secure(
    { route: 'GET /audit/checkpoint', auth: publicRoute('a checkpoint is made to be published'), limits: [perAddress] },
    async () => {
      const text = await lastCheckpoint();
      if (text === undefined) throw new MedzenError('not_found', 'No checkpoint exists yet; wait for the sequencer');
      return new Response(text, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
    },
  );
}
