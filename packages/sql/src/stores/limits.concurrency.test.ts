import type { RateLimitRequest } from '@medzen/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { pgWire, sqlStores } from '../index.ts';

const scope = { tenant: 'clinic-a' };
const policy = (key: string, burst: number): RateLimitRequest => ({
  key,
  rate: 1,
  periodMs: 3_600_000,
  burst,
  cost: 1,
});

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());

describe('a rate limit under sixteen connections', () => {
  test('admits exactly the burst on a hot key', async () => {
    const { limits } = sqlStores(pgWire(db.open({ max: 16 })));
    const decisions = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const mine: boolean[] = [];
        for (let i = 0; i < 20; i++)
          mine.push((await limits.consume(scope, [policy('hot', 100)]))[0]?.allowed === true);
        return mine;
      }),
    );
    expect(decisions.flat().filter(Boolean)).toHaveLength(100);
  });

  test('neither deadlocks nor spends on some when several policies are asked in any order', async () => {
    const { limits } = sqlStores(pgWire(db.open({ max: 16 })));
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => {
        const requests = [policy('wide', 1000), policy('narrow', 30), policy(`own-${i % 7}`, 1000)];
        return limits.consume(scope, i % 2 === 0 ? requests : requests.toReversed());
      }),
    );
    expect(answers.filter((decisions) => decisions.every(({ allowed }) => allowed))).toHaveLength(30);
    const [wide] = await limits.consume(scope, [policy('wide', 1000)]);
    expect(wide?.remaining).toBe(1000 - 30 - 1);
  });

  test("is not part of a host's transaction: a rollback gives nothing back, and an open one holds nobody up", async () => {
    const root = pgWire(db.pool);
    const client = await db.connect();
    await client.query('BEGIN');
    const inside = sqlStores(pgWire(client, { root })).limits;
    expect((await inside.consume(scope, [policy('host', 1)]))[0]?.allowed).toBe(true);
    expect((await sqlStores(root).limits.consume(scope, [policy('host', 1)]))[0]?.allowed).toBe(false);
    await client.query('ROLLBACK');
    expect((await sqlStores(root).limits.consume(scope, [policy('host', 1)]))[0]?.allowed).toBe(false);
  });

  test('is cleaned up within its limit, even where the planner takes the table for all but empty', async () => {
    const client = await db.connect();
    const { limits } = sqlStores(pgWire(client));
    await limits.cleanup(100);
    await limits.consume(scope, [policy('in use', 1)]);
    await client.query(`ANALYZE medzen.rate_limit;
      SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off`);
    for (let i = 0; i < 5; i++)
      await limits.consume(scope, [{ key: `brief-${i}`, rate: 1e6, periodMs: 1, burst: 1, cost: 1 }]);
    expect(await limits.cleanup(2)).toBe(2);
    expect(await limits.cleanup(100)).toBe(3);
  });

  test('is cleaned up by two at once without losing count', async () => {
    const { limits } = sqlStores(pgWire(db.open({ max: 16 })));
    const short = Array.from({ length: 16 }, (_, i) => ({
      key: `short-${i}`,
      rate: 1e6,
      periodMs: 1,
      burst: 1,
      cost: 1,
    }));
    await limits.consume(scope, short);
    const gone = await Promise.all([limits.cleanup(10), limits.cleanup(10)]);
    const rest = await limits.cleanup(100);
    expect(gone[0] + gone[1] + rest).toBe(16);
  });
});
