import type { CallContext } from '@medzen/core';
import { expect, test } from 'vitest';
import { actorSettings } from './actor-settings.ts';

const ctx: CallContext = {
  scope: { tenant: 'clinic-a' },
  actor: { id: 'dr-1', type: 'user', roles: ['provider', 'admin'], tenant: 'clinic-a' },
  source: { ip: '192.0.2.7', userAgent: 'x'.repeat(600) },
};

test('says who acts, in the words of an event', () => {
  const { text, values } = actorSettings(ctx);
  expect(text).toBe(
    "SELECT set_config('medzen.actor', $1, true) AS actor, set_config('medzen.context', $2, true) AS context",
  );
  expect(values[0]).toBe('dr-1');
  expect(JSON.parse(values[1])).toEqual({
    tenant: 'clinic-a',
    actor: { id: 'dr-1', type: 'user', role: 'provider,admin' },
    source: { ip: '192.0.2.7', userAgent: 'x'.repeat(512) },
  });
  const urgent = actorSettings({ ...ctx, purpose: 'BTG', reason: 'Unconscious patient' });
  expect(JSON.parse(urgent.values[1])).toMatchObject({ purpose: 'BTG', reason: 'Unconscious patient' });
});

test('goes by the name of the schema, and takes no other for one', () => {
  expect(actorSettings(ctx, { schema: 'acme' }).text).toContain("'acme.actor', $1");
  expect(() => actorSettings(ctx, { schema: "a'b" })).toThrowError(
    expect.objectContaining({ code: 'invalid_configuration' }),
  );
});

test.each<[string, Partial<CallContext>]>([
  ['without an id', { actor: { ...ctx.actor, id: '' } }],
  ['who breaks the glass without a reason', { purpose: 'BTG' }],
])('refuses a caller %s', (_, change) => {
  expect(() => actorSettings({ ...ctx, ...change })).toThrowError(expect.objectContaining({ code: 'invalid_input' }));
});
