/** A statement as `pg` takes it. */
export interface PgQuery {
  readonly text: string;
  readonly values: unknown[];
  readonly name?: string;
  // `pg` hands the column's type by number and its text; the answer is whatever the parser makes of it.
  readonly types: { getTypeParser(oid: number, format?: string): (text: string) => unknown };
}

/** The part of `pg` that the wire needs: a Pool, a Client, or a client taken from a pool. */
export interface PgClient {
  query(query: PgQuery): Promise<{ rows: unknown[] }>;
  /** A Client's, since pg 8.17: `I` idle, `T` in a transaction, `E` in one that has failed. A Pool has none. */
  getTransactionStatus?(): string | null;
  /** A Pool's gives a client. */
  connect?(): Promise<unknown>;
  /** These three are a Pool's: its connections, those without work, and the callers that wait for one. */
  readonly totalCount?: number;
  readonly idleCount?: number;
  readonly waitingCount?: number;
}

/** A client that a pool lends. */
export interface PgLent extends PgClient {
  release(destroy?: boolean): void;
  on(event: 'error', listener: () => void): unknown;
  removeListener(event: 'error', listener: () => void): unknown;
}

/** A Pool of `pg`, as the wire uses it. */
export interface PgPool extends PgClient {
  connect(): Promise<PgLent>;
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly ending?: boolean;
  readonly options: Readonly<Record<string, unknown>> & { readonly max: number };
  on(event: string, listener: () => void): unknown;
  end(): Promise<void>;
}

/** True when this is a Pool, which lends a connection for each call. */
export function isPool(client: PgClient): client is PgPool {
  return typeof client.totalCount === 'number' && typeof client.connect === 'function' && 'options' in client;
}

/** The parts of a client by which a running statement is canceled. They are the driver's own: what is missing is done without. */
interface Cancelable {
  readonly processID?: unknown;
  readonly secretKey?: unknown;
  readonly host?: unknown;
  readonly port?: unknown;
  readonly connection?: { readonly ssl?: unknown };
  readonly constructor: unknown;
}

/** The connection of a client that was never connected. */
interface Messenger {
  readonly connection: {
    connect(port: number | string, host?: string): void;
    cancel(processId: unknown, secretKey: unknown): void;
    requestSsl(): void;
    on(event: string, listener: () => void): unknown;
    readonly stream?: { destroy(): void; unref?(): void; setTimeout?(ms: number, then: () => void): void };
  };
}

/** Milliseconds that the server may take for a CancelRequest. */
const cancelMs = 5000;

/**
 * Asks the server, on another connection, to end what this one is doing (a CancelRequest of the protocol, which poolers understand). Returns at
 * once; nobody waits for the outcome, which may be none.
 */
export function requestCancel(client: PgClient): void {
  const { processID, secretKey, host, port, connection, constructor: Made } = client as unknown as Cancelable; // pg's own
  if (typeof processID !== 'number' || secretKey === undefined || secretKey === null) return;
  if (typeof Made !== 'function' || typeof host !== 'string' || typeof port !== 'number') return;
  const ssl = connection?.ssl;
  const Client = Made as new (options: object) => Partial<Messenger>;
  const { connection: line } = new Client({ host, port, ssl: ssl ?? false });
  if (line === undefined) return; // pg-native
  const cancel = (): void => line.cancel(processID, secretKey);
  const giveUp = (): void => line.stream?.destroy();
  line.on('connect', () => (ssl ? line.requestSsl() : cancel()));
  line.on('sslconnect', cancel);
  line.on('error', giveUp);
  line.stream?.setTimeout?.(cancelMs, giveUp);
  line.stream?.unref?.();
  if (host.startsWith('/')) line.connect(`${host}/.s.PGSQL.${port}`);
  else line.connect(port, host);
}
