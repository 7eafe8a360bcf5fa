import { expect, test } from 'vitest';
import { fromPrismaError } from './prisma-error.ts';

test("reads the server's answer where Prisma 6 and its engine keep it", () => {
  const meta = { code: 'MZ014', message: 'ERROR: A legal hold stands' };
  const error = Object.assign(new Error('Raw query failed'), { code: 'P2010', meta });
  expect(fromPrismaError(error, 'finish_deletion')).toMatchObject({ code: 'held', message: 'A legal hold stands' });
  const broken = Object.assign(new Error('Raw query failed'), { code: 'P2010', meta: { code: '40001', message: 'x' } });
  expect(fromPrismaError(broken, 'finish_deletion')).toMatchObject({ code: 'store_unavailable', retryable: true });
});

test("reads a driver adapter's error that Prisma did not wrap", () => {
  const cause = { kind: 'postgres', originalCode: '57P01', originalMessage: 'terminating connection' };
  const error = Object.assign(new Error('DriverAdapterError', { cause }), { name: 'DriverAdapterError' });
  expect(fromPrismaError(error, 'read_head')).toMatchObject({ code: 'store_unavailable' });
});

test("takes none of Prisma's own codes for an SQLSTATE", () => {
  for (const code of ['P1001', 'P1017', 'P2024'])
    expect(fromPrismaError(Object.assign(new Error('x'), { code }), 'read_head').code).toBe('store_unavailable');
  const refused = Object.assign(new Error('Argument: Ada Lovelace'), { name: 'PrismaClientValidationError' });
  expect(fromPrismaError(refused, 'read_head')).toMatchObject({ code: 'internal', retryable: false });
  expect(String(fromPrismaError(refused, 'read_head').cause)).not.toContain('Lovelace');
});
