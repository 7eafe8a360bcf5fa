import { createServer } from 'node:http';
import { type Clock, systemClock } from '@medzen/core';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';

/** Who a token is for, in the claims this app reads (see `guard.ts`). */
export interface Person {
  /** The subject. */
  readonly id: string;
  readonly tenant: string;
  readonly roles: readonly string[];
}

/** How a token may differ from a good one, so that tests can forge. */
interface TokenOptions {
  readonly expiresInSeconds?: number;
  readonly audience?: string;
  readonly issuer?: string;
}

/** A small OpenID provider on loopback: it signs tokens and publishes its public key over HTTP, as a real one does. */
export interface LocalIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: string;
  /** SPKI PEM: what an attacker knows. */
  readonly publicKey: string;
  token(person: Person, options?: TokenOptions): Promise<string>;
  close(): Promise<void>;
}

/**
 * Starts an issuer with a fresh ES256 key. For the demo, the tests and laptops; a deployment names its own provider in `OIDC_*`.
 *
 * @param options.clock - stamps `iat` and `exp`
 * @param options.audience - of the tokens
 */
export async function startLocalIssuer(
  options: { readonly clock?: Clock; readonly audience?: string } = {},
): Promise<LocalIssuer> {
  const { clock = systemClock, audience = 'medzen-example' } = options;
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwks = JSON.stringify({
    keys: [{ ...(await exportJWK(publicKey)), kid: 'local-1', alg: 'ES256', use: 'sig' }],
  });

  const server = createServer((request, response) => {
    const known = request.url === '/.well-known/jwks.json';
    response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' }).end(known ? jwks : '{}');
  });
  // Idle connections stay: closed just as one is taken up again, they would fail a request that nobody answered.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The issuer has no port');
  const issuer = `http://127.0.0.1:${address.port}`;

  return {
    issuer,
    audience,
    jwksUrl: `${issuer}/.well-known/jwks.json`,
    publicKey: await exportSPKI(publicKey),
    token: (person, { expiresInSeconds = 3600, audience: other = audience, issuer: by = issuer } = {}) => {
      const now = Math.floor(clock.now().getTime() / 1000);
      return new SignJWT({ tenant: person.tenant, roles: person.roles })
        .setProtectedHeader({ alg: 'ES256', kid: 'local-1', typ: 'JWT' })
        .setSubject(person.id)
        .setIssuer(by)
        .setAudience(other)
        .setIssuedAt(now)
        .setExpirationTime(now + expiresInSeconds)
        .sign(privateKey);
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
    },
  };
}
