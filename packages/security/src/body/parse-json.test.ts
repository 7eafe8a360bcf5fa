import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJson } from './parse-json.ts';

const encoder = new TextEncoder();
const wide = { maxDepth: 128, maxKeys: 100_000 };
const parse = (text: string, bounds = wide): unknown => parseJson(encoder.encode(text), bounds);
const invalid = expect.objectContaining({ code: 'invalid_input' });
const forbidden = new Set(['__proto__', 'constructor', 'prototype']);

/** Whether a value holds what is refused whatever the schema says. */
function hasForbidden(value: unknown): boolean {
  if (typeof value === 'string') return !value.isWellFormed() || value.includes('\0');
  if (Array.isArray(value)) return value.some(hasForbidden);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, item]) => forbidden.has(key) || hasForbidden(key) || hasForbidden(item));
}

describe('JSON from a stranger', () => {
  test('is what JSON.parse makes of it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), fc.constantFrom('', ' ', '\n\t'), (text, space) => {
        const value: unknown = JSON.parse(text);
        if (hasForbidden(value)) expect(() => parse(text)).toThrow(invalid);
        else expect(parse(space + text + space)).toEqual(value);
      }),
      { numRuns: 1000 },
    );
  });

  test('is never taken where JSON.parse refuses it', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '\\',
      'a',
      '"a"',
      '"b":',
      '1',
      'null',
      ' ',
      '\\u0061',
      '\\"',
      'e',
      '-',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const text = pieces.join('');
        let taken: unknown;
        try {
          taken = parse(text);
        } catch (error) {
          expect(error).toEqual(invalid);
          return;
        }
        expect(taken).toEqual(JSON.parse(text));
      }),
      { numRuns: 5000 },
    );
  });

  test('with the same key twice is refused, wherever it stands and however it is spelled', () => {
    const spell = (key: string, escaped: boolean): string =>
      escaped
        ? `"${[...key].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`
        : JSON.stringify(key);
    const key = fc.string({
      unit: fc.constantFrom('a', 'b', '"', '\\', '/', '\u00e9', '\n'),
      minLength: 0,
      maxLength: 4,
    });
    fc.assert(
      fc.property(
        key,
        fc.boolean(),
        fc.boolean(),
        fc.nat(5),
        fc.json({ maxDepth: 2 }),
        (name, first, second, depth, value) => {
          const other = '{"a":1,"b":{"a":2}}';
          const object = `{${spell(name, first)}: ${value} , "x":${other}, ${spell(name, second)}\n:1}`;
          expect(() => parse('[{"k":'.repeat(depth) + object + '}]'.repeat(depth))).toThrow(invalid);
        },
      ),
    );
  });

  test.each([
    '{"__proto__":1}',
    '{"a":[{"\\u005f_proto__":{"admin":true}}]}',
    '{"constructor":{"prototype":{}}}',
    '{"a":{"prototype":1}}',
    '"\\ud800"',
    '{"\\udc00":1}',
    '["\\u0000"]',
    '{"a\\u0000":1}',
    '\ufeff{}',
    '{"a":1,}',
    '{"a":01}',
    "{'a':1}",
    '{"a":NaN}',
    '[1]x',
    '"\t"',
    '',
    ' ',
  ])('is refused as %j', (text) => {
    expect(() => parse(text)).toThrow(invalid);
  });

  test('keeps what only looks dangerous', () => {
    expect(parse('{"a":"__proto__","proto":["constructor"],"b":"\\ud83d\\ude00","c":"\\\\u0000"}')).toEqual({
      a: '__proto__',
      proto: ['constructor'],
      b: '😀',
      c: '\\u0000',
    });
  });

  test('is bounded in depth and keys, exactly', () => {
    const nest = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(parse(nest(16), { maxDepth: 16, maxKeys: 0 })).toBeInstanceOf(Array);
    expect(() => parse(nest(17), { maxDepth: 16, maxKeys: 0 })).toThrow(invalid);
    expect(() => parse('[{"a":[1]}]', { maxDepth: 2, maxKeys: 9 })).toThrow(invalid);
    expect(parse('[{"a":1},{"a":1}]', { maxDepth: 9, maxKeys: 2 })).toHaveLength(2);
    expect(() => parse('[{"a":1},{"a":1}]', { maxDepth: 9, maxKeys: 1 })).toThrow(invalid);
    expect(() => parse('['.repeat(1_000_000))).toThrow(invalid);
  });

  test('that is not UTF-8 is refused', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0xff, 0xfe, 0x7b, 0],
    ])
      expect(() => parseJson(Uint8Array.from(bytes), wide)).toThrow(invalid);
  });

  test('never shows itself in a message', () => {
    for (const text of ['{"patient":"Ada"', '["Ada", Ada]', '{"Ada":1,"Ada":2}'])
      expect(() => parse(text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('Ada') }));
  });
});
