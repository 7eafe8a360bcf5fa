import { expect, test } from 'vitest';
import {
  auditStoreCases,
  brokenAuditStores,
  brokenConsentStores,
  brokenCursorStores,
  brokenIdentityStores,
  brokenLogStores,
  brokenRateLimitStores,
  brokenRecordingStores,
  brokenReviewStores,
  brokenWires,
  consentStoreCases,
  cursorStoreCases,
  identityStoreCases,
  logStoreCases,
  rateLimitStoreCases,
  recordingStoreCases,
  reviewStoreCases,
  wireCases,
} from './index.ts';

const suites = [
  auditStoreCases,
  consentStoreCases,
  cursorStoreCases,
  identityStoreCases,
  logStoreCases,
  rateLimitStoreCases,
  recordingStoreCases,
  reviewStoreCases,
  wireCases,
];
const brokenStores = [
  brokenAuditStores,
  brokenConsentStores,
  brokenCursorStores,
  brokenIdentityStores,
  brokenLogStores,
  brokenRateLimitStores,
  brokenRecordingStores,
  brokenReviewStores,
  brokenWires,
];

test('every case has an id of its own, and a sentence for a title', () => {
  const all = suites.flatMap((suite) => suite.map(({ id, title }) => ({ id, title })));
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  for (const { id, title } of all) {
    expect(id).toMatch(/^[a-z]+(\.[a-z_A-Z0-9]+)+$/);
    expect(title.length).toBeGreaterThan(15);
  }
});

test('every broken store has an id of its own, and names a case that any store is put to', () => {
  const ids = new Map<string, readonly string[]>(
    suites.flatMap((suite) => suite.map(({ id, requires }) => [id, requires] as const)),
  );
  const all = brokenStores.flatMap((list) => list.map(({ id, mustFail }) => ({ id, mustFail })));
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  // Some faults of a wire show only where there are transactions, or where a statement can be slow.
  for (const { id, mustFail } of all) {
    const allowed = id.startsWith('wire.')
      ? ['host-transaction', 'concurrency', 'deadline', 'cancel', 'reserve']
      : ['direct-write'];
    expect(ids.get(mustFail)?.filter((one) => !allowed.includes(one))).toEqual([]);
  }
});
