import { fakeClock } from '@medzen/testing';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuthDeps } from './auth.ts';
import { maxCandidates } from './key-set.ts';
import { oidc } from './oidc.ts';

const issuer = 'https://id.clinic.example';
const audience = 'https://api.clinic.example';
const clock = fakeClock();

interface Pair {
  readonly jwk: JWK;
  token(header?: Readonly<Record<string, unknown>>): Promise<string>;
}

async function newPair(): Promise<Pair> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  return {
    jwk: await exportJWK(publicKey),
    token: (header = {}) => {
      const now = Math.floor(clock.now().getTime() / 1000);
      return new SignJWT({ iss: issuer, aud: audience, sub: 'u1', exp: now + 86_400 * 30 })
        .setProtectedHeader({ alg: 'RS256', ...header })
        .sign(privateKey);
    },
  };
}

let [first, second, stranger]: Pair[] = [];
beforeAll(async () => {
  [first, second, stranger] = await Promise.all([newPair(), newPair(), newPair()]);
});
const pair = (one: Pair | undefined): Pair => one ?? expect.unreachable();

/** An issuer in this process: what it answers next, and whether it answers at all. */
let keys: unknown[];
let mode: 'serve' | 'hang' | 'hang deaf';
let fetches: number;
let release: () => void;
let warnings: string[];
let deps: AuthDeps;
beforeEach(() => {
  clock.set('2026-01-15T09:00:00.000Z');
  [keys, mode, fetches, warnings] = [[], 'serve', 0, []];
  const held = Promise.withResolvers<void>();
  release = held.resolve;
  const fetchFake: typeof fetch = async (_input, init) => {
    fetches++;
    if (mode === 'serve') return Response.json({ keys });
    const given = keys;
    const told = new Promise<never>((_, reject) => {
      if (mode === 'hang') init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
    });
    await Promise.race([held.promise, told]);
    return Response.json({ keys: given });
  };
  deps = {
    clock,
    fetch: fetchFake,
    defaultTenant: 'default',
    logger: { warn: (message) => void warnings.push(message) },
  };
});

function verifier(): (token: string) => Promise<string> {
  const auth = oidc({ issuer, audience, jwks: `${issuer}/jwks.json` });
  return async (token) => {
    const verdict = await auth.authenticate(new Headers({ authorization: `Bearer ${token}` }), deps);
    return verdict.ok ? 'accepted' : verdict.reason;
  };
}

describe('while the issuer hangs', () => {
  test.each(['hang', 'hang deaf'] as const)('no request with a known key waits for it (%s)', async (how) => {
    const present = verifier();
    keys = [{ ...pair(first).jwk, kid: 'a' }];
    const token = await pair(first).token({ kid: 'a' });
    expect(await present(token)).toBe('accepted');
    mode = how;
    clock.advance(600_001); // past their age: due to be fetched again
    // Nothing lets the fetch end: had one of these waited for it, the test would not end.
    for (let i = 0; i < 50; i++) expect(await present(token)).toBe('accepted');
    expect(fetches).toBe(2);
    release();
  });

  test('an unknown key id waits, and keeps nobody else waiting', async () => {
    const present = verifier();
    keys = [{ ...pair(first).jwk, kid: 'a' }];
    const known = await pair(first).token({ kid: 'a' });
    expect(await present(known)).toBe('accepted');
    mode = 'hang deaf';
    clock.advance(30_000);
    keys = [{ ...pair(second).jwk, kid: 'b' }];
    const unknown = present(await pair(second).token({ kid: 'b' }));
    for (let i = 0; i < 10; i++) expect(await present(known)).toBe('accepted');
    release();
    expect(await unknown).toBe('accepted'); // the issuer had rotated
    expect(fetches).toBe(2);
  });

  test('keys are fetched behind, and the next request has the new ones', async () => {
    const present = verifier();
    keys = [{ ...pair(first).jwk, kid: 'a' }];
    await present(await pair(first).token({ kid: 'a' }));
    keys = [{ ...pair(second).jwk, kid: 'a' }]; // the old key was withdrawn
    clock.advance(600_001);
    const work: Promise<unknown>[] = [];
    deps = { ...deps, waitUntil: (promise) => void work.push(promise) };
    expect(await present(await pair(first).token({ kid: 'a' }))).toBe('accepted');
    expect(work).toHaveLength(1); // the platform is asked to let it end
    await Promise.all(work);
    expect(await present(await pair(first).token({ kid: 'a' }))).toBe('signature');
    expect(await present(await pair(second).token({ kid: 'a' }))).toBe('accepted');
  });

  test('a fetch that was lost with its request is not waited for for ever', async () => {
    const present = verifier();
    keys = [{ ...pair(first).jwk, kid: 'a' }];
    const token = await pair(first).token({ kid: 'a' });
    await present(token);
    mode = 'hang deaf';
    clock.advance(600_001);
    await present(token); // begins one that never ends
    mode = 'serve';
    keys = [{ ...pair(second).jwk, kid: 'b' }];
    clock.advance(60_000);
    expect(await present(await pair(second).token({ kid: 'b' }))).toBe('accepted');
    release();
  });
});

describe('an answer without keys', () => {
  test.each([
    ['an empty set', []],
    ['only keys for encryption', [{ kty: 'RSA', use: 'enc', n: 'AQAB', e: 'AQAB' }]],
    ['only symmetric keys', [{ kty: 'oct', k: 'AA' }]],
    ['no objects', [null, 7, 'key']],
    ['a key without its numbers', [{ kty: 'RSA', kid: 'a' }]],
    ['a key with numbers of another form', [{ kty: 'RSA', kid: 'a', n: '', e: 65_537 }]],
    ['a curve without its point', [{ kty: 'EC', kid: 'a', crv: 'P-256', x: 'AQAB' }]],
    ['a key that only encrypts', [{ kty: 'RSA', kid: 'a', key_ops: ['encrypt'], n: 'AQAB', e: 'AQAB' }]],
  ])('is a failed fetch: %s replaces no good keys, and is told to the log', async (_, answer) => {
    const present = verifier();
    keys = [{ ...pair(first).jwk, kid: 'a' }];
    const token = await pair(first).token({ kid: 'a' });
    expect(await present(token)).toBe('accepted');
    keys = answer;
    const work: Promise<unknown>[] = [];
    deps = { ...deps, waitUntil: (promise) => void work.push(promise) };
    clock.advance(600_001);
    expect(await present(token)).toBe('accepted');
    await Promise.all(work);
    expect(await present(token)).toBe('accepted');
    expect(warnings).toEqual(['The keys of the identity provider could not be fetched']);
  });

  test('is an outage, not a refusal, where there were none before', async () => {
    await expect(verifier()(await pair(first).token())).rejects.toMatchObject({ code: 'provider_unavailable' });
  });
});

describe('several keys that may have signed', () => {
  test.each([
    ['one id twice', 'a', 'a', 'a'],
    ['none has an id, nor has the token', undefined, undefined, undefined],
    ['none has an id, but the token', undefined, undefined, 'a'],
    ['each has an id, but not the token', 'a', 'b', undefined],
    ['another has this id', undefined, 'a', 'a'],
  ])('are tried each: %s', async (_, idOfFirst, idOfSecond, idOfToken) => {
    const present = verifier();
    const named = (jwk: JWK, kid: string | undefined): JWK => (kid === undefined ? jwk : { ...jwk, kid });
    keys = [named(pair(first).jwk, idOfFirst), named(pair(second).jwk, idOfSecond)];
    const header = idOfToken === undefined ? {} : { kid: idOfToken };
    expect(await present(await pair(first).token(header))).toBe('accepted');
    if (idOfSecond === idOfFirst || idOfToken === undefined)
      expect(await present(await pair(second).token(header))).toBe('accepted');
    expect(await present(await pair(stranger).token(header))).toBe('signature');
    expect(fetches).toBe(1);
  });

  test('are fetched again when none fits and the token names none, as after a rotation', async () => {
    const present = verifier();
    keys = [pair(first).jwk];
    expect(await present(await pair(first).token())).toBe('accepted');
    keys = [pair(second).jwk];
    expect(await present(await pair(second).token())).toBe('signature');
    clock.advance(30_000);
    expect(await present(await pair(second).token())).toBe('accepted');
    expect(fetches).toBe(2);
  });

  test('are tried up to a bound', async () => {
    const present = verifier();
    const others = Array.from({ length: maxCandidates }, () => ({ ...pair(second).jwk, kid: 'a' }));
    keys = [...others.slice(1), { ...pair(first).jwk, kid: 'a' }];
    expect(await present(await pair(first).token({ kid: 'a' }))).toBe('accepted');
    keys = [...others, { ...pair(first).jwk, kid: 'a' }];
    expect(await verifier()(await pair(first).token({ kid: 'a' }))).toBe('signature');
  });

  test('leave a key id that is unknown one fetch in the cool-down', async () => {
    const present = verifier();
    keys = [pair(first).jwk, { ...pair(second).jwk, kid: 'b' }];
    await present(await pair(first).token());
    for (let i = 0; i < 100; i++) await present(await pair(stranger).token({ kid: `forged-${i}` }));
    expect(fetches).toBe(1);
    clock.advance(30_000);
    for (let i = 0; i < 100; i++) await present(await pair(stranger).token({ kid: `more-${i}` }));
    expect(fetches).toBe(2);
  });
});
