import { createSecretKey } from 'node:crypto';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLocalIssuer } from './local-issuer.ts';
import { openTestStage, pglite, postgres, type TestStage } from './test-stage.ts';

describe.each([pglite, postgres])('tokens, on $name', (backend) => {
  let stage: TestStage;
  beforeAll(async () => {
    stage = await openTestStage(backend);
  });
  afterAll(() => stage.close());

  const ask = async (token: string | undefined) =>
    stage.client.call(
      'GET',
      '/recordings',
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    );
  const refused = async (token: string | undefined) => {
    const answer = await ask(token);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.field('code')).toBe('unauthenticated');
    expect(new TextDecoder().decode(answer.bytes)).not.toContain(token ?? 'Bearer');
  };

  it('lets a good one in', async () => {
    expect((await ask(await stage.issuer.token(stage.people.provider))).status).toBe(200);
  });

  it('refuses none, one that has expired, and one for another audience or by another issuer', async () => {
    const { issuer, people } = stage;
    await refused(undefined);
    await refused(await issuer.token(people.provider, { expiresInSeconds: -120 }));
    await refused(await issuer.token(people.provider, { audience: 'another-app' }));
    await refused(await issuer.token(people.provider, { issuer: 'https://evil.example' }));
  });

  it('refuses alg none', async () => {
    const { issuer, clock } = stage;
    const token = new UnsecuredJWT({ tenant: 'peachtree', roles: ['compliance_officer'] })
      .setSubject('mallory')
      .setIssuer(issuer.issuer)
      .setAudience(issuer.audience)
      .setExpirationTime(Math.floor(clock.now().getTime() / 1000) + 600)
      .encode();
    await refused(token);
  });

  it('refuses HS256 with the public key as the secret', async () => {
    const { issuer, clock } = stage;
    const token = await new SignJWT({ tenant: 'peachtree', roles: ['compliance_officer'] })
      .setProtectedHeader({ alg: 'HS256', kid: 'local-1', typ: 'JWT' })
      .setSubject('mallory')
      .setIssuer(issuer.issuer)
      .setAudience(issuer.audience)
      .setExpirationTime(Math.floor(clock.now().getTime() / 1000) + 600)
      .sign(createSecretKey(Buffer.from(issuer.publicKey)));
    await refused(token);
  });

  it('refuses one that another key has signed under the same key id', async () => {
    const other = await startLocalIssuer({ clock: stage.clock });
    await refused(await other.token(stage.people.provider, { issuer: stage.issuer.issuer }));
    await other.close();
  });

  it('writes the refusals into the log of the practice', async () => {
    const { client, people } = stage;
    const found = await client.call('POST', '/audit/events/search', {
      as: people.auditor,
      body: { outcome: 'denied' },
    });
    expect(found.field('events.0.action')).toBe('request.denied');
  });

  it('answers 403, audited, to a role that may not', async () => {
    const { client, people } = stage;
    const answer = await client.call('POST', '/audit/events/search', { as: people.provider, body: {} });
    expect([answer.status, answer.field('code')]).toEqual([403, 'forbidden']);
    const found = await client.call('POST', '/audit/events/search', {
      as: people.auditor,
      body: { outcome: 'denied', actor: people.provider.id },
    });
    expect(found.field('events.0.action')).toBe('request.denied');
  });

  it('answers 429 with the time to wait when a person starts too often', async () => {
    const { visit, provider } = stage.appointment();
    const statuses: number[] = [];
    for (let n = 0; n < 11; n++) {
      const answer = await stage.client.call('POST', `/visits/${visit.id}/recording`, { as: provider });
      statuses.push(answer.status);
      if (answer.status === 429) expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(statuses.at(0)).toBe(403); // nobody has consented
    expect(statuses.at(-1)).toBe(429);
  });

  it('answers browsers of the practice, and no other origin', async () => {
    const ask = (origin: string) =>
      stage.client.send(`${stage.baseUrl}/recordings`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' },
      });
    const own = await ask('https://app.clinic.example');
    expect(own.headers.get('access-control-allow-origin')).toBe('https://app.clinic.example');
    expect((await ask('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
  });
});
