import { limit } from '@medzen/security';
import { expect, test } from 'vitest';
import { rateLimitFields } from '../../packages/security/src/limits/rate-limit-headers.ts';
import { structuredList } from '../../packages/security/test/structured-list.ts';
import { corpus } from './corpus.ts';

/** Of draft-ietf-httpapi-ratelimit-headers-10. */
const { examples } = corpus<{ readonly examples: readonly string[] }>('ratelimit-draft-10.json');

test('the corpus is whole', () => {
  expect(examples.length).toBe(38);
});

test.each(examples)('the grammar of our tests takes %s', (example) => {
  expect(example.replace(/^[^:]+: /, '')).toMatch(structuredList);
});

test.each([
  [
    '"hour";q=1000;w=3600, "day";q=5000;w=86400',
    [limit('hour', { rate: 1000, per: '1h', by: 'ip' }), limit('day', { rate: 5000, per: '1d', by: 'ip' })],
  ],
  [
    '"burst";q=100;w=60,"daily";q=1000;w=86400',
    [limit('burst', { rate: 100, per: '1m', by: 'ip' }), limit('daily', { rate: 1000, per: '24h', by: 'ip' })],
  ],
  ['"fixedwindow";q=100;w=60', [limit('fixedwindow', { rate: 100, per: '60s', by: 'ip' })]],
])('policies are stated as the draft states them: %s', (example, limits) => {
  expect(examples).toContain(`RateLimit-Policy: ${example}`);
  const decisions = limits.map(() => ({ allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 0 }));
  expect(Object.fromEntries(rateLimitFields(limits, decisions))['ratelimit-policy']).toBe(
    example.replace(/, */g, ', '),
  );
});
