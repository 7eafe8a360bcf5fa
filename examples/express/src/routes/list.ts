import type { RecordingState } from '@medzen/core';
import { recordingTransitions } from '@medzen/core';
import { can, type GuardedHandler, json } from '@medzen/security';
import { z } from 'zod';
import { perAddress, perPerson } from '../guard.ts';
import { recordingView } from '../recording-view.ts';
import type { Services } from '../services.ts';

const states = Object.keys(recordingTransitions) as RecordingState[]; // its keys are exactly the states
const filters = {
  visit: z.string().max(128).exactOptional(),
  state: z.enum(states).exactOptional(),
  cursor: z.string().max(512).exactOptional(),
};
const Query = z.strictObject({ ...filters, limit: z.coerce.number().int().min(1).max(200).exactOptional() });
// By patient in the body, not in the URL: URLs end up in the logs of proxies, in histories and in monitoring.
const Search = z.strictObject({
  ...filters,
  patient: z.string().min(1).max(256).exactOptional(),
  limit: z.int().min(1).max(200).exactOptional(),
});

/** The caller's recordings, newest first; for some roles those of the whole tenant. */
export function list({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      ...{ route: 'GET /recordings', auth, cors, limits: [perAddress, perPerson] },
      allow: can('recording:watch'),
      query: Query,
    },
    async (_request, ctx) => {
      const { visit, ...rest } = ctx.query;
      return page(await recordings.list({ ...rest, ...(visit && { sessionId: visit }) }, ctx));
    },
  );
}

/** The same, by patient too. */
export function searchRecordings({ guard, auth, cors, recordings }: Services): GuardedHandler {
  return guard.secure(
    {
      ...{ route: 'POST /recordings/search', auth, cors, limits: [perAddress, perPerson] },
      allow: can('recording:watch'),
      body: json(Search, { maxBytes: '4kb' }),
    },
    async (_request, ctx) => {
      const { visit, ...rest } = ctx.body;
      return page(await recordings.list({ ...rest, ...(visit && { sessionId: visit }) }, ctx));
    },
  );
}

function page(found: Awaited<ReturnType<Services['recordings']['list']>>): Response {
  return Response.json({ recordings: found.recordings.map(recordingView), cursor: found.cursor });
}
