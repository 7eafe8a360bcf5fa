import fc from 'fast-check';
import { expect, test } from 'vitest';
import { baseOf, keyOf, readName, searchOf } from './object-name.ts';

/** What Storage allows in a name, less what a URL or a shell of SQL would read. */
const allowed = /^[a-z0-9=/!-]+$/;
const key = fc
  .oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: fc.constantFrom('a', 'A', '/', '.', '=', '!', '_', '%', '\\', 'é') }),
  )
  .filter((text) => text !== '' && text.isWellFormed() && new TextEncoder().encode(text).length <= 1024);

test('a name is of characters that Storage takes, has no part that a URL shortens, and tells its key', () => {
  fc.assert(
    fc.property(key, (text) => {
      const base = baseOf(text);
      expect(base).toMatch(allowed);
      expect(base).not.toMatch(/^\/|\/\//);
      expect(base.length).toBeLessThanOrEqual(565);
      if (!base.includes('!')) expect(keyOf(base)).toBe(text);
    }),
  );
});

test('two keys have two names', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(baseOf(a) === baseOf(b)).toBe(a === b);
    }),
  );
});

test('what begins with a prefix is found by it', () => {
  fc.assert(
    fc.property(key, key, (prefix, rest) => {
      const whole = prefix + rest;
      if (new TextEncoder().encode(whole).length > 1024) return;
      expect(baseOf(whole).startsWith(searchOf(prefix))).toBe(true);
    }),
  );
});

test('names of others are none', () => {
  for (const name of [
    '',
    '.emptyFolderPlaceholder',
    'a',
    'a.1',
    'a.999999999-0123456789abcdef.xyz',
    'a.b.999999999-0123456789abcdef',
  ])
    expect(readName(name)).toBeUndefined();
});
