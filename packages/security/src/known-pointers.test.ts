import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import * as mini from 'zod/mini';
import { validate } from './validate.ts';

async function pointersOf(schema: StandardSchemaV1, value: unknown): Promise<unknown> {
  try {
    await validate(schema, value);
  } catch (error) {
    return (error as { readonly pointers?: unknown }).pointers; // a MedzenError
  }
  throw new Error('It fitted');
}

const person = z.object({
  name: z.string(),
  address: z.object({ 'zip/code~': z.string() }),
  tags: z.array(z.object({ k: z.number() })),
  notes: z.record(z.string(), z.number()),
});
const good = { name: 'a', address: { 'zip/code~': '1' }, tags: [], notes: {} };

describe('what was wrong', () => {
  test.each([
    [{ ...good, name: 7 }, ['/name']],
    [{ ...good, address: { 'zip/code~': 1 } }, ['/address/zip~1code~0']],
    [{ ...good, tags: [{ k: 1 }, { k: 'x' }] }, ['/tags/1/k']],
    [{ ...good, notes: { 'Ada Lovelace': 'x' } }, ['/notes']],
    [7, ['']],
    [{}, ['/name', '/address', '/tags', '/notes']],
  ])('is told by pointers that the schema knows: %j', async (value, pointers) => {
    expect(await pointersOf(person, value)).toEqual(pointers);
  });

  test('never names an unknown field', async () => {
    expect(await pointersOf(z.strictObject({ a: z.string() }), { a: 'x', 'Ada Lovelace': 1 })).toEqual(['']);
  });

  test('is cut short by a schema that cannot describe itself', async () => {
    const small = mini.object({ a: mini.object({ b: mini.string() }) });
    expect(await pointersOf(small, { a: { b: 7 } })).toEqual(['']);
    expect(await pointersOf(small, { a: {} })).toEqual(['']);
    expect(await pointersOf(small, {})).toEqual(['/a']);
    const timed = z.object({ at: z.date() });
    expect(await pointersOf(timed, { at: 'x' })).toEqual(['']);
  });

  test('is told for the first twenty only', async () => {
    const many = Array.from({ length: 100 }, () => 'x');
    expect(await pointersOf(z.array(z.number()), many)).toHaveLength(20);
  });

  test('is checked by a schema that takes its time', async () => {
    const slow = z.object({ a: z.string().refine(async (text) => text === 'yes') });
    expect(await validate(slow, { a: 'yes' })).toEqual({ a: 'yes' });
    expect(await pointersOf(slow, { a: 'no' })).toEqual(['/a']);
  });
});
