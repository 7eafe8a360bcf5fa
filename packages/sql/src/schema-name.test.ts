import { expect, test } from 'vitest';
import { checkedSchema, peopleSchema, underSchema } from './index.ts';

test('a name of its own stands for both schemas, and the roles keep theirs', () => {
  const sql = 'SELECT medzen.f(), medzen_api.g() FROM "medzen" TO medzen_app; -- medzen_apiary, xmedzen, medzen_api_x';
  expect(underSchema(sql, 'clinic')).toBe(
    'SELECT clinic.f(), clinic_api.g() FROM "clinic" TO medzen_app; -- medzen_apiary, xmedzen, medzen_api_x',
  );
  expect(underSchema(sql, 'medzen')).toBe(sql);
});

test("the people's schema has the name of the installation's, with _api", () => {
  expect(peopleSchema()).toBe('medzen_api');
  expect(peopleSchema('clinic')).toBe('clinic_api');
});

test("no installation takes the name of another one's people's schema", () => {
  expect(checkedSchema('clinic_apis')).toBe('clinic_apis');
  for (const name of ['medzen_api', 'clinic_api']) {
    expect(() => checkedSchema(name)).toThrow(/_api/);
    expect(() => peopleSchema(name)).toThrow(/_api/);
  }
});
