import { MedzenError } from '@medzen/core';
import type { PersonClientOptions } from './as-user.ts';

/**
 * Refuses a client that would not speak for the person. supabase-js sets `Authorization` only where no header of that name is there (2.119, `fetchWithAuth`),
 * so one among the client's own headers stands in for every person; and it asks for the person's token only if it was given.
 *
 * @param client - as the host's `createClient` made it: of supabase-js, or of postgrest-js, which is bound by other means than `accessToken`
 * @param accessToken - what `createClient` was given
 * @throws MedzenError `invalid_configuration`
 */
export function refuseUnbound(client: object, accessToken: PersonClientOptions['accessToken']): void {
  const rest = propertyOf(client, 'rest');
  if ([client, rest].some((part) => authorizes(propertyOf(part, 'headers'))))
    throw new MedzenError(
      'invalid_configuration',
      'The client that createClient made has an Authorization of its own, which would stand in for the person: leave it out of its global headers',
    );
  if (rest !== undefined && propertyOf(client, 'accessToken') !== accessToken)
    throw new MedzenError(
      'invalid_configuration',
      'The accessToken was not given to the client as it is: createClient must hand its options on',
    );
}

/** Headers as a record or as `Headers`, of whatever library. */
function authorizes(headers: unknown): boolean {
  const has = propertyOf(headers, 'has');
  if (typeof has === 'function') return has.call(headers, 'authorization') === true;
  return Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'authorization');
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
