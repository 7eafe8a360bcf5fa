import type { RequestListener } from 'node:http';
import type { Try } from '../index-page.ts';
import { capture } from './capture.ts';
import { consent } from './consent.ts';
import { type Narrator, narrator } from './narrator.ts';
import type { WireName } from './wires.ts';
import { openWorld, type World } from './world.ts';

const silent: Narrator = narrator({ write: () => true });

/** Leaves the app running, with one recording that can be watched and two visits to begin with. Ends with Ctrl-C. */
export async function serve(tell: Narrator, wire: WireName): Promise<void> {
  let recording = '';
  const world: World = await openWorld(wire, new Date(), {
    tries: () => tries(world, recording),
    before: (app) => withClock(app, () => world),
  });
  await consent({ world, tell: silent });
  recording = await capture({ world, tell: silent });
  tell.title(`\nOpen ${world.baseUrl} for a list of what to try, each with its curl line. Ctrl-C ends it.`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void world.close());
}

/** `POST /demo/clock?to=2034-06-20T12:00:00Z` moves time. Of the demo only: no route of the app knows of it. */
function withClock(app: RequestListener, world: () => World): RequestListener {
  return (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (request.method !== 'POST' || url.pathname !== '/demo/clock') return app(request, response);
    const to = new Date(url.searchParams.get('to') ?? '');
    if (Number.isNaN(to.getTime())) return response.writeHead(422).end('to= is not an instant\n');
    world()
      .moveTo(to)
      .then(() => response.end(`It is now ${to.toISOString()}. Reload the page for tokens of that time.\n`))
      .catch(() => response.writeHead(500).end());
  };
}

/** Tokens are made when the page is loaded, and work for an hour of the demo's own clock. */
async function tries(world: World, recording: string): Promise<readonly Try[]> {
  const { baseUrl, issuer, people } = world;
  const bearer: Record<string, string> = {};
  for (const [who, person] of Object.entries(people)) bearer[who] = await issuer.token(person);
  const line = (title: string, who: keyof typeof people, method: string, path: string, body?: object): Try => ({
    title,
    curl: [
      `curl -s -X ${method} '${baseUrl}${path}'`,
      `-H 'authorization: Bearer ${bearer[who]}'`,
      ...(body === undefined ? [] : [`-H 'content-type: application/json' -d '${JSON.stringify(body)}'`]),
    ].join(' \\\n  '),
  });
  const everything = { recording: true, storage: true, access: true, retention: true };
  const given = { acknowledgements: everything, textVersion: '2026-11', location: 'US-GA' };
  return [
    line('Start before anyone consented: refused', 'provider', 'POST', '/visits/visit-2/recording'),
    line('The patient consents', 'patient', 'POST', '/visits/visit-2/consent', given),
    line('The provider consents', 'provider', 'POST', '/visits/visit-2/consent', given),
    line('Now it starts', 'provider', 'POST', '/visits/visit-2/recording'),
    line('A recording that can be watched', 'patient', 'GET', `/recordings/${recording}`),
    line('A link that plays for an hour', 'patient', 'GET', `/recordings/${recording}/playback`),
    line('A link that saves a file', 'patient', 'GET', `/recordings/${recording}/download`),
    line('The same, asked by a stranger: refused', 'stranger', 'GET', `/recordings/${recording}/playback`),
    line('My recordings', 'provider', 'POST', '/recordings/search', {}),
    line('Delete it: refused, with date and rule', 'officer', 'DELETE', `/recordings/${recording}`, {
      reason: 'storage clean-up',
    }),
    line('Note the birth date', 'provider', 'POST', '/facts', {
      patient: people.patient.id,
      type: 'birth',
      ...world.birth,
    }),
    line('Place a legal hold', 'officer', 'POST', `/recordings/${recording}/holds`, {
      matter: '2034-CV-118',
      reason: 'letter from counsel',
    }),
    line('Who saw my record?', 'patient', 'POST', '/access-reports', { patient: people.patient.id }),
    line('Search the audit log', 'auditor', 'POST', '/audit/events/search', { outcome: ['denied', 'failed'] }),
    line('Seal the log', 'scheduler', 'POST', '/jobs/seal'),
    line('Verify the log', 'auditor', 'POST', '/audit/verify'),
    { title: 'The signed checkpoint', curl: `curl -s '${baseUrl}/audit/checkpoint'` },
    line('Sweep: decide, warn, archive, delete what is due', 'scheduler', 'POST', '/jobs/sweep'),
    {
      title: 'Move the clock, then reload this page and sweep again',
      curl: `curl -s -X POST '${baseUrl}/demo/clock?to=2040-01-01T12:00:00Z'`,
    },
  ];
}
