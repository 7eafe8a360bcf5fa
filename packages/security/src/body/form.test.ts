import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { form } from './form.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a form', () => {
  test('is read as browsers write it, repeated names as a list', async () => {
    const fields = await form().parse(bytes('a=1&b=x+y%2B&a=2&c=&d&%C3%A9=%E2%82%AC&a=3'));
    expect(fields).toEqual({ a: ['1', '2', '3'], b: 'x y+', c: '', d: '', é: '€' });
  });

  test('is typed by a schema', async () => {
    const reader = form(z.object({ n: z.coerce.number() }));
    expect(await reader.parse(bytes('n=7'))).toEqual({ n: 7 });
    await expect(reader.parse(bytes('n=x'))).rejects.toMatchObject({ code: 'invalid_input', pointers: ['/n'] });
  });

  test.each(['__proto__=1', 'constructor=1', 'a=%00', '%00=1', 'prototype=1'])('is refused as %s', async (text) => {
    await expect(form().parse(bytes(text))).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test.each(['toString', 'hasOwnProperty', 'valueOf', '__defineGetter__'])(
    'takes a field that is called as something every object has: %s',
    async (name) => {
      expect(Object.entries(await form().parse(bytes(`${name}=1`)))).toEqual([[name, '1']]);
      expect(Object.entries(await form().parse(bytes(`${name}=1&${name}=2`)))).toEqual([[name, ['1', '2']]]);
    },
  );

  test('is bounded in fields', async () => {
    const reader = form(undefined, { maxFields: 2 });
    expect(await reader.parse(bytes('a=1&a=2'))).toEqual({ a: ['1', '2'] });
    await expect(reader.parse(bytes('a=1&a=2&a=3'))).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('that is not UTF-8 is refused', async () => {
    await expect(form().parse(Uint8Array.from([0x61, 0x3d, 0xff]))).rejects.toMatchObject({ code: 'invalid_input' });
  });
});
