import { MedzenError } from '@medzen/core';

/** A person's token, and who says to have issued it. Nothing is verified yet: PostgREST does that at every call. */
export interface PersonToken {
  readonly token: string;
  readonly issuer: string | undefined;
}

/** Longer tokens are refused before anything is decoded. */
const maxTokenLength = 8192;

/**
 * Takes a person's token from a request, and refuses what no person holds. This is no verification: it only sees to it that a key
 * which was put in the place of a token never acts as a person, and that a missing claim is named where it can still be named.
 *
 * @param request - headers are read
 * @param header - lower case; `authorization` demands the scheme `Bearer`
 * @throws MedzenError `unauthenticated` (none, malformed, the key of `anon`, no subject), `forbidden` (a service's key, another
 * role, an anonymous sign-in), `invalid_configuration` (the claim `role` is missing); no message holds anything of the token
 */
export function personToken(request: { readonly headers: Headers }, header: string): PersonToken {
  const value = request.headers.get(header) ?? '';
  const bearer = /^bearer +(.*)$/i.exec(value)?.[1];
  const token = bearer ?? (header === 'authorization' ? '' : value);
  if (token === '') throw new MedzenError('unauthenticated', 'The request carries no token of a person');
  // Keys of Supabase that are no tokens: sb_secret_… and sb_publishable_….
  if (token.startsWith('sb_secret_')) throw serviceKey();
  if (token.startsWith('sb_'))
    throw new MedzenError('unauthenticated', 'An API key was sent where a user token is required');
  const claims = token.length <= maxTokenLength ? claimsOf(token) : undefined;
  if (claims === undefined) throw new MedzenError('unauthenticated', 'The token has another form');
  const { role, sub, iss, is_anonymous: anonymous } = claims;
  if (role === 'anon') throw new MedzenError('unauthenticated', 'An API key was sent where a user token is required');
  if (role !== undefined && role !== 'authenticated') throw serviceKey();
  if (typeof sub !== 'string' || sub === '') throw new MedzenError('unauthenticated', 'The token names nobody');
  if (anonymous === true) throw new MedzenError('forbidden', 'An anonymous sign-in does not say who calls');
  const issuer = typeof iss === 'string' ? iss : undefined;
  if (role === undefined)
    throw new MedzenError(
      'invalid_configuration',
      `The token has no claim "role"; let ${nameOf(issuer)} add role: "authenticated" to every person's token, see ${pageOf(issuer)}`,
    );
  return { token, issuer };
}

/**
 * What it means that PostgREST could not verify a token.
 *
 * @param issuer - who says to have issued it; Supabase's own ends in `/auth/v1`, under whatever domain
 */
export function unverifiedToken(issuer: string | undefined): MedzenError {
  if (issuer === undefined || issuer.endsWith('/auth/v1'))
    return new MedzenError('unauthenticated', 'Supabase could not verify the token');
  // Forged, or of an issuer that the project does not know: it answers both alike, and only the second can be remedied.
  return new MedzenError(
    'invalid_configuration',
    `Supabase does not accept tokens of ${nameOf(issuer)}: add it under Authentication, Third-party auth, see ${pageOf(issuer)}`,
  );
}

function serviceKey(): MedzenError {
  return new MedzenError('forbidden', 'The token is of a service, not of a person');
}

/** By the form of their issuers; the text of the claim is the caller's, and is not repeated. */
const issuers: readonly { readonly pattern: RegExp; readonly name: string; readonly page: string }[] = [
  { pattern: /^https:\/\/securetoken\.google\.com\//, name: 'Firebase', page: 'firebase-auth' },
  { pattern: /^https:\/\/cognito-idp\.[a-z0-9-]+\.amazonaws\.com(\.cn)?\//, name: 'Cognito', page: 'aws-cognito' },
];

const known = (issuer: string | undefined) => issuers.find(({ pattern }) => pattern.test(issuer ?? ''));
const nameOf = (issuer: string | undefined): string => known(issuer)?.name ?? 'this issuer';
const pageOf = (issuer: string | undefined): string =>
  `https://supabase.com/docs/guides/auth/third-party/${known(issuer)?.page ?? 'overview'}`;

/** @returns undefined unless the token is three parts of base64url, the second one an object */
export function claimsOf(token: string): Readonly<Record<string, unknown>> | undefined {
  const [, payload] = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(token) ?? [];
  if (payload === undefined) return undefined;
  try {
    const binary = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)));
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>) // an object of JSON
      : undefined;
  } catch {
    return undefined;
  }
}
