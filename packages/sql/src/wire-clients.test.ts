import type { PGlite, Transaction } from '@electric-sql/pglite';
import type { NeonQueryFunction } from '@neondatabase/serverless';
import type pg from 'pg';
import type postgres from 'postgres';
import { describe, expectTypeOf, test } from 'vitest';
import type { NeonClient, PgClient, PgliteClient, PostgresJsClient, SqlClient } from './index.ts';

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
});
