import { type GuardedHandler, publicRoute } from '@medzen/security';
import { perAddress } from '../guard.ts';
import { indexPage, type Try } from '../index-page.ts';
import type { Services } from '../services.ts';

/**
 * The start page.
 *
 * @param tries - what it lists
 */
export function home({ guard }: Services, tries: () => Promise<readonly Try[]>): GuardedHandler {
  return guard.secure(
    { route: 'GET /', auth: publicRoute('names what there is, and nobody'), limits: [perAddress] },
    async () =>
      new Response(indexPage('Medzen: an example with Express', await tries()), {
        headers: { 'content-type': 'text/html; charset=utf-8' },
      }),
  );
}
