import type { FetchHandler, IdentityAuth } from '../src/index.ts';

/** Reads `Bearer <id>:<role>:<tenant>`: who calls is not what the tests of the guard are about. */
export const auth: IdentityAuth = {
  kind: 'identity',
  authenticate: async (headers) => {
    const value = headers.get('authorization');
    if (value === null) return { ok: false, reason: 'missing' };
    const [id = '', role = '', tenant = 'default'] = value.replace('Bearer ', '').split(':');
    if (id === 'bad') return { ok: false, reason: 'expired' };
    return { ok: true, actor: { id, type: 'user', roles: [role], tenant }, claims: { sub: id }, issuer: 'test' };
  },
};

/** For `vi.waitFor`, whose own patience ends after a second: a busy machine is no failure. */
export const patiently = { timeout: 30_000 };

/** One request, as a test asks it. */
export interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: BodyInit;
  /** For {@link auth}. */
  readonly as?: string;
  readonly ip?: string;
}

export function ask(handler: FetchHandler, path: string, asked: Asked = {}): Promise<Response> {
  const { method = 'GET', headers = {}, body, as, ip = '192.0.2.7' } = asked;
  const all = { ...(as === undefined ? {} : { authorization: `Bearer ${as}` }), ...headers };
  const request = new Request(`https://api.example.com${path}`, {
    method,
    headers: all,
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  } as RequestInit); // `duplex` is not in the DOM's types
  return handler(request, { remoteAddress: ip });
}

export function asJson(value: unknown): Asked {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
