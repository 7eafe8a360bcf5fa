import { createHmac } from 'node:crypto';
import { fakeClock } from '@medzen/testing';
import { CompactEncrypt, SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { audience, type Issuer, part, startIssuer } from '../../test/issuer.ts';
import type { AuthDeps, AuthVerdict, IdentityAuth } from './auth.ts';
import { type OidcOptions, oidc } from './oidc.ts';

const clock = fakeClock();
let issuer: Issuer;
let auth: IdentityAuth;
let warnings: (readonly [string, unknown])[] = [];
const logger = { warn: (message: string, fields: unknown) => void warnings.push([message, fields]) };
const deps: AuthDeps = { clock, fetch, defaultTenant: 'default', logger };

beforeEach(async () => {
  clock.set('2026-01-15T09:00:00.000Z');
  warnings = [];
  issuer = await startIssuer(clock);
  auth = make({});
});
afterEach(() => issuer.close());

function make(options: Partial<OidcOptions>): IdentityAuth {
  return oidc({ issuer: issuer.issuer, audience, jwks: issuer.jwksUrl, ...options });
}

function present(token: string, by: IdentityAuth = auth, name = 'authorization'): Promise<AuthVerdict> {
  return by.authenticate(new Headers({ [name]: name === 'authorization' ? `Bearer ${token}` : token }), deps);
}

async function reasonOf(token: string, by: IdentityAuth = auth): Promise<string> {
  const verdict = await present(token, by);
  return verdict.ok ? 'accepted' : verdict.reason;
}

/** The issuer is asked behind the request that finds its keys too old. */
function asked(times: number): Promise<unknown> {
  return vi.waitUntil(() => issuer.hits.get('/jwks.json') === times, { timeout: 10_000 });
}

const inSeconds = (offset: number): number => Math.floor(clock.now().getTime() / 1000) + offset;

describe('a token of the issuer', () => {
  test('tells who calls', async () => {
    const verdict = await present(await issuer.token({ sub: 'dr-1', roles: ['provider', 'admin'], tenant: 'north' }));
    expect(verdict).toMatchObject({
      ok: true,
      issuer: issuer.issuer,
      actor: { id: 'dr-1', type: 'user', roles: ['provider', 'admin'], tenant: 'north' },
    });
  });

  test('works for the default tenant when it names none', async () => {
    expect(await present(await issuer.token())).toMatchObject({ ok: true, actor: { tenant: 'default' } });
  });

  test.each(['bearer', 'BEARER', 'Bearer  '])('is found behind the scheme "%s"', async (scheme) => {
    const headers = new Headers({ authorization: `${scheme} ${await issuer.token()}` });
    expect(await auth.authenticate(headers, deps)).toMatchObject({ ok: true });
  });

  test('may come in another header, bare or with the scheme', async () => {
    const other = make({ header: 'X-Firebase-Token' });
    const token = await issuer.token();
    expect(await present(token, other, 'x-firebase-token')).toMatchObject({ ok: true });
    expect(await present(`Bearer ${token}`, other, 'x-firebase-token')).toMatchObject({ ok: true });
    expect(await present(token, other)).toEqual({ ok: false, reason: 'missing' });
  });

  test('may list several audiences, one of them ours', async () => {
    expect(await reasonOf(await issuer.token({ aud: ['other', audience] }))).toBe('accepted');
  });

  test('is found through discovery', async () => {
    const found = oidc({ issuer: issuer.issuer, audience });
    expect(await reasonOf(await issuer.token(), found)).toBe('accepted');
    expect(issuer.hits.get('/.well-known/openid-configuration')).toBe(1);
  });

  test('is verified with a key set that was given in place of a URL', async () => {
    const fixed = make({ jwks: { keys: [{ ...issuer.publicJwk, kid: 'key-1' }] } });
    expect(await reasonOf(await issuer.token(), fixed)).toBe('accepted');
    expect(issuer.hits.size).toBe(0);
  });
});

describe('a token that must fail', () => {
  test('absent, or another scheme, is missing', async () => {
    expect(await auth.authenticate(new Headers(), deps)).toEqual({ ok: false, reason: 'missing' });
    expect(await auth.authenticate(new Headers({ authorization: 'Basic dTpw' }), deps)).toMatchObject({ ok: false });
  });

  test('two tokens in two header fields', async () => {
    const headers = new Headers();
    headers.append('authorization', `Bearer ${await issuer.token()}`);
    headers.append('authorization', `Bearer ${await issuer.token()}`);
    expect(await auth.authenticate(headers, deps)).toEqual({ ok: false, reason: 'malformed' });
  });

  test('expired, and not a second of leeway more than stated', async () => {
    const token = await issuer.token({ exp: inSeconds(0) });
    clock.advance(29_000);
    expect(await reasonOf(token)).toBe('accepted');
    clock.advance(1000);
    expect(await reasonOf(token)).toBe('expired');
  });

  test('not yet valid, by nbf or iat', async () => {
    expect(await reasonOf(await issuer.token({ nbf: inSeconds(31) }))).toBe('not_yet_valid');
    expect(await reasonOf(await issuer.token({ iat: inSeconds(31) }))).toBe('not_yet_valid');
    expect(await reasonOf(await issuer.token({ nbf: inSeconds(30), iat: inSeconds(30) }))).toBe('accepted');
  });

  test('without exp, or with one that is no number', async () => {
    expect(await reasonOf(await issuer.token({ exp: undefined }))).toBe('claims');
    const header = part({ alg: 'RS256', kid: 'key-1' });
    const claims = part({ iss: issuer.issuer, aud: audience, sub: 'u', exp: '9999999999' });
    expect(await reasonOf(`${header}.${claims}.AAAA`)).toBe('claims');
  });

  test('older than the route takes', async () => {
    const strict = make({ maxAgeSeconds: 60 });
    const token = await issuer.token();
    clock.advance(90_000);
    expect(await reasonOf(token, strict)).toBe('accepted');
    clock.advance(1000);
    expect(await reasonOf(token, strict)).toBe('expired');
    expect(await reasonOf(await issuer.token({ iat: undefined }), strict)).toBe('claims');
  });

  test.each([
    ['a string', 'https://other.example'],
    ['an array', ['https://other.example', 'x']],
    ['an empty array', []],
    ['nothing', undefined],
    ['an object', { a: 1 }],
    ['a prefix of ours', audience.slice(0, -1)],
  ])('of another audience, as %s', async (_name, aud) => {
    expect(await reasonOf(await issuer.token({ aud }))).toBe('audience');
    expect(issuer.hits.size, 'no key was asked for').toBe(0);
  });

  test.each([['https://evil.example'], [undefined], [['x']]])(
    'of the issuer %s, without a request for its keys',
    async (iss) => {
      expect(await reasonOf(await issuer.token({ iss }))).toBe('issuer');
      expect(issuer.hits.size).toBe(0);
    },
  );

  test('alg none, in every spelling', async () => {
    const claims = { iss: issuer.issuer, aud: audience, sub: 'u1', exp: inSeconds(600) };
    expect(await reasonOf(new UnsecuredJWT(claims).encode())).toBe('malformed');
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, ['RS256']])
      expect(await reasonOf(`${part({ alg })}.${part(claims)}.AAAA`)).toBe('algorithm');
  });

  test('HS256 signed with the public key, as PEM and as JWK', async () => {
    const header = part({ alg: 'HS256', kid: 'key-1' });
    const claims = part({ iss: issuer.issuer, aud: audience, sub: 'u1', exp: inSeconds(600) });
    for (const key of [issuer.publicPem, JSON.stringify(issuer.publicJwk), issuer.publicJwk.n ?? '']) {
      const signature = createHmac('sha256', key).update(`${header}.${claims}`).digest('base64url');
      expect(await reasonOf(`${header}.${claims}.${signature}`)).toBe('algorithm');
    }
  });

  test('signed by a key of the attacker under the kid of the issuer', async () => {
    const other = await startIssuer(clock);
    try {
      expect(await reasonOf(await other.token({ iss: issuer.issuer }))).toBe('signature');
    } finally {
      await other.close();
    }
  });

  test('with its own key in the header', async () => {
    const other = await startIssuer(clock);
    try {
      const header = { jwk: other.publicJwk, jku: other.jwksUrl, x5u: other.jwksUrl, kid: 'key-1' };
      expect(await reasonOf(await other.token({ iss: issuer.issuer }, header))).toBe('signature');
      expect(other.hits.size).toBe(0);
    } finally {
      await other.close();
    }
  });

  test('encrypted in place of signed', async () => {
    const jwe = await new CompactEncrypt(new TextEncoder().encode('{}'))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(new Uint8Array(32));
    expect(await reasonOf(jwe)).toBe('malformed');
    const inThree = `${part({ alg: 'RS256', enc: 'A256GCM' })}.${part({ iss: issuer.issuer })}.AAAA`;
    expect(await reasonOf(inThree)).toBe('malformed');
  });

  test.each(['../../../../dev/null', 'key-1\u0000', '/etc/passwd', "' OR 1=1 --", 'x'.repeat(256)])(
    'with the key id %j',
    async (kid) => {
      expect(['unknown_key', 'malformed']).toContain(await reasonOf(await issuer.token({}, { kid })));
    },
  );

  test.each([[7], [null], [['key-1']], ['x'.repeat(257)]])('with a key id that is none: %j', async (kid) => {
    const claims = { iss: issuer.issuer, aud: audience, sub: 'u1', exp: inSeconds(600) };
    expect(await reasonOf(`${part({ alg: 'RS256', kid })}.${part(claims)}.AAAA`)).toBe('malformed');
  });

  test('with critical extensions, or an unencoded payload', async () => {
    const claims = { iss: issuer.issuer, aud: audience, sub: 'u1', exp: inSeconds(600) };
    for (const header of [{ crit: ['b64'], b64: false }, { b64: true }, { crit: [] }])
      expect(await reasonOf(`${part({ alg: 'RS256', ...header })}.${part(claims)}.AAAA`)).toBe('malformed');
  });

  test('of another type of the same issuer', async () => {
    for (const typ of ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'JOSE'])
      expect(await reasonOf(await issuer.token({}, { typ }))).toBe('type');
    for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/at+jwt'])
      expect(await reasonOf(await issuer.token({}, { typ }))).toBe('accepted');
  });

  test('without the type that is demanded', async () => {
    const strict = make({ typ: 'at+jwt' });
    expect(await reasonOf(await issuer.token(), strict)).toBe('type');
    expect(await reasonOf(await issuer.token({}, { typ: 'JWT' }), strict)).toBe('type');
    expect(await reasonOf(await issuer.token({}, { typ: 'application/at+jwt' }), strict)).toBe('accepted');
  });

  test('huge', async () => {
    expect(await reasonOf(await issuer.token({ pad: 'x'.repeat(9000) }))).toBe('too_large');
    expect(issuer.hits.size).toBe(0);
  });

  test('in a second spelling of its signature', async () => {
    const token = await issuer.token();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(token.at(-1) ?? '');
    // 256 bytes leave four unused bits in the last character: fifteen other spellings of the same bytes.
    for (let bits = 1; bits < 16; bits++) {
      const spelling = token.slice(0, -1) + (alphabet[(last & 0b110000) | bits] ?? '');
      expect(await reasonOf(spelling)).toBe('malformed');
    }
    for (const spelling of [`${token}=`, `${token}==`, `${token}.`, token.replace('.', '. '), `%20${token}`])
      expect(await reasonOf(spelling)).toBe('malformed');
  });

  test('with one bit of the signature or the claims changed', async () => {
    const [header = '', claims = '', signature = ''] = (await issuer.token()).split('.');
    const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);
    expect(await reasonOf(`${header}.${claims}.${flipped}`)).toBe('signature');
    const other = part({ ...JSON.parse(Buffer.from(claims, 'base64url').toString()), sub: 'u2' });
    expect(await reasonOf(`${header}.${other}.${signature}`)).toBe('signature');
  });

  test('with a repeated key in its header or claims', async () => {
    const header = part('{"alg":"RS256","alg":"none","kid":"key-1"}');
    expect(await reasonOf(`${header}.${part({})}.AAAA`)).toBe('malformed');
    const claims = part('{"sub":"a","sub":"b"}');
    expect(await reasonOf(`${part({ alg: 'RS256' })}.${claims}.AAAA`)).toBe('malformed');
  });

  test.each(['', '.', '..', '...', 'a.b', 'a.b.c.d', 'bnVsbA.bnVsbA.AAAA', 'W10.W10.AAAA', 'e30.e30.é', '%00.%00.%00'])(
    'that is none: %j',
    async (token) => {
      const headers = { get: (name: string) => (name === 'authorization' ? `Bearer ${token}` : null) } as Headers; // only get() is used
      expect(await auth.authenticate(headers, deps)).toMatchObject({ ok: false });
    },
  );

  test('whose claims the host does not accept', async () => {
    const picky = make({ accept: ({ email_verified }) => email_verified === true });
    expect(await reasonOf(await issuer.token(), picky)).toBe('refused');
    expect(await reasonOf(await issuer.token({ email_verified: true }), picky)).toBe('accepted');
  });

  test('of an identity that the host cannot place', async () => {
    expect(await reasonOf(await issuer.token({ sub: undefined }))).toBe('refused');
    expect(await reasonOf(await issuer.token({ sub: '' }))).toBe('refused');
    expect(await reasonOf(await issuer.token({ sub: 'x'.repeat(257) }))).toBe('refused');
    expect(await reasonOf(await issuer.token({ tenant: 'North/../south' }))).toBe('refused');
    expect(await reasonOf(await issuer.token({ tenant: 7 }))).toBe('refused');
    expect(await reasonOf(await issuer.token(), make({ resolveActor: () => undefined }))).toBe('refused');
  });
});

describe('the keys of an issuer', () => {
  test('are fetched once for any number of waiting requests', async () => {
    issuer.delayMs = 50;
    const token = await issuer.token();
    const reasons = await Promise.all(Array.from({ length: 50 }, () => reasonOf(token)));
    expect(new Set(reasons)).toEqual(new Set(['accepted']));
    expect(issuer.hits.get('/jwks.json')).toBe(1);
  });

  test('are fetched again when they are no longer fresh', async () => {
    await reasonOf(await issuer.token());
    clock.advance(600_000);
    await reasonOf(await issuer.token());
    expect(issuer.hits.get('/jwks.json')).toBe(1);
    clock.advance(1);
    await reasonOf(await issuer.token());
    await asked(2);
  });

  test('are found after a rotation, once the cool-down allows it', async () => {
    await reasonOf(await issuer.token());
    await issuer.rotate('key-2');
    expect(await reasonOf(await issuer.token())).toBe('unknown_key');
    clock.advance(30_000);
    expect(await reasonOf(await issuer.token())).toBe('accepted');
    expect(issuer.hits.get('/jwks.json')).toBe(2);
  });

  test('are not hammered for by a flood of unknown key ids', async () => {
    await reasonOf(await issuer.token());
    for (let i = 0; i < 200; i++) {
      expect(await reasonOf(await issuer.token({}, { kid: `forged-${i}` }))).toBe('unknown_key');
      clock.advance(100);
    }
    expect(issuer.hits.get('/jwks.json')).toBe(1);
    clock.advance(10_000);
    const flood = Array.from({ length: 50 }, async (_, i) => reasonOf(await issuer.token({}, { kid: `more-${i}` })));
    expect(new Set(await Promise.all(flood))).toEqual(new Set(['unknown_key']));
    expect(issuer.hits.get('/jwks.json')).toBe(2);
  });

  test('serve on while the issuer is down, and it is not asked at every request', async () => {
    await reasonOf(await issuer.token());
    issuer.mode = 'fail';
    clock.advance(601_000);
    for (let i = 0; i < 20; i++) expect(await reasonOf(await issuer.token())).toBe('accepted');
    await asked(2);
    clock.advance(30_000);
    expect(await reasonOf(await issuer.token())).toBe('accepted');
    await asked(3);
    // Until the failed fetch has ended, the next request would wait for it in place of one of its own.
    await vi.waitUntil(() => warnings.length === 2);
    issuer.mode = 'serve';
    clock.advance(30_000);
    await issuer.rotate('key-2');
    expect(await reasonOf(await issuer.token())).toBe('accepted');
  });

  test('are given up when they are too stale', async () => {
    await reasonOf(await issuer.token());
    issuer.mode = 'hang-up';
    clock.advance(600_000 + 86_400_000 + 1);
    await expect(present(await issuer.token())).rejects.toMatchObject({ code: 'provider_unavailable' });
  });

  test('that were never had are an outage, not a refusal', async () => {
    issuer.mode = 'fail';
    const token = await issuer.token();
    await expect(present(token)).rejects.toMatchObject({ code: 'provider_unavailable', retryAfterSeconds: 30 });
    await expect(present(token)).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect(issuer.hits.get('/jwks.json')).toBe(1);
    issuer.mode = 'serve';
    clock.advance(30_000);
    expect(await reasonOf(await issuer.token())).toBe('accepted');
  });

  test('are fetched anew when the clock was set back', async () => {
    await reasonOf(await issuer.token());
    clock.advance(-3_600_000);
    expect(await reasonOf(await issuer.token())).toBe('accepted');
    await asked(2);
  });

  test('that are symmetric or private are not looked at', async () => {
    const secret = new Uint8Array(32);
    const other = { ...issuer.publicJwk, kid: 'another' };
    const jwks = { keys: [{ kty: 'oct', k: 'A'.repeat(43), kid: 'key-1', alg: 'RS256' }, other] };
    const hs = await new SignJWT({ iss: issuer.issuer, aud: audience, sub: 'u', exp: inSeconds(600) })
      .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
      .sign(secret);
    expect(await reasonOf(hs, make({ jwks }))).toBe('algorithm');
    expect(await reasonOf(await issuer.token(), make({ jwks }))).toBe('unknown_key');
  });

  test('of a discovery document of another issuer are refused', async () => {
    const wrong = oidc({ issuer: `${issuer.issuer}/`, audience });
    await expect(present(await issuer.token({ iss: `${issuer.issuer}/` }), wrong)).rejects.toMatchObject({
      code: 'provider_unavailable',
    });
  });
});

describe('an issuer that is misconfigured', () => {
  test.each([
    { issuer: '' },
    { audience: '' },
    { audience: [] },
    { clockSkewSeconds: 61 },
    { clockSkewSeconds: -1 },
    { maxAgeSeconds: 0 },
    { jwks: 'http://id.example/jwks' },
    { jwks: 'ftp://id.example/jwks' },
    { jwks: 'nothing' },
    { algorithms: [] },
    { algorithms: ['HS256'] },
    { algorithms: ['none'] },
    { jwks: { keys: [] } },
    { jwks: { keys: [{ kty: 'oct', k: 'AA' }] } },
  ])('%j is refused when it is made', (options) => {
    const bad = { issuer: 'https://id.example', audience: 'a', jwks: 'https://id.example/jwks', ...options };
    expect(() => oidc(bad as OidcOptions)).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
  });
});
