import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../postgres.ts';
import { runSoak } from './run-soak.ts';

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());

test('32 connections that do everything at once neither deadlock nor contradict one another', async () => {
  const { checks } = await runSoak({ url: db.url, seconds: 5 });
  expect(checks.filter(({ details }) => details.length > 0)).toEqual([]);
});
