import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet, jwtVerify } from 'jose';
import pg from 'pg';
import { type Refusal, refusal, refusalOf } from './postgrest-stand-in-errors.ts';
import { type PlannedQuery, planCall, planRead } from './postgrest-stand-in-query.ts';

/** How the stand-in is set up; the names of PostgREST's own settings are beside them. */
export interface PostgrestOptions {
  /** Of the login role `authenticator` (db-uri). */
  readonly databaseUrl: string;
  /** The first is the default one (db-schemas). */
  readonly schemas: readonly string[];
  /** HS256 (jwt-secret). */
  readonly jwtSecret: Uint8Array;
  /** Keys of third-party auth, which Supabase adds to jwt-secret when an integration is made. RS256 and ES256. */
  readonly jwks?: JSONWebKeySet;
  /** The role without a token (db-anon-role). */
  readonly anonRole?: string;
  /** At most so many rows an answer (db-max-rows). */
  readonly maxRows?: number;
  /** Whether a request may have itself rolled back by `Prefer: tx=rollback` (db-tx-end); `commit`, as PostgREST's, when absent. */
  readonly txEnd?: 'commit' | 'commit-allow-override';
}

/** A stand-in that runs. */
export interface PostgrestStandIn {
  /** What `createClient` takes: the API is at `/rest/v1` below it, where Supabase's gateway has it. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * A STAND-IN for PostgREST, for tests: it is not PostgREST. Written from its documentation (docs.postgrest.org, v14), over a real
 * Postgres, so that roles, grants and row level security decide and not this file.
 *
 * It speaks: `POST /rpc/:function` with named arguments in JSON and `GET` with them in the query; `GET /:table` without filters;
 * `Content-Profile` and `Accept-Profile` limited to the exposed schemas; HS256 tokens and those of a given key set, of whose `role` claim
 * each request's transaction takes the role and of whose claims `request.jwt.claims`; `request.headers`, `request.method` and
 * `request.path`; read-only transactions for GET and for functions that are not volatile; the answer after the commit; `db-tx-end` of
 * `commit` and `commit-allow-override`; `db-max-rows`, `Prefer: count=exact` and `Content-Range`; the error body and the statuses.
 *
 * It does not speak: filters, `select` of columns, order, ranges, embedding; inserts, updates and deletes; HEAD; single-object, CSV,
 * binary and other media types; unnamed parameters; `Prefer` other than `count=exact` and `tx=rollback`; `aud`, the role claim's path;
 * `request.cookies`, `response.headers` and `response.status`; `RAISE … 'PGRST'`; per-role
 * and per-function settings; pre-request; OpenAPI; CORS; the schema cache, which PostgREST builds at its start and which goes stale
 * after a migration until it is reloaded: the stand-in looks into the catalogue at each request. Hints and details of its own errors
 * are null. Nor is there Supabase's gateway: no `apikey`, no `sb_…` keys.
 */
export async function startPostgrest(options: PostgrestOptions): Promise<PostgrestStandIn> {
  const pool = new pg.Pool({ connectionString: options.databaseUrl, max: 20, connectionTimeoutMillis: 10_000 });
  pool.on('error', () => undefined); // an idle connection that was cut
  // One that is lent out and cut between two statements: the next statement says so.
  pool.on('connect', (client) => void client.on('error', () => undefined));
  const server = createServer((request, response) => {
    void answer(request, options, pool).then(({ status, headers, body }) => {
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(body);
    });
  });
  // Idle connections stay: closed just as a slow test takes one up again, they would fail a request that nobody answered.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await pool.end();
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Call {
  readonly schema: string;
  readonly role: string;
  readonly claims: string;
  readonly authenticated: boolean;
  readonly headers: string;
  readonly method: string;
  readonly path: string;
  plan(client: pg.PoolClient): Promise<PlannedQuery | Refusal>;
}

const isRefusal = (value: object): value is Refusal => 'status' in value;
const refused = ({ status, body }: Refusal): Answer => ({ status, body: JSON.stringify(body) });

async function answer(request: IncomingMessage, options: PostgrestOptions, pool: pg.Pool): Promise<Answer> {
  const call = await readCall(request, options);
  if (isRefusal(call)) return refused(call);
  let client: pg.PoolClient | undefined;
  try {
    client = await pool.connect();
    const plan = await call.plan(client);
    if (isRefusal(plan)) return refused(plan);
    await client.query(plan.readOnly ? 'BEGIN READ ONLY' : 'BEGIN');
    // The claims before the role, which may not set them; all of it ends with the transaction.
    await client.query(
      `SELECT set_config('search_path', $1, true), set_config('request.jwt.claims', $2, true), set_config('role', $3, true),
        set_config('request.headers', $4, true), set_config('request.method', $5, true), set_config('request.path', $6, true)`,
      [`"${call.schema}", public`, call.claims, call.role, call.headers, call.method, call.path],
    );
    const { rows } = await client.query<{ body: string; page: string; total: string }>(plan.text, [...plan.values]);
    const prefer = request.headers.prefer ?? '';
    const undone = options.txEnd === 'commit-allow-override' && prefer.includes('tx=rollback');
    await client.query(undone ? 'ROLLBACK' : 'COMMIT');
    const [row] = rows;
    if (row === undefined) return refused(refusal(500, 'PGRSTX00', 'No row'));
    return counted(row, prefer.includes('count=exact'));
  } catch (error) {
    await client?.query('ROLLBACK').catch(() => undefined);
    return refused(refusalOf(error, call.authenticated));
  } finally {
    client?.release();
  }
}

function counted(row: { body: string; page: string; total: string }, exact: boolean): Answer {
  const page = Number(row.page);
  const range = page === 0 ? '*' : `0-${page - 1}`;
  return {
    status: exact && page < Number(row.total) ? 206 : 200,
    headers: { 'content-range': `${range}/${exact ? row.total : '*'}` },
    body: row.body,
  };
}

async function readCall(request: IncomingMessage, options: PostgrestOptions): Promise<Call | Refusal> {
  const body = await text(request);
  const who = await identify(request.headers.authorization, options);
  if (isRefusal(who)) return who;
  const { method = 'GET', headers } = request;
  const url = new URL(request.url ?? '/', 'http://stand-in');
  const [path, name] = /^\/rest\/v1(\/(?:rpc\/)?([^/]+))$/.exec(decodeURIComponent(url.pathname))?.slice(1) ?? [];
  if (path === undefined || name === undefined)
    return refusal(404, 'PGRST125', 'Invalid path specified in request URL');
  const isRpc = path.startsWith('/rpc/');
  if (method !== 'GET' && !(isRpc && method === 'POST'))
    return refusal(405, 'PGRST117', `Unsupported by the stand-in: ${method}`);
  if (!(isRpc && method === 'GET') && url.search !== '' && url.search !== '?select=*')
    return refusal(400, 'PGRST100', 'Unsupported by the stand-in: a query');
  const profile = headers[method === 'POST' ? 'content-profile' : 'accept-profile'] ?? options.schemas[0];
  if (typeof profile !== 'string' || !options.schemas.includes(profile))
    return refusal(406, 'PGRST106', 'Invalid schema'); // the real one lists those that are exposed
  const { cookie: _cookie, ...told } = headers;
  const call = { ...who, schema: profile, headers: JSON.stringify(told), method, path };
  if (!isRpc) return { ...call, plan: (client) => planRead(client, profile, name, options.maxRows) };
  const args = method === 'GET' ? Object.fromEntries(url.searchParams) : parsed(body);
  if (args === undefined) return refusal(400, 'PGRST102', 'Empty or invalid json');
  return {
    ...call,
    async plan(client) {
      const plan = await planCall(client, profile, name, args, options.maxRows);
      return isRefusal(plan) || method === 'POST' ? plan : { ...plan, readOnly: true };
    },
  };
}

async function identify(
  header: string | undefined,
  { anonRole = 'anon', jwtSecret, jwks }: PostgrestOptions,
): Promise<Pick<Call, 'role' | 'claims' | 'authenticated'> | Refusal> {
  const token = /^Bearer (.+)$/i.exec(header ?? '')?.[1];
  if (token === undefined) return { role: anonRole, claims: JSON.stringify({ role: anonRole }), authenticated: false };
  try {
    const clockTolerance = 30;
    const { payload } =
      jwks !== undefined && decodeProtectedHeader(token).alg !== 'HS256'
        ? await jwtVerify(token, createLocalJWKSet(jwks), { algorithms: ['RS256', 'ES256'], clockTolerance })
        : await jwtVerify(token, jwtSecret, { algorithms: ['HS256'], clockTolerance });
    const role = typeof payload.role === 'string' ? payload.role : anonRole;
    return { role, claims: JSON.stringify({ ...payload, role }), authenticated: role !== anonRole };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return refusal(401, 'PGRST303', 'JWT expired');
    return refusal(401, 'PGRST301', 'No suitable key or wrong key type');
  }
}

function parsed(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body === '' ? '{}' : body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>) // an object of JSON
      : undefined;
  } catch {
    return undefined;
  }
}
