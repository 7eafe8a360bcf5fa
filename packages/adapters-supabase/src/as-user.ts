import { type Json, MedzenError } from '@medzen/core';
import { checkedSchema, peopleSchema } from '@medzen/sql';
import { claimsOf, personToken, unverifiedToken } from './person-token.ts';
import { refuseUnbound } from './refuse-unbound.ts';
import type { SupabaseAnswer, SupabaseClientLike } from './supabase-client.ts';
import { fromPostgrest } from './supabase-error.ts';

/** Options of `asUser`. */
export interface AsUserOptions<C extends SupabaseClientLike> {
  /** Project URL: `https://<project>.supabase.co`. */
  readonly url: string;
  /** The anon or publishable key. A service's key is refused: it would stand in for a person whose token is missing. */
  readonly key: string;
  /** `createClient` of supabase-js 2, or a function of yours that calls it and hands the options on. What your `global.fetch` does is not looked at. */
  readonly createClient: (url: string, key: string, options: PersonClientOptions) => C;
  /** The header with the person's token. `authorization` when absent; `x-firebase-token`, say, where that one holds a key. */
  readonly header?: string;
  /** Name of Medzen's schema, `medzen` when absent: people's functions are in the schema of this name and `_api`. */
  readonly schema?: string;
}

/** What `createClient` is told, so that every request carries the person's token and no session is kept. */
export interface PersonClientOptions {
  accessToken(): Promise<string>;
}

/** The named arguments of a function, without their `p_`. One that is undefined is left out. */
export type PeopleArguments = Readonly<Record<string, Json | undefined>>;

/** Whatever is done through this is done by the person: with their rights, under their name. */
export interface SupabaseUser<C extends SupabaseClientLike> {
  /** For your own tables: row level security sees the person. */
  readonly client: C;
  /**
   * Calls a function of the people's schema. Who calls is in the token, so no argument says it.
   *
   * @typeParam Answer - what you take the answer to be; it is not checked
   * @param name - of the function: lower case, digits and `_`
   * @param args - by name, without `p_`
   * @returns the answer; a refusal is one too, `{ status: 'forbidden' }`, and its event is written
   * @throws MedzenError `unauthenticated` (expired, forged), `invalid_configuration` (an issuer that the project does not accept, a
   * schema that is not exposed), `migration_missing`, `store_unavailable`, and what the function itself refuses
   */
  call<Answer = unknown>(name: string, args?: PeopleArguments): Promise<Answer>;
}

/**
 * Binds a person's identity: every request that follows carries the token of this one, so that Postgres decides as the person. It
 * never falls back to a service, whatever is missing or refused. The token is verified by PostgREST at each call; put a guard before
 * it all the same, for limits, sessions and the record of denials.
 *
 * @param request - carries the token
 * @param options - project, key, and how a client is made
 * @throws MedzenError `unauthenticated` without a person's token; `forbidden` for a service's key or an anonymous sign-in;
 * `invalid_configuration` for any other key in `key`, a token that lacks the claim `role`, or a client that would not carry the person's token: with an
 * `Authorization` among its global headers, or made without the options it was given
 * @see https://supabase.com/docs/guides/auth/third-party/overview
 * @example
 * ```ts
 * import { asUser } from '@medzen/adapters-supabase';
 * import { createClient } from '@supabase/supabase-js';
 * declare const request: Request;
 * const user = asUser(request, {
 *   url: 'https://clinic.supabase.co',
 *   key: 'sb_publishable_…',
 *   createClient,
 *   header: 'x-firebase-token',
 * });
 * const answer = await user.call('list_my_recordings', { limit: 20 });
 * ```
 */
export function asUser<C extends SupabaseClientLike>(
  request: { readonly headers: Headers },
  options: AsUserOptions<C>,
): SupabaseUser<C> {
  const { url, key, createClient, header = 'authorization' } = options;
  const schema = peopleSchema(checkedSchema(options.schema ?? 'medzen'));
  if (!/^sb_publishable_\S+$/.test(key) && claimsOf(key)?.role !== 'anon')
    throw new MedzenError(
      'invalid_configuration',
      'key must be the anon or publishable key, never a secret or service_role key',
    );
  const { token, issuer } = personToken(request, header.toLowerCase());
  const accessToken = async (): Promise<string> => token;
  const client = createClient(url, key, { accessToken });
  refuseUnbound(client, accessToken);
  const untyped = client as SupabaseClientLike as UntypedClient; // its types may know the host's schemas only
  return {
    client,
    async call<Answer>(name: string, args: PeopleArguments = {}): Promise<Answer> {
      const names = Object.keys(args);
      if (![name, ...names].every((one) => /^[a-z][a-z0-9_]{0,62}$/.test(one)))
        throw new MedzenError('invalid_input', 'Function and argument names must match /^[a-z][a-z0-9_]{0,62}$/');
      let answer: SupabaseAnswer;
      try {
        answer = await untyped
          .schema(schema)
          .rpc(name, Object.fromEntries(names.map((one) => [`p_${one}`, args[one]])));
      } catch (error) {
        answer = { data: null, count: null, error, status: 0 }; // a client that was told to throw
      }
      if (answer.status === 200) return answer.data as Answer; // the caller's word
      throw refusedPerson(answer, name) ?? fromPostgrest(answer, name);
    },
  };

  function refusedPerson({ error }: SupabaseAnswer, name: string): MedzenError | undefined {
    const { code } = typeof error === 'object' && error !== null ? (error as { code?: unknown }) : {}; // an object
    if (code === 'PGRST301') return unverifiedToken(issuer);
    if (code === 'PGRST302' || code === 'PGRST303')
      return new MedzenError('unauthenticated', 'The token is not valid now');
    if (code === '42501') return new MedzenError('forbidden', `A person may not call ${name}`);
    return undefined;
  }
}

interface UntypedClient {
  schema(name: string): { rpc(fn: string, args: Record<string, unknown>): PromiseLike<SupabaseAnswer> };
}
