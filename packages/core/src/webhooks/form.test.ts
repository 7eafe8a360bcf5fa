import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hmacSha1 } from '../hash.ts';
import { toBase64 } from '../hex.ts';
import { decodeForm } from './form.ts';
import { verifyTwilio } from './twilio.ts';

const text = new TextEncoder();
const url = 'https://app.example.com/hook';
const plain = 'AccountSid=AC1&RoomSid=RM1';

function signed(body: Uint8Array): boolean {
  const signature = toBase64(hmacSha1(text.encode('token'), text.encode(`${url}AccountSidAC1RoomSidRM1`)));
  return verifyTwilio({ url, body, headers: new Headers({ 'x-twilio-signature': signature }) }, 'token').ok;
}

describe('decodeForm', () => {
  test('reads pairs in order, repeated names too', () => {
    expect([...(decodeForm(text.encode('a=1&b=%20+&a=2')) ?? [])]).toEqual([
      ['a', '1'],
      ['b', '  '],
      ['a', '2'],
    ]);
    expect([...(decodeForm(new Uint8Array()) ?? [])]).toEqual([]);
  });

  test('drops nothing before the first name', () => {
    expect([...(decodeForm(text.encode('?a=1'))?.keys() ?? [])]).toEqual(['?a']);
    expect([...(decodeForm(text.encode('\ufeffa=1'))?.keys() ?? [])]).toEqual(['\ufeffa']);
    expect(decodeForm(Uint8Array.of(0x61, 0x3d, 0xff))).toBeUndefined();
  });

  test('agrees with the encoder of every runtime', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }))), (pairs) => {
        const body = text.encode(new URLSearchParams(pairs.map(([name, value]) => [name, value])).toString());
        expect([...(decodeForm(body) ?? [])]).toEqual(pairs);
      }),
    );
  });

  // A reader that drops what the signature check kept, or keeps what it dropped, is handed another form than the one that was signed.
  test.each([
    ['a byte order mark', '\ufeff', false],
    ['a question mark', '?', false],
    ['an empty pair', '&', true],
    ['a space', '%20', false],
    ['a plus', '+', false],
    ['a NUL', '%00', false],
  ])('%s before the first name: what is verified is what is read', (_, prefix, same) => {
    const body = text.encode(prefix + plain);
    expect(signed(body)).toBe(same);
    expect(decodeForm(body)?.get('AccountSid') === 'AC1').toBe(same);
  });
});
