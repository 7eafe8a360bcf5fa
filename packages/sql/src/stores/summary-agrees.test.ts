import { type SealedEvent, sealEvent, uuidv7 } from '@medzen/core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { pgWire, sqlStores } from '../index.ts';

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());

const day = 86_400_000;
const patients = [undefined, 'p1', 'p2', 'p3'];

/** An event of so many days ago; a stray says so under an id of another time. */
function event(
  tenant: string,
  given: { daysAgo: number; stray: boolean; actor: number; patient: number; good: boolean },
): SealedEvent {
  const at = new Date(Date.now() - given.daysAgo * day);
  const patient = patients[given.patient];
  return sealEvent(
    {
      tenant,
      action: 'table.read',
      kind: 'read',
      outcome: given.good ? 'success' : 'denied',
      actor: { id: `u${given.actor}`, type: 'user' },
      ...(patient === undefined ? {} : { patient }),
      ...(given.patient % 2 === 0 ? { target: { type: `t${given.actor % 2}`, id: 'x' } } : {}),
      source: {},
    },
    {
      clock: { now: () => at },
      ids: { uuid: () => uuidv7({ now: () => (given.stray ? new Date('2001-01-01') : at) }) },
    },
  );
}

test('a summary says what the view of monthly access shows', async () => {
  const { audit } = sqlStores(pgWire(db.pool));
  let runs = 0;
  const events = fc.array(
    fc.record({
      daysAgo: fc.integer({ min: 0, max: 420 }),
      stray: fc.boolean(),
      actor: fc.nat(3),
      patient: fc.nat(3),
      good: fc.boolean(),
    }),
    { minLength: 1, maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(events, async (given) => {
      const tenant = `t${runs++}`;
      await audit.append(
        { tenant },
        given.map((one) => event(tenant, one)),
      );
      const now = new Date();
      const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 12));
      const { lines } = await audit.summarize({ tenant }, { from, to: new Date(now.getTime() + day) });
      const { rows } = await db.pool.query(
        `SELECT to_char(month, 'YYYY-MM') AS month, actor, accesses::int, patients::int, target_types::int AS "targetTypes",
           refused::int FROM medzen.monthly_phi_access WHERE tenant = $1 ORDER BY month DESC, accesses DESC, actor`,
        [tenant],
      );
      expect(lines.map(({ tables: _, ...line }) => line)).toEqual(rows);
      for (const { tables, targetTypes } of lines) expect(new Set(tables).size).toBe(targetTypes);
    }),
    { numRuns: 40 },
  );
});

test('a summary of a month opens the partitions of that month, and the index of strays', async () => {
  const client = await db.connect();
  const plans: string[] = [];
  client.on('notice', ({ message }) => plans.push(message ?? ''));
  await client.query(`LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
    SET client_min_messages = log`);
  const at = "date_trunc('month', now(), 'UTC') + interval '70 days'";
  await client.query(`SELECT * FROM medzen.summarize_access('default', ${at}, ${at} + interval '1 day', 10)`);
  const plan = plans.find((text) => text.includes('WITH access')) ?? '';
  const scanned = [...plan.matchAll(/on (audit_event_\w+) [\s\S]*?(?=->|$)/g)].filter(([text]) =>
    text.includes('NOT stray'),
  );
  expect(scanned.length).toBeGreaterThan(0);
  expect(scanned.length).toBeLessThanOrEqual(2); // of seven months and the default one
});
