import type { DatabaseSync } from 'node:sqlite';
import { isMedzenError, MedzenError } from '@medzen/core';

/**
 * Runs work in one transaction: all of it is stored, or nothing. Where the host has a transaction open on this connection, the work
 * becomes a part of that (a savepoint), so that a refusal undoes the work and leaves the rest to the host.
 */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  return asMedzenError(() => {
    const [begin, commit, rollback] = db.isTransaction
      ? ['SAVEPOINT medzen', 'RELEASE medzen', 'ROLLBACK TO medzen; RELEASE medzen']
      : ['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK'];
    db.exec(begin);
    try {
      const result = work();
      db.exec(commit);
      return result;
    } catch (error) {
      if (db.isTransaction) db.exec(rollback); // some errors of SQLite have ended it already
      throw error;
    }
  });
}

/** Turns what SQLite throws into what a port may throw: callers know codes, not databases. */
export function asMedzenError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isMedzenError(error)) throw error;
    const passing = busyOrBroken.has(resultCode(error) & 0xff) || isClosed(error);
    throw passing
      ? new MedzenError('store_unavailable', 'The database could not complete the call', { cause: error })
      : new MedzenError('internal', 'The database refused the call', { cause: error });
  }
}

/** BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN: it may work later. See https://www.sqlite.org/rescode.html */
const busyOrBroken: ReadonlySet<number> = new Set([5, 6, 7, 8, 10, 13, 14]);

function resultCode(error: unknown): number {
  const code = typeof error === 'object' && error !== null && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code : 0;
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_STATE';
}
