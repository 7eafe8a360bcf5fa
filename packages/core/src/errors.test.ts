import { expect, test, vi } from 'vitest';
import { isMedzenError, MedzenError } from './errors.ts';

/** A second copy of the module, as two installed versions would make. */
async function otherCopy(): Promise<typeof import('./errors.ts')> {
  vi.resetModules();
  return import('./errors.ts');
}

test('an error is known across two copies of the package', async () => {
  const other = await otherCopy();
  expect(other.MedzenError).not.toBe(MedzenError);
  const foreign = new other.MedzenError('held', 'Under hold');
  expect(foreign instanceof MedzenError).toBe(false);
  expect(isMedzenError(foreign)).toBe(true);
  expect(other.isMedzenError(new MedzenError('held', 'Under hold'))).toBe(true);
});

test.each([undefined, null, 'held', 7, {}, new Error('held'), { code: 'held', name: 'MedzenError' }, () => 1])(
  'nothing else is taken for one: %s',
  (value) => {
    expect(isMedzenError(value)).toBe(false);
  },
);

test('the brand does not show and cannot be taken away', () => {
  const error = new MedzenError('held', 'Under hold');
  expect(JSON.stringify(error)).not.toContain('brand');
  expect(Object.getOwnPropertySymbols({ ...error })).toEqual([]);
  expect(Reflect.set(error, Symbol.for('medzen.error'), false)).toBe(false);
  expect(isMedzenError(error)).toBe(true);
});

test('codes that pass are retryable unless said otherwise', () => {
  for (const code of ['rate_limited', 'lease_lost', 'store_unavailable', 'provider_unavailable', 'wire_busy'] as const)
    expect(new MedzenError(code, 'm').retryable).toBe(true);
  for (const code of ['invalid_input', 'audit_conflict', 'held', 'internal'] as const)
    expect(new MedzenError(code, 'm').retryable).toBe(false);
  expect(new MedzenError('conflict', 'm', { retryable: true }).retryable).toBe(true);
  expect(new MedzenError('store_unavailable', 'm', { retryable: false }).retryable).toBe(false);
});

test('a cause is kept, and there is none when none was given', () => {
  const cause = new Error('below');
  expect(new MedzenError('internal', 'm', { cause }).cause).toBe(cause);
  expect('cause' in new MedzenError('internal', 'm')).toBe(false);
});

test('an audited error is the same failure with one mark more', () => {
  const cause = new Error('below');
  const error = new MedzenError('held', 'Under hold', {
    cause,
    retryAfterSeconds: 3,
    detail: { until: '2034-03-16' },
    pointers: ['/id'],
  });
  expect(error.audited).toBe(false);
  const audited = error.asAudited();
  expect(audited).toMatchObject({ code: 'held', message: 'Under hold', cause, retryAfterSeconds: 3, audited: true });
  expect(audited).toMatchObject({ detail: { until: '2034-03-16' }, pointers: ['/id'], retryable: false });
  expect(isMedzenError(audited)).toBe(true);
});
