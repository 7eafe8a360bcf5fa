import { MedzenError } from '@medzen/core';
import type { IdentityAuth } from './auth.ts';
import { type OidcOptions, oidc } from './oidc.ts';

/** A Firebase project whose ID tokens are accepted. */
export interface FirebaseOptions extends Pick<OidcOptions, 'header' | 'resolveActor' | 'fetch' | 'clockSkewSeconds'> {
  readonly projectId: string;
  /** Default: Google's key set for secure tokens. */
  readonly jwks?: NonNullable<OidcOptions['jwks']>;
}

/**
 * Identity by Firebase Authentication: RS256, `iss` of the project, `aud` the project's id, `sub` of 1–128 characters.
 *
 * @throws MedzenError `invalid_configuration` for a malformed project id
 * @see https://firebase.google.com/docs/auth/admin/verify-id-tokens
 * @example
 * ```ts
 * import { firebase } from '@medzen/security';
 * firebase({ projectId: 'clinic-prod', header: 'x-firebase-token' });
 * ```
 */
export function firebase(options: FirebaseOptions): IdentityAuth {
  const { projectId, ...rest } = options;
  if (!/^[a-z][a-z0-9:.-]{3,63}$/.test(projectId))
    throw new MedzenError('invalid_configuration', 'projectId must be the id of a Firebase project');
  return oidc({
    jwks: 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com',
    ...rest,
    issuer: `https://securetoken.google.com/${projectId}`,
    audience: projectId,
    algorithms: ['RS256'],
    accept: ({ sub }) => typeof sub === 'string' && sub.length >= 1 && sub.length <= 128,
  });
}
