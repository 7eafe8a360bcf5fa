import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRoute, type Route } from './route.ts';

describe('a route template', () => {
  test('matches its own paths and gives the decoded parameters back', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
      .filter((value) => value !== '.' && value !== '..');
    fc.assert(
      fc.property(text, text, (a, b) => {
        const url = new URL(`https://h/v1/x/${encodeURIComponent(a)}/y/${encodeURIComponent(b)}`);
        const params = parseRoute('GET /v1/x/:a/y/:b').match(url.pathname);
        expect({ ...params }).toEqual({ a, b });
      }),
    );
  });

  test.each([
    '/v1/x',
    '/v1/x/',
    '/v1/x/1/',
    '/v1/x/1/2',
    '/V1/x/1',
    '//v1/x/1',
    '/v1/x/%',
    '/v1/x/%ff',
    '/v1//x/1',
    '',
  ])('does not match %j', (path) => {
    expect(parseRoute('GET /v1/x/:id').match(path)).toBeUndefined();
  });

  test('takes a slash that was encoded as part of the parameter', () => {
    expect(parseRoute('GET /x/:id').match('/x/a%2F..%2Fb')).toEqual({ id: 'a/../b' });
  });

  test('gives parameters without a prototype', () => {
    expect(Object.getPrototypeOf(parseRoute('GET /x/:id').match('/x/1'))).toBeNull();
  });

  test.each([
    'GET x',
    'get /x',
    'GET  /x',
    'GET /x y',
    'GET /:a/:a',
    'GET /:1',
    'GET /x:y*',
    'GET /*',
    'GET /(a)',
    'HEAD /x',
    'GET /é',
    '',
    'GET /a?b',
  ])('is not %j', (template) => {
    expect(() => parseRoute(template as Route)).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
  });

  test('of GET answers HEAD, others only themselves', () => {
    const accepted = (route: Route): string[] =>
      ['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'get'].filter((method) => parseRoute(route).accepts(method));
    expect(accepted('GET /x')).toEqual(['GET', 'HEAD']);
    expect(accepted('POST /x')).toEqual(['POST']);
  });
});
