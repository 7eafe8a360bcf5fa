import { expect, test, vi } from 'vitest';
import { errorFields } from './error-fields.ts';
import { MedzenError } from './errors.ts';
import { stderrLogger } from './logger.ts';

test('the chain of causes is told by codes, without a word of what a driver said', () => {
  const refused = Object.assign(new Error('password authentication failed for user "jane"'), { code: '28P01' });
  const error = new MedzenError('invalid_configuration', 'The database refused the login', { cause: refused });
  const outer = new MedzenError('store_unavailable', 'Limits cannot be checked now', { cause: error });
  expect(errorFields(outer)).toEqual({
    code: 'store_unavailable',
    cause:
      'store_unavailable: Limits cannot be checked now < invalid_configuration: The database refused the login < Error 28P01',
  });
});

test.each([
  ['a URL as code', Object.assign(new Error('x'), { code: 'https://u:p@db.example/?token=1' }), 'Error'],
  ['a name with spaces', Object.assign(new Error('x'), { name: 'Jane Doe born 1980' }), 'an error'],
  ['a thrown text', 'patient p1', 'a thrown string'],
  ['nothing thrown', null, 'a thrown null'],
  ['an HTTP status', Object.assign(new Error('x'), { status: 401 }), 'Error 401'],
  ['a getter that throws', Object.defineProperty(new Error('x'), 'code', { get: () => fail() }), 'Error'],
])('%s does not get into the log', (_, error, cause) => {
  expect(errorFields(error)).toEqual({ code: 'internal', cause });
});

test('a chain that bites its tail, or is endless, ends', () => {
  const ring = new Error('a');
  ring.cause = ring;
  expect(errorFields(ring).cause).toBe('Error');
  let deep = new Error('0');
  for (let i = 0; i < 100; i++) deep = new Error('n', { cause: deep });
  expect(errorFields(deep).cause.split(' < ')).toHaveLength(8);
});

test('an AggregateError shows its first', () => {
  const error = new AggregateError([Object.assign(new Error('x'), { code: 'ECONNREFUSED' })]);
  expect(errorFields(error).cause).toBe('AggregateError < Error ECONNREFUSED');
});

test('the default logger writes one JSON object a line, warnings and errors only', () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue(undefined);
  const error = vi.spyOn(console, 'error').mockReturnValue(undefined);
  stderrLogger.info('dropped');
  stderrLogger.warn('first', { count: 1 });
  stderrLogger.error('second');
  expect(warn.mock.calls).toEqual([['{"level":"warn","message":"medzen: first","count":1}']]);
  expect(error.mock.calls).toEqual([['{"level":"error","message":"medzen: second"}']]);
  vi.restoreAllMocks();
});

function fail(): never {
  throw new Error('a getter');
}
