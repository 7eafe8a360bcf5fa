import { MedzenError } from '@medzen/core';
import { sqlstateOf } from '../sqlstate.ts';
import { isPool, type PgClient, type PgLent, type PgPool, requestCancel } from './pg-client.ts';

/** Runs one call on a connection, and stops it when the signal says so. */
export type OnConnection = <T>(signal: AbortSignal, work: (client: PgClient) => Promise<T>) => Promise<T>;

/**
 * The connections of a pool. Each call takes one; one whose call did not end in time is canceled and thrown away, so that no later
 * call finds it in the middle of something.
 */
export function onPool(pool: PgPool): OnConnection {
  return async (signal, work) => {
    const coming = pool.connect();
    let client: PgLent | undefined;
    const giveBack = (destroy: boolean): void => {
      client?.release(destroy);
      client?.removeListener('error', ignore);
      client = undefined;
    };
    const stop = (): void => {
      if (client === undefined) return void coming.then((late) => late.release(), ignore);
      requestCancel(client);
      giveBack(true);
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      const lent = await coming;
      signal.throwIfAborted(); // `stop` gives it back
      client = lent.on('error', ignore) as PgLent; // an emitter's own; a cut connection fails the statement as well
      const answer = await work(lent);
      giveBack(false);
      return answer;
    } catch (error) {
      const state = sqlstateOf(error);
      giveBack(state === undefined || /^(08|57P)/.test(state));
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
}

/**
 * One connection of the host's. It does one thing at a time, and from pg 9 on no longer queues what comes meanwhile. A statement that is
 * late is canceled, which fails the host's transaction; the connection stays the host's.
 */
export function onClient(client: PgClient): OnConnection {
  const run: OnConnection = async (signal, work) => {
    signal.throwIfAborted(); // late before its turn: never sent
    const stop = (): void => requestCancel(client);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await work(client);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
  // An object that does not tell the state of a transaction may be a pool of the host's own making, which has a connection for each.
  if (client.getTransactionStatus === undefined) return run;
  let turn: Promise<unknown> = Promise.resolve();
  return (signal, work) => {
    const answer = turn.then(() => run(signal, work));
    turn = answer.catch(ignore);
    return answer;
  };
}

/** Connections that are used while every one of the pool is taken. */
export interface Reserve {
  /** The host's own pool for it. */
  readonly pool?: PgClient;
  /** Connections to open at most where the host gave no pool; 0 for none. */
  readonly connections: number;
}

/**
 * The connections of a pool, and, while all of them are taken, those of a reserve. What must not wait for the host's transactions goes
 * here: these may wait for it. The reserve is opened when it is first needed, and given back when idle.
 */
export function withReserve(pool: PgPool, reserve: Reserve): OnConnection {
  const first = onPool(pool);
  if (reserve.pool === undefined && reserve.connections === 0) return first;
  const given = reserve.pool;
  let second: OnConnection | undefined =
    given === undefined ? undefined : isPool(given) ? onPool(given) : onClient(given);
  return (signal, work) => {
    // What waits already will take the connections that are free.
    const free = pool.idleCount + Math.max(0, pool.options.max - pool.totalCount) - pool.waitingCount;
    if (free > 0 || pool.ending === true) return first(signal, work);
    second ??= onPool(openReserve(pool, reserve.connections));
    return second(signal, work);
  };
}

/** A small pool to the same database, which keeps no process alive and ends with the other. */
function openReserve(pool: PgPool, max: number): PgPool {
  const Pool = pool.constructor as new (options: object, Client: unknown) => PgPool; // the host's own, with what it was made of
  const { options } = pool;
  const { password, idleTimeoutMillis } = options; // the password is hidden from a copy
  const idle =
    typeof idleTimeoutMillis === 'number' && idleTimeoutMillis > 0 ? Math.min(idleTimeoutMillis, 5000) : 5000;
  const reserve = new Pool(
    {
      ...options,
      ...(password === undefined ? {} : { password }),
      max,
      min: 0,
      allowExitOnIdle: true,
      idleTimeoutMillis: idle,
    },
    Reflect.get(pool, 'Client'),
  );
  reserve.on('error', () => undefined); // an idle connection was lost: the pool has dropped it, and opens another when asked
  pool.on('remove', () => {
    if (pool.ending === true && reserve.ending !== true) reserve.end().catch(ignore);
  });
  return reserve;
}

/** Says that the only connection is inside a transaction. */
export function busy(): MedzenError {
  return new MedzenError('wire_busy', 'The only connection is in a transaction of the host; retry after it');
}

const ignore = (): void => undefined; // told to its own caller
