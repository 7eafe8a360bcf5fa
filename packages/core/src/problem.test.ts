import { describe, expect, test } from 'vitest';
import { type ErrorCode, MedzenError } from './errors.ts';
import { problemTable, toProblem } from './problem.ts';

// `problemTable` is complete by its type; what is in it is checked here.
const codes = Object.keys(problemTable) as ErrorCode[]; // its own keys

describe('toProblem', () => {
  test.each(codes)('answers %s with its row and a type of its own', (code) => {
    const problem = toProblem(
      new MedzenError(code, 'A sentence', { pointers: ['/a'], detail: { rule: 'r' } }),
      'req-1',
    );
    const { status, title } = problemTable[code];
    expect(problem).toMatchObject({ status, title, code, requestId: 'req-1' });
    expect(problem.type).toBe(`https://medzen.dev/problems/${code.replaceAll('_', '-')}`);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    if (status === 500) expect(Object.keys(problem).sort()).toEqual(['code', 'requestId', 'status', 'title', 'type']);
    else expect(problem).toMatchObject({ detail: 'A sentence', pointers: ['/a'], facts: { rule: 'r' } });
  });

  test.each([
    new Error('password=hunter2 relation "patient"'),
    'password=hunter2',
    undefined,
    null,
    { message: 'hunter2', status: 200, code: 'held' },
  ])('tells nothing of an unknown error: %s', (thrown) => {
    expect(toProblem(thrown)).toEqual({
      type: 'https://medzen.dev/problems/internal',
      title: 'Internal error',
      status: 500,
      code: 'internal',
    });
  });

  test('tells nothing of a cause', () => {
    const error = new MedzenError('store_unavailable', 'The store is down', { cause: new Error('hunter2') });
    expect(JSON.stringify(toProblem(error))).not.toContain('hunter2');
  });

  test('answers a code that it does not know, from a newer copy, as internal', () => {
    const error = new MedzenError('held', 'From the future');
    Object.defineProperty(error, 'code', { value: 'not_yet_invented' });
    expect(toProblem(error)).toMatchObject({ status: 500, title: 'Internal error', code: 'internal' });
  });

  test('puts the status that clients and proxies act upon', () => {
    const status = (code: ErrorCode): number => problemTable[code].status;
    expect([status('store_unavailable'), status('rate_limited'), status('gone'), status('forbidden')]).toEqual([
      503, 429, 410, 403,
    ]);
  });
});
