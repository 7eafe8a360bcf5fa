import type { PGlite, Transaction } from '@electric-sql/pglite';
import type { Wire } from '@medzen/core';
import { type NeonQueryFunction, neon } from '@neondatabase/serverless';
import type pg from 'pg';
import postgres from 'postgres';
import { describe, expectTypeOf, test } from 'vitest';
import {
  type NeonClient,
  neonWire,
  type PgClient,
  type PgliteClient,
  type PostgresJsClient,
  pgliteWire,
  pgWire,
  postgresJsWire,
  type SqlClient,
} from './index.ts';

// Each wire asks for the few methods it calls; these hold the drivers' own types against that, without a cast.
describe('the types of the real drivers fit', () => {
  test('pg 8: Pool, Client, and a client of a pool', () => {
    expectTypeOf<pg.Pool>().toExtend<PgClient>();
    expectTypeOf<pg.Client>().toExtend<PgClient>();
    expectTypeOf<pg.PoolClient>().toExtend<PgClient>();
    expectTypeOf<pg.Pool>().toExtend<SqlClient>();
  });

  test('PGlite: the database and its transaction', () => {
    expectTypeOf<PGlite>().toExtend<PgliteClient>();
    expectTypeOf<Transaction>().toExtend<PgliteClient>();
    expectTypeOf<PGlite>().toExtend<SqlClient>();
  });

  test("postgres 3: a pool, with a host's types too, a transaction and a reserved connection", () => {
    expectTypeOf<postgres.Sql>().toExtend<PostgresJsClient>();
    expectTypeOf<postgres.Sql<{ bigint: bigint }>>().toExtend<PostgresJsClient>();
    expectTypeOf<postgres.TransactionSql>().toExtend<PostgresJsClient>();
    expectTypeOf<postgres.TransactionSql<{ bigint: bigint }>>().toExtend<PostgresJsClient>();
    expectTypeOf<postgres.ReservedSql>().toExtend<PostgresJsClient>();
  });

  test("Neon's HTTP driver, whatever its settings", () => {
    expectTypeOf<NeonQueryFunction<false, false>>().toExtend<NeonClient>();
    expectTypeOf<NeonQueryFunction<true, true>>().toExtend<NeonClient>();
  });

  test('and one driver is not taken for another', () => {
    expectTypeOf<postgres.Sql>().not.toExtend<PgClient>();
    expectTypeOf<pg.Pool>().not.toExtend<PostgresJsClient>();
    expectTypeOf<PGlite>().not.toExtend<PostgresJsClient>();
  });

  test('as a host has them in hand, in a transaction too', () => {
    // For the compiler; never called.
    const wires = {
      async pg(pool: pg.Pool, client: pg.Client): Promise<readonly Wire[]> {
        const lent = await pool.connect();
        return [pgWire(pool), pgWire(client), pgWire(lent, { root: pgWire(pool) })];
      },
      async pglite(db: PGlite): Promise<Wire> {
        const root = pgliteWire(db);
        return db.transaction(async (tx) => pgliteWire(tx, { root }));
      },
      async postgresJs(): Promise<readonly Wire[]> {
        const plain = postgres('');
        const typed = postgres('', { types: { bigint: postgres.BigInt }, transform: postgres.camel });
        const [root, rootOfTyped] = [postgresJsWire(plain), postgresJsWire(typed)];
        await plain.begin(async (tx) => {
          postgresJsWire(tx, { root });
          await tx.savepoint(async (inner) => void postgresJsWire(inner, { root }));
        });
        await typed.begin('isolation level serializable', async (tx) => void postgresJsWire(tx, { root: rootOfTyped }));
        return [root, rootOfTyped, postgresJsWire(await plain.reserve(), { root })];
      },
      neon: (): readonly Wire[] => [neonWire(neon('')), neonWire(neon('', { arrayMode: true, fullResults: true }))],
    };
    expectTypeOf(wires.pg).returns.resolves.toExtend<readonly Wire[]>();
  });
});
