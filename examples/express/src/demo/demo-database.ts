import type { Stores } from '@medzen/core';
import type { SqlClient } from '@medzen/sql';
import type { Person } from '../local-issuer.ts';

/** A transaction of the host's own: what it writes itself, and the stores that take part. */
interface HostTransaction {
  readonly stores: Stores;
  addPatient(id: string, name: string): Promise<void>;
}

/** How the demo reaches its database. */
export interface Connection {
  readonly stores: Stores;
  /** What carries the calls, and what of it is a stand-in: told in the first chapter. */
  readonly parts: readonly { readonly what: string; readonly value: string }[];
  /** Commits when the work resolves and rolls back when it rejects. Absent where each call is a transaction of its own. */
  readonly transaction?: (work: (tx: HostTransaction) => Promise<void>) => Promise<void>;
  /** Given instead: a SQL function of the host's, called with a person's token, writes row and event. @returns the event's id */
  readonly admit?: (person: Person, id: string, name: string) => Promise<string>;
  close(): Promise<void>;
}

/** A migrated database of the demo's own. */
export interface DemoDatabase extends Connection {
  /** `PGlite, in-process` */
  readonly kind: string;
  /** The owner's only connection: past every store and guard. */
  readonly owner: SqlClient;
  /** Migrations that were applied. */
  readonly applied: readonly string[];
}

/** The host's own table, which the library knows nothing of. */
export const hostTable = 'CREATE TABLE patient (id text PRIMARY KEY, name text NOT NULL CHECK (length(name) > 0))';
