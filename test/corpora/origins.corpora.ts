import { exactOrigins, origins } from '@medzen/security';
import { describe, expect, test } from 'vitest';
import { corpus } from './corpus.ts';

/** Of jub0bs/cors (MIT). */
interface Corpus {
  readonly patterns: readonly { readonly desc: string; readonly pattern: string; readonly accept: boolean }[];
  readonly origins: readonly { readonly desc: string; readonly origin: string }[];
}
const { patterns, origins: sent } = corpus<Corpus>('cors-origins.json');
const refused = expect.objectContaining({ code: 'invalid_configuration' });

test('the corpus is whole', () => {
  expect([patterns.length, sent.length]).toEqual([36, 18]);
});

describe('a pattern', () => {
  test.each(patterns)('is judged as jub0bs/cors judges it: $desc ($pattern)', ({ pattern, accept }) => {
    if (accept) expect(origins(pattern).patterns).toEqual([pattern]);
    else expect(() => origins(pattern)).toThrow(refused);
  });

  test.each(patterns)('is judged alike where all must be exact, but for wildcards: $pattern', ({ pattern, accept }) => {
    if (accept && !pattern.includes('*')) expect(exactOrigins(pattern).allows(pattern)).toBe(true);
    else expect(() => exactOrigins(pattern)).toThrow(refused);
  });
});

test.each(sent)('an origin that is not on the list is not allowed: $desc', ({ origin }) => {
  const list = origins('https://app.example.com', 'https://*.clinic.example', 'http://*.dev.example:8080');
  expect(list.allows(origin)).toBe(false);
});
