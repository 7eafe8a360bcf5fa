import { memoryStores } from '../packages/adapters-local/src/index.ts';
import { createGuard, limit, origins, publicRoute } from '../packages/security/src/index.ts';
import { type Bench, type BenchRow, interleave, median, spread } from './row.ts';

// CPU time of a guarded GET: CORS, header fields, a rate limit, the route, a request id. The limit is what any handler of web
// requests must do: take a request, answer with JSON.

const origin = 'https://app.example.com';
const url = 'https://api.example.com/v1/notes/7';
const request = (): Request => new Request(url, { headers: { origin } });

/** Microseconds of CPU a call, user and system. */
async function microseconds(times: number, call: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) await call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}

async function run(): Promise<BenchRow> {
  const stores = memoryStores();
  const { secure } = createGuard({ audit: stores.audit, limits: stores.limits });
  const guarded = secure(
    {
      route: 'GET /v1/notes/:id',
      auth: publicRoute('bench'),
      cors: origins(origin),
      limits: [limit('notes', { rate: 1_000_000_000, per: '1m', by: 'ip' })],
    },
    (_request, ctx) => Response.json(ctx.params),
  );
  const bare = async (given: Request): Promise<Response> => Response.json({ id: given.url.slice(-1) });
  const info = { remoteAddress: '192.0.2.7' };
  const figures = await interleave(
    {
      ours: () => microseconds(20_000, async () => (await guarded(request(), info)).text()),
      limit: () => microseconds(20_000, async () => (await bare(request())).text()),
    },
    5,
  );
  const { ours = [], limit: bound = [] } = figures;
  return {
    id: 'guard',
    unit: 'µs of CPU a request, handler included',
    better: 'lower',
    ours: median(ours),
    peers: {},
    limit: median(bound),
    spread: spread(ours),
  };
}

/** What the guard costs a request. */
export const bench: Bench = { id: 'guard', run };
