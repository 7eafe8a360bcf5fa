import { type SqlFunction, sqlStores, sqlstates } from '@medzen/sql';
import {
  auditStoreCases,
  brokenWires,
  registerBroken,
  registerCases,
  wireCases,
  wireEchoFunctions,
  wireEchoSql,
} from '@medzen/testing';
import { type ControlledTransaction, Kysely, PostgresDialect } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshDatabase } from '../../../../test/postgres.ts';
import { sharedContext } from '../../../../test/sql-contexts.ts';
import { kyselyWire } from './kysely-wire.ts';

/** The tables of the host. */
interface Tables {
  readonly patient: { readonly id: string };
}

/** The suite's own functions, as the manifest would list them. */
const functions: Readonly<Record<string, SqlFunction>> = Object.fromEntries(
  wireEchoFunctions.map(({ name, args }) => {
    const types = Object.fromEntries(args.map((arg) => [arg.name.replace(/^p_/, ''), arg.type]));
    return [name, { migration: 'wire contract', args: types }];
  }),
);

const database = await freshDatabase({ test: true }); // migrated by installSql, on a real Postgres
const kysely = new Kysely<Tables>({
  dialect: new PostgresDialect({ pool: database.open({ max: 10 }) }), // ended by drop,
});
const owner = await database.connect();
beforeAll(async () => {
  await owner.query(wireEchoSql('medzen'));
  await owner.query('CREATE TABLE patient (id text PRIMARY KEY)');
});
afterAll(async () => {
  await database.drop();
});

const capabilities = ['host-transaction', 'concurrency', 'deadline'];

describe('kyselyWire', () => {
  const options = {
    test,
    skip: test.skip,
    capabilities,
    createContext: async () => {
      await owner.query('TRUNCATE medzen.contract_note');
      const wire = kyselyWire(kysely, { functions });
      const { begin, dispose } = hostTransactions();
      return {
        dispose,
        wire,
        impatient: () => kyselyWire(kysely, { functions, deadlineMs: 100 }),
        sqlstateOf: (code: keyof typeof sqlstates) => sqlstates[code],
        transaction: async () => {
          const { tx, commit, rollback } = await begin();
          return { wire: kyselyWire(tx, { root: wire, functions }), commit, rollback };
        },
      };
    },
  };
  const { skipped } = registerCases(wireCases, options);
  const unseen = registerBroken(wireCases, brokenWires, options);
  test('leaves out only what a wire of one connection must do, and what Kysely cannot: cancel, and a pool beside its own', () => {
    expect(skipped.map(({ id }) => id)).toEqual(['wire.transaction.busy', 'wire.deadline.cancel', 'wire.root.reserve']);
    expect(unseen).toEqual(['wire.late_goes_on', 'wire.waits_for_pool']);
  });
});

describe('the audit store over it', () => {
  registerCases(auditStoreCases, {
    test,
    skip: test.skip,
    capabilities,
    createContext: async () => {
      const root = kyselyWire(kysely);
      const { begin, dispose } = hostTransactions();
      return {
        dispose,
        ...(await sharedContext(owner)),
        stores: sqlStores(root),
        transaction: async () => {
          const { tx, commit, rollback } = await begin();
          return { stores: sqlStores(kyselyWire(tx, { root })), commit, rollback };
        },
      };
    },
  });
});

/** Opens transactions of the host, and ends those that a failing case left open: else the pool would wait for them. */
function hostTransactions() {
  const opened: ControlledTransaction<Tables>[] = [];
  return {
    begin: async () => {
      const tx = await kysely.startTransaction().execute();
      opened.push(tx);
      return { tx, commit: () => tx.commit().execute(), rollback: () => tx.rollback().execute() };
    },
    dispose: async () => {
      for (const tx of opened) if (!tx.isCommitted && !tx.isRolledBack) await tx.rollback().execute();
    },
  };
}
