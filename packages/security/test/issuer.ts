import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '@medzen/core';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';

/** A real issuer of tokens with its keys on a real HTTP server of loopback. */
export interface Issuer {
  readonly issuer: string;
  readonly jwksUrl: string;
  readonly publicJwk: JWK;
  readonly publicPem: string;
  /** How often each path was asked for. */
  readonly hits: ReadonlyMap<string, number>;
  /** What the server does: serves, fails with 500, or hangs up. */
  mode: 'serve' | 'fail' | 'hang-up';
  /** Milliseconds before it answers. */
  delayMs: number;
  /** Adds a key and signs with it from now on. */
  rotate(kid: string): Promise<void>;
  /** A good token, but for what is given. A claim of `undefined` is left out. */
  token(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

export const audience = 'https://api.clinic.example';

export async function startIssuer(clock: Clock): Promise<Issuer> {
  const keys: JWK[] = [];
  const hits = new Map<string, number>();
  let current = { kid: '', key: await newKey() };
  const publicJwk = await exportJWK(current.key.publicKey);
  const publicPem = await exportSPKI(current.key.publicKey);
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    hits.set(path, (hits.get(path) ?? 0) + 1);
    setTimeout(() => {
      if (self.mode === 'hang-up') return void request.socket.destroy();
      response.setHeader('content-type', 'application/json');
      response.statusCode = self.mode === 'fail' ? 500 : 200;
      if (path === '/.well-known/openid-configuration')
        response.end(JSON.stringify({ issuer: self.issuer, jwks_uri: self.jwksUrl }));
      else response.end(JSON.stringify({ keys }));
    }, self.delayMs);
  });
  await listen(server);
  const { port } = server.address() as AddressInfo; // a TCP server's
  const self: Issuer = {
    issuer: `http://127.0.0.1:${port}`,
    jwksUrl: `http://127.0.0.1:${port}/jwks.json`,
    publicJwk,
    publicPem,
    hits,
    mode: 'serve',
    delayMs: 0,
    rotate: async (kid) => {
      if (current.kid !== '') current = { kid, key: await newKey() };
      else current = { ...current, kid };
      keys.push({ ...(await exportJWK(current.key.publicKey)), kid, alg: 'RS256', use: 'sig' });
    },
    token: async (claims = {}, header = {}) => {
      const now = Math.floor(clock.now().getTime() / 1000);
      const all = {
        iss: self.issuer,
        aud: audience,
        sub: 'u1',
        iat: now,
        exp: now + 600,
        roles: ['provider'],
        ...claims,
      };
      return new SignJWT(all)
        .setProtectedHeader({ alg: 'RS256', kid: current.kid, ...header })
        .sign(current.key.privateKey);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await self.rotate('key-1');
  return self;
}

function newKey(): ReturnType<typeof generateKeyPair> {
  return generateKeyPair('RS256', { extractable: true });
}

export function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}

/** base64url of a text or of an object's JSON. */
export function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}
