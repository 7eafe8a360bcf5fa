import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { prepareHmac, sha256Hex } from './presign-hash.ts';

test('the prepared HMAC is HMAC-SHA-256 for any key up to a block, any prefix and any tail', () => {
  const ascii = (min: number, max: number) => fc.stringMatching(new RegExp(`^[ -~]{${min},${max}}$`));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), ascii(0, 200), ascii(64, 64), ascii(64, 64), (key, prefix, a, b) => {
      const sign = prepareHmac(key, prefix);
      for (const tail of [a, b, a]) {
        expect(sign(tail)).toBe(
          createHmac('sha256', key)
            .update(prefix + tail)
            .digest('hex'),
        );
      }
    }),
  );
});

test('the hash of a text is the hash of its UTF-8', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(sha256Hex(text)).toBe(createHash('sha256').update(text, 'utf8').digest('hex'));
    }),
  );
});
