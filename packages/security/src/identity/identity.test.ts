import { MedzenError } from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Issuer, part, startIssuer } from '../../test/issuer.ts';
import { anyOf } from './any-of.ts';
import type { AuthDeps, AuthFailure, IdentityAuth } from './auth.ts';
import { readCompactToken } from './compact-token.ts';
import { firebase } from './firebase.ts';
import { publicRoute } from './public-route.ts';
import { resolveActor, toActor } from './resolve-actor.ts';
import { webhook } from './webhook.ts';

const clock = fakeClock();
const deps: AuthDeps = { clock, fetch, defaultTenant: 'default' };
const refused = expect.objectContaining({ code: 'invalid_configuration' });

describe('a compact token', () => {
  test('has one spelling: the one that Node would write', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/), (signature) => {
        const canonical = Buffer.from(signature, 'base64url').toString('base64url') === signature;
        const token = readCompactToken(`${part({})}.${part({})}.${signature}`);
        expect(typeof token === 'object').toBe(canonical);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('an actor', () => {
  test.each([
    [
      { sub: 'u', roles: ['a', 'b'] },
      { id: 'u', roles: ['a', 'b'] },
    ],
    [
      { sub: 'u', role: 'a', 'cognito:groups': ['a', 'c'] },
      { id: 'u', roles: ['a', 'c'] },
    ],
    [
      { sub: 'u', realm_access: { roles: ['r'] } },
      { id: 'u', roles: ['r'] },
    ],
    [
      { sub: 'u', app_metadata: { role: 'x', tenant: 't' } },
      { id: 'u', roles: ['x'], tenant: 't' },
    ],
    [
      { sub: 'u', tenant_id: 't', tenant: 's' },
      { id: 'u', roles: [], tenant: 's' },
    ],
    [
      { sub: 'u', user_metadata: { roles: ['admin'], tenant: 'other' } },
      { id: 'u', roles: [] },
    ],
    [
      { sub: 'u', roles: [1, null, '', 'a'], realm_access: 'x', app_metadata: ['y'] },
      { id: 'u', roles: ['a'] },
    ],
    [{ sub: 7 }, undefined],
    [{}, undefined],
  ])('of %j is %j', (claims, actor) => {
    expect(resolveActor(claims)).toEqual(actor);
  });

  test('has a tenant that is a tenant’s name, or is none', () => {
    expect(toActor({ id: 'u', roles: [] }, 'north')).toMatchObject({ tenant: 'north', type: 'user' });
    expect(toActor({ id: 'u', roles: [], tenant: '../x' }, 'north')).toBeUndefined();
    expect(toActor({ id: '', roles: [] }, 'north')).toBeUndefined();
    expect(toActor({ id: 's', roles: [], type: 'service' }, 'north')).toMatchObject({ type: 'service' });
  });
});

describe('any of several ways', () => {
  const says = (reason: AuthFailure): IdentityAuth => ({
    kind: 'identity',
    authenticate: async () => ({ ok: false, reason }),
  });
  const takes: IdentityAuth = {
    kind: 'identity',
    authenticate: async () => ({
      ok: true,
      issuer: 'x',
      claims: {},
      actor: { id: 'u', type: 'user', roles: [], tenant: 't' },
    }),
  };
  const broken: IdentityAuth = {
    kind: 'identity',
    authenticate: () => Promise.reject(new MedzenError('provider_unavailable', 'down')),
  };
  const ask = (...ways: IdentityAuth[]): Promise<unknown> => anyOf(...ways).authenticate(new Headers(), deps);

  test('is accepted by the first that accepts', async () => {
    expect(await ask(says('issuer'), broken, takes)).toMatchObject({ ok: true });
  });

  test('is refused for the reason that came furthest', async () => {
    expect(await ask(says('missing'), says('issuer'))).toEqual({ ok: false, reason: 'issuer' });
    expect(await ask(says('expired'), says('issuer'), says('missing'))).toEqual({ ok: false, reason: 'expired' });
    expect(await ask(says('missing'), says('missing'))).toEqual({ ok: false, reason: 'missing' });
  });

  test('is an outage when nobody accepts and one could not say', async () => {
    await expect(ask(broken, says('missing'))).rejects.toMatchObject({ code: 'provider_unavailable' });
  });

  test('must be given one', () => {
    expect(() => anyOf()).toThrow(refused);
  });
});

describe('Firebase', () => {
  let google: Issuer;
  beforeAll(async () => {
    google = await startIssuer(clock);
  });
  afterAll(() => google.close());

  test('accepts ID tokens of the project and no other', async () => {
    const auth = firebase({ projectId: 'clinic-prod', jwks: google.jwksUrl, header: 'x-firebase-token' });
    const present = async (claims: Record<string, unknown>): Promise<unknown> => {
      const all = { iss: 'https://securetoken.google.com/clinic-prod', aud: 'clinic-prod', ...claims };
      const verdict = await auth.authenticate(new Headers({ 'x-firebase-token': await google.token(all) }), deps);
      return verdict.ok ? verdict.actor.id : verdict.reason;
    };
    expect(await present({})).toBe('u1');
    expect(await present({ iss: 'https://securetoken.google.com/other', aud: 'other' })).toBe('issuer');
    expect(await present({ aud: 'other' })).toBe('audience');
    expect(await present({ sub: 'x'.repeat(129) })).toBe('refused');
  });

  test.each(['', 'a', 'Clinic', 'clinic/../x', 'clinic prod'])('refuses the project id %j', (projectId) => {
    expect(() => firebase({ projectId })).toThrow(refused);
  });
});

test('a public route says why, and a webhook who sends', () => {
  expect(() => publicRoute(' ')).toThrow(refused);
  expect(() => webhook({ name: 'Not A Name', verify: () => ({ ok: true }) })).toThrow(refused);
  expect(() => webhook({ name: 'x', verify: () => ({ ok: true }), maxBytes: 0 })).toThrow(refused);
});
