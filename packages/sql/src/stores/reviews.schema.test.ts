import type { Stores } from '@medzen/core';
import { createSamples } from '@medzen/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { pgWire, sqlStores } from '../index.ts';

const scope = { tenant: 'clinic-a' };
const id = 'a'.repeat(64);

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());

test('not even the owner of the tables changes what was found, takes it out, or signs it twice', async () => {
  const { reviews } = sqlStores(pgWire(db.pool));
  const samples = createSamples({ scope });
  const eventId = samples.ids.uuid();
  const finding = { id, rule: 'vip', eventId, leafIndex: 0, at: '2026-11-22T09:00:00.000Z', actor: 'u1' };
  await reviews.queue(scope, [finding]);
  const refused = async (statement: string): Promise<void> => {
    await expect(db.pool.query(statement), statement).rejects.toMatchObject({ code: 'MZ004' });
  };
  await refused("UPDATE medzen.review SET actor = 'u2'");
  await refused("UPDATE medzen.review SET detail = '{}'");
  await refused('DELETE FROM medzen.review');
  await refused('TRUNCATE medzen.review');
  await refused('TRUNCATE medzen.tail_cursor');
  const event = samples.event({ action: 'audit.review', kind: 'update', target: { type: 'review', id } });
  expect(await reviews.signOff(scope, { id, outcome: 'violation' }, event)).toMatchObject({ status: 'signed' });
  await refused("UPDATE medzen.review SET outcome = 'appropriate'");
  await refused('UPDATE medzen.review SET signed_at = NULL, signed_by = NULL, outcome = NULL, sign_event = NULL');
});

test('who scans is the sequencer, and who signs is the application', async () => {
  const samples = createSamples({ scope });
  const other = 'b'.repeat(64);
  const eventId = samples.ids.uuid();
  const finding = { id: other, rule: 'vip', eventId, leafIndex: 0, at: '2026-11-22T09:00:00.000Z', actor: 'u1' };
  const event = samples.event({ action: 'audit.review', kind: 'update', target: { type: 'review', id: other } });
  const as = async (role: string): Promise<Stores> => {
    const client = await db.connect();
    await client.query(`SET ROLE ${role}`);
    return sqlStores(pgWire(client));
  };
  const [app, sequencer] = [await as('medzen_app'), await as('medzen_sequencer')];
  await expect(app.reviews.queue(scope, [finding])).rejects.toThrow();
  await expect(app.cursors.move('siem', 0, 0)).rejects.toThrow();
  expect(await sequencer.reviews.queue(scope, [finding])).toEqual({ queued: 1 });
  expect(await sequencer.cursors.move('siem', 0, 0)).toEqual({ status: 'moved' });
  await expect(sequencer.reviews.signOff(scope, { id: other, outcome: 'violation' }, event)).rejects.toThrow();
  expect((await app.reviews.list(scope, {})).reviews.map(({ id: listed }) => listed)).toContain(other);
  expect(await app.reviews.signOff(scope, { id: other, outcome: 'violation' }, event)).toMatchObject({
    status: 'signed',
  });
});

test('a page of what is open is read from the index of it, however much was signed', async () => {
  await db.pool.query(`
    INSERT INTO medzen.review (tenant, id, rule, event_id, leaf_index, at, actor, queued_at, signed_at, signed_by, outcome, sign_event)
    SELECT 'clinic-a', encode(sha256(convert_to(i::text, 'UTF8')), 'hex'), 'vip', gen_random_uuid(), i, now(), 'u1', now(),
      CASE WHEN i % 500 > 0 THEN now() END, CASE WHEN i % 500 > 0 THEN 'o' END, CASE WHEN i % 500 > 0 THEN 'appropriate' END,
      CASE WHEN i % 500 > 0 THEN gen_random_uuid() END
    FROM generate_series(1, 20000) i`);
  await db.pool.query('ANALYZE medzen.review');
  const client = await db.connect();
  const plans: string[] = [];
  client.on('notice', ({ message }) => plans.push(message ?? ''));
  await client.query(`LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
    SET client_min_messages = log`);
  await client.query("SELECT medzen.list_reviews('clinic-a', 10, 'open', NULL, '500', repeat('0', 64))");
  expect(plans.join('\n')).toContain('Index Scan using review_open on review');
});
