import { expect, it } from 'vitest';
import { readArguments } from './arguments.ts';
import { wireNames } from './wires.ts';

it('takes every wire, PGlite when none is named', () => {
  expect(readArguments([])).toEqual({ wire: 'pglite', serve: false });
  for (const wire of wireNames) expect(readArguments(['--wire', wire, '--serve'])).toEqual({ wire, serve: true });
  expect(readArguments(['--wire=pg'])).toEqual({ wire: 'pg', serve: false });
});

it.each([
  { args: ['--wire', 'mysql'], says: 'No such wire: mysql' },
  { args: ['--wire', 'toString'], says: 'No such wire: toString' },
  { args: ['--wire'], says: "Option '--wire <value>' argument missing" },
  { args: ['--wire', '--serve'], says: "Option '--wire' argument is ambiguous" },
  { args: ['--server'], says: "Unknown option '--server'" },
  { args: ['prisma'], says: "Unexpected argument 'prisma'" }, // what is left of `npm run demo --wire prisma`
])('says how it is used when it was given $args', ({ args, says }) => {
  const [first, usage] = String(readArguments(args)).split('\n');
  expect(first).toContain(says);
  expect(usage).toBe('Usage: npm run demo -- [--wire pglite|pg|postgres.js|prisma|supabase] [--serve]');
});
