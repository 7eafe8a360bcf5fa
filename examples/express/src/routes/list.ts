import type { RecordingState } from '@medzen/core';
import { recordingTransitions } from '@medzen/core';
import { can, type GuardedHandler } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import { recordingView } from '../recording-view.ts';
import type { Services } from '../services.ts';

const states = Object.keys(recordingTransitions) as RecordingState[]; // its keys are exactly the states

const Query = z.strictObject({
  visit: z.string().max(128).exactOptional(),
  patient: z.string().max(256).exactOptional(),
  state: z.enum(states).exactOptional(),
  limit: z.coerce.number().int().min(1).max(200).exactOptional(),
  cursor: z.string().max(512).exactOptional(),
});

/** The caller's recordings, newest first; for some roles those of the whole tenant. */
export function list({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      route: 'GET /recordings',
      auth,
      cors,
      limits: [perAddress, perPerson],
      allow: can('recording:watch'),
      query: Query,
    },
    async (_request, ctx) => {
      const { visit, ...rest } = ctx.query;
      const page = await recordings.list({ ...rest, ...(visit && { sessionId: visit }) }, ctx);
      return Response.json({ recordings: page.recordings.map(recordingView), cursor: page.cursor });
    },
  );
}
