import { expect, test } from 'vitest';
import { timedTests, timingFiles } from './timing-suites.ts';

test('every test that waits, spawns or looks at locks is repeated under load', () => {
  const files = timingFiles();
  expect(timedTests().length).toBeGreaterThan(15);
  expect(timedTests().filter((file) => !files.includes(file))).toEqual([]);
});

test('a suite that is gone is an error, not a gap', () => {
  expect(() => timingFiles([{ files: 'test/gone.test.ts', why: 'it was renamed' }])).toThrow(
    'scripts/timing-suites.ts names no file: test/gone.test.ts; correct the list',
  );
});
