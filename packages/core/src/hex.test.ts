import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromBase64, fromHex, toBase64, toHex } from './hex.ts';

const bytes = fc.uint8Array({ maxLength: 300 });
const invalid: unknown = expect.objectContaining({ code: 'invalid_input' });

describe('hex', () => {
  test('agrees with Buffer, there and back', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        expect(toHex(data)).toBe(Buffer.from(data).toString('hex'));
        expect(fromHex(toHex(data))).toEqual(data);
        expect(fromHex(toHex(data).toUpperCase())).toEqual(data);
      }),
    );
  });

  test.each(['0', '0g', '0x00', ' 00', '00\n', '0 0', '00,', '０0'])('refuses %j', (text) => {
    expect(() => fromHex(text)).toThrowError(invalid);
  });
});

describe('base64', () => {
  test.each([
    ['', ''],
    ['f', 'Zg=='],
    ['fo', 'Zm8='],
    ['foo', 'Zm9v'],
    ['foob', 'Zm9vYg=='],
    ['fooba', 'Zm9vYmE='],
    ['foobar', 'Zm9vYmFy'],
  ])('writes %j as %j (RFC 4648 §10)', (text, encoded) => {
    expect(toBase64(new TextEncoder().encode(text))).toBe(encoded);
    expect(new TextDecoder().decode(fromBase64(encoded))).toBe(text);
  });

  test('agrees with Buffer, there and back', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        expect(toBase64(data)).toBe(Buffer.from(data).toString('base64'));
        expect(fromBase64(toBase64(data))).toEqual(data);
      }),
    );
  });

  // Missing and surplus padding, unused bits, white space, the URL alphabet, no base64 at all.
  test.each(['Zg', 'Zg=', 'Zg===', 'Zh==', 'Zm9=', ' Zg==', 'Zg==\n', 'Z g==', '-_-_', 'Zg==Zg==', '*', 'é'])(
    'refuses %j, because no two texts may mean the same bytes',
    (text) => {
      expect(() => fromBase64(text)).toThrowError(invalid);
    },
  );

  test('accepts exactly the texts that it would write itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ABZagz059+/=') }), (text) => {
        let read: Uint8Array | undefined;
        try {
          read = fromBase64(text);
        } catch {
          read = undefined;
        }
        if (read !== undefined) expect(toBase64(read)).toBe(text);
        else expect(Buffer.from(text, 'base64').toString('base64')).not.toBe(text);
      }),
    );
  });
});
