import type { SummaryQuery } from '@medzen/core';
import { expect, test } from 'vitest';
import { monthlySummary } from './monthly-summary.ts';

const scope = { tenant: 'default' };

test('a monthly summary spans this month and the twelve before it, in one call', async () => {
  const asked: SummaryQuery[] = [];
  const store = {
    summarize: async (_: typeof scope, query: SummaryQuery) => {
      asked.push(query);
      return { lines: [], more: false };
    },
  };
  const at = (text: string) => ({ clock: { now: () => new Date(text) } });
  const summary = await monthlySummary(store, scope, at('2026-11-30T23:59:59.999Z'));
  expect(summary).toEqual({
    from: '2025-11-01T00:00:00.000Z',
    to: '2026-12-01T00:00:00.000Z',
    lines: [],
    more: false,
  });
  await monthlySummary(store, scope, { ...at('2026-01-31T00:00:00.000Z'), months: 2, limit: 5 });
  expect(asked).toEqual([
    { from: new Date('2025-11-01'), to: new Date('2026-12-01') },
    { from: new Date('2025-11-01'), to: new Date('2026-02-01'), limit: 5 },
  ]);
  for (const months of [-1, 121, 0.5])
    await expect(monthlySummary(store, scope, { months })).rejects.toMatchObject({ code: 'invalid_input' });
});
