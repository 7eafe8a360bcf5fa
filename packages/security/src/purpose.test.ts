import { describe, expect, test } from 'vitest';
import { purposeHeader, purposeOf } from './purpose.ts';

const stated = purposeHeader({ allow: ['TREAT', 'BTG'] });
const of = (headers: Record<string, string>): unknown => purposeOf(stated, new Headers(headers));

describe('the purpose of use', () => {
  test('is fixed by the policy, stated by the client, or unset', () => {
    expect(purposeOf(undefined, new Headers({ 'x-purpose-of-use': 'BTG' }))).toEqual({});
    expect(purposeOf('HPAYMT', new Headers({ 'x-purpose-of-use': 'BTG' }))).toEqual({ purpose: 'HPAYMT' });
    expect(of({})).toEqual({});
    expect(of({ 'x-purpose-of-use': 'TREAT' })).toEqual({ purpose: 'TREAT' });
  });

  test('of an emergency carries its reason, decoded', () => {
    const reason = encodeURIComponent('Bewusstlos, kein Ansprechpartner – Notfall');
    expect(of({ 'x-purpose-of-use': 'BTG', 'x-purpose-reason': reason })).toEqual({
      purpose: 'BTG',
      reason: 'Bewusstlos, kein Ansprechpartner – Notfall',
    });
  });

  test.each([
    [{ 'x-purpose-of-use': 'HRESCH' }],
    [{ 'x-purpose-of-use': '' }],
    [{ 'x-purpose-of-use': 'btg', 'x-purpose-reason': 'x' }],
    [{ 'x-purpose-of-use': 'BTG' }],
    [{ 'x-purpose-of-use': 'BTG', 'x-purpose-reason': '%20' }],
    [{ 'x-purpose-of-use': 'BTG', 'x-purpose-reason': '%' }],
    [{ 'x-purpose-of-use': 'BTG', 'x-purpose-reason': '%00' }],
    [{ 'x-purpose-of-use': 'BTG', 'x-purpose-reason': 'x'.repeat(2049) }],
  ])('is refused as %j', (headers) => {
    expect(() => of(headers)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });

  test('comes in the header fields that the route names', () => {
    const named = purposeHeader({ allow: ['BTG'], header: 'X-Purpose', reasonHeader: 'X-Why' });
    const headers = new Headers({ 'x-purpose': 'BTG', 'x-why': 'collapsed', 'x-purpose-reason': 'another' });
    expect(purposeOf(named, headers)).toEqual({ purpose: 'BTG', reason: 'collapsed' });
    headers.delete('x-why');
    expect(() => purposeOf(named, headers)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });

  test('needs something to choose from', () => {
    expect(() => purposeHeader({ allow: [] })).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
  });
});
