import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { redact, reveal } from './redacted.ts';

const secret = 'Ada Lovelace';

test('a redacted value shows itself to nobody but reveal', () => {
  const value = redact(secret);
  const shown = [
    String(value),
    `${value}`,
    JSON.stringify({ value }),
    JSON.stringify([value]),
    inspect(value),
    inspect({ deep: { value } }, { depth: 9, showHidden: true }),
    inspect(value, { customInspect: false, showHidden: true, depth: 9 }),
    Object.values(value).map(String).join(),
    new URL(`https://example.com/?q=${value}`).href,
    encodeURIComponent(`${value}`),
    new Error(`for ${value}`).message,
  ];
  for (const text of shown) expect(text).not.toContain('Lovelace');
  expect(reveal(value)).toBe(secret);
});

test('a redacted value cannot be cloned out or changed', () => {
  const value = redact(secret);
  expect(() => structuredClone(value)).toThrowError();
  expect(Object.isFrozen(value)).toBe(true);
});

test('concatenation and arithmetic see no value', () => {
  const value: unknown = redact(secret);
  expect(`${value}!`).toBe('[redacted]!');
  expect(Number(value)).toBeNaN();
});
