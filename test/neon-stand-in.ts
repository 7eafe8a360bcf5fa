import { createServer, type IncomingMessage, type Server } from 'node:http';
import pg from 'pg';

/** The stand-in, listening. */
export interface NeonStandIn {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * NOT NEON: a stand-in of its SQL-over-HTTP endpoint, over whatever Postgres the connection string of a request names. It speaks
 * what `@neondatabase/serverless` 1.2 sends for one query (`POST /sql` with its three headers and `{ query, params }`) and what
 * that driver reads back; anything else is refused. It does not speak batches (`{ queries }`), tokens, pooled hosts, CORS or
 * Neon's limits of size and time, and says nothing about Neon's latency, cold starts or retries.
 *
 * Sources: the driver's own code, and https://github.com/neondatabase/serverless/blob/main/CONFIG.md
 */
export async function neonStandIn(): Promise<NeonStandIn> {
  const pools = new Map<string, pg.Pool>();
  const poolOf = (url: string): pg.Pool => {
    const known = pools.get(url);
    if (known !== undefined) return known;
    const pool = new pg.Pool({ connectionString: url, max: 12 });
    pool.on('error', () => undefined); // an idle connection that was cut
    pools.set(url, pool);
    return pool;
  };
  const server = createServer((request, response) => {
    void answer(request, poolOf).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  const port = await listening(server);
  return {
    port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await Promise.all(Array.from(pools.values(), (pool) => pool.end()));
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const refused = (message: string): Answer => ({ status: 400, body: { message } });

async function answer(request: IncomingMessage, poolOf: (url: string) => pg.Pool): Promise<Answer> {
  if (request.method !== 'POST' || request.url !== '/sql') return { status: 404, body: {} };
  const url = request.headers['neon-connection-string'];
  if (typeof url !== 'string') return refused('Neon-Connection-String is missing');
  for (const name of ['neon-raw-text-output', 'neon-array-mode'])
    if (request.headers[name] !== 'true') return refused(`The stand-in speaks only with ${name}`);
  const { query, params, ...others }: Record<string, unknown> = JSON.parse(await textOf(request));
  if (typeof query !== 'string' || Object.keys(others).length > 0) return refused('Not { query, params }');
  if (!isTexts(params)) return refused('The stand-in takes text and null as parameters');
  try {
    const result = await poolOf(url).query({
      text: query,
      values: params,
      rowMode: 'array',
      types: { getTypeParser: () => (text: string) => text },
    });
    const fields = result.fields.map(({ name, dataTypeID }) => ({ name, dataTypeID }));
    return { status: 200, body: { ...result, fields, rowAsArray: true } };
  } catch (error) {
    const { message, ...details } = { message: String(error), ...messageOf(error) };
    if (details.code === undefined || !/\d/.test(details.code))
      return { status: 500, body: { message: 'No database' } };
    return { status: 400, body: { message, ...details } };
  }
}

/** What of Postgres's error the endpoint hands on: the fields that the driver copies. */
function messageOf(error: unknown): Partial<pg.DatabaseError> {
  if (!(error instanceof Error)) return {};
  const { message, code, severity, detail, hint, where, schema, table, column, constraint, file, line, routine } =
    error as pg.DatabaseError; // or the system's error, which has fewer of them
  return { message, code, severity, detail, hint, where, schema, table, column, constraint, file, line, routine };
}

function isTexts(params: unknown): params is (string | null)[] {
  return Array.isArray(params) && params.every((one) => one === null || typeof one === 'string');
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function listening(server: Server): Promise<number> {
  // Idle connections stay: closed just as a slow test takes one up again, they would fail a request that nobody answered.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The stand-in has no port');
  return address.port;
}
