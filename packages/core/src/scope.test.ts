import { expect, test } from 'vitest';
import { scopeOf } from './scope.ts';

test.each(['a', '0', 'default', 'clinic-1', 'a_b', 'x'.repeat(64)])('takes the tenant %s', (tenant) => {
  expect(scopeOf(tenant)).toEqual({ tenant });
});

test.each(['', '-a', '_a', 'A', 'ä', 'a b', 'a/b', 'a:b', '..', 'a\n', 'x'.repeat(65)])(
  'refuses the tenant %j',
  (tenant) => {
    expect(() => scopeOf(tenant)).toThrowError(expect.objectContaining({ code: 'invalid_input' }));
  },
);
