import type { AuditEvent, Stores } from '@medzen/core';
import { installSql, peopleSchema, pgWire, sqlStores } from '@medzen/sql';
import { createSamples, type Samples } from '@medzen/testing';
import { type FreshDatabase, freshDatabase } from './postgres.ts';
import { supabaseProject } from './postgrest-stand-in-contexts.ts';

/** What the functions of people answer, as far as tests look into it. */
interface PeopleAnswer {
  readonly status: string;
  readonly recordings?: readonly Readonly<Record<string, unknown>>[];
  readonly recording?: Readonly<Record<string, unknown>>;
  readonly consent?: Readonly<Record<string, unknown>>;
  readonly consents?: readonly Readonly<Record<string, unknown>>[];
  readonly accesses?: readonly Readonly<Record<string, unknown>>[];
  readonly events?: readonly AuditEvent[];
  readonly holds?: readonly Readonly<Record<string, unknown>>[];
  readonly stillRecording?: readonly string[];
  readonly damaged?: readonly string[];
  readonly cursor?: string;
}

/** One person in the browser. */
export interface Person {
  /** Calls a function of the people's schema with the real supabase-js. */
  call(
    name: string,
    args?: object,
    get?: boolean,
  ): Promise<{ data: PeopleAnswer | null; status: number; code?: string }>;
}

/** A clinic: an installation under a name of its own, PostgREST's stand-in before it, and people with tokens. */
export interface Clinic {
  readonly db: FreshDatabase;
  readonly stores: Stores;
  readonly samples: Samples;
  readonly url: string;
  person(sub: string | undefined, claims?: Readonly<Record<string, unknown>>): Promise<Person>;
  /** With any key, or without one, and with further headers, straight over HTTP. */
  bearer(key: string | undefined, headers?: Readonly<Record<string, string>>): Person;
  /** A key of a role. */
  key(role: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  /** The events that were written meanwhile, as text, in order. */
  eventsOf(work: () => Promise<unknown>): Promise<readonly string[]>;
  /** The functions of the people's schema, with the names of their arguments. */
  functions(): Promise<readonly { readonly name: string; readonly args: readonly string[] }[]>;
  close(): Promise<void>;
}

/** The schema's name, which is not the usual one: everything here shows that a name of the host's is as good. */
export const clinicSchema = 'clinic';

/** Sets one up; roles named `auditor` and `system_admin` are what the host's functions look for. */
export async function openClinic(options: { readonly lenient?: boolean } = {}): Promise<Clinic> {
  const db = await freshDatabase({ install: false });
  await installSql(db.pool, { schema: clinicSchema });
  const hosts = (name: string, role: string): string => `
    CREATE OR REPLACE FUNCTION ${clinicSchema}.${name}() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT '${role}' = ANY (string_to_array(${clinicSchema}.current_actor() ->> 'role', ',')) $$;`;
  await db.pool.query(`${hosts('is_auditor', 'auditor')} ${hosts('is_system_admin', 'system_admin')}`);
  const project = await supabaseProject(db.url, {
    schemas: ['public', clinicSchema, peopleSchema(clinicSchema)],
    ...(options.lenient === true ? { txEnd: 'commit-allow-override' as const } : {}),
  });
  const bearer: Clinic['bearer'] = (key, more = {}) => ({
    async call(name, args = {}, get = false) {
      const path = `${project.standIn.url}/rest/v1/rpc/${name}`;
      const profile = { [get ? 'accept-profile' : 'content-profile']: peopleSchema(clinicSchema) };
      const headers = { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...profile, ...more };
      const init = get ? { headers } : { method: 'POST', headers, body: JSON.stringify(args) };
      const query = new URLSearchParams(Object.entries(args).map(([k, v]) => [k, String(v)]));
      const response = await fetch(get ? `${path}?${query}` : path, init);
      const body = (await response.json()) as PeopleAnswer & { code?: string };
      if (response.ok) return { data: body, status: response.status };
      return { data: null, status: response.status, ...(body.code === undefined ? {} : { code: body.code }) };
    },
  });
  const ids = async (): Promise<readonly string[]> => {
    const { rows } = await db.pool.query(`SELECT id FROM ${clinicSchema}.audit_event`);
    return rows.map(({ id }) => String(id));
  };
  return {
    db,
    stores: sqlStores(pgWire(db.pool, { schema: clinicSchema })),
    samples: createSamples(),
    url: project.standIn.url,
    bearer,
    key: project.key,
    async person(sub, claims = {}) {
      const client = await project.client('authenticated', { ...(sub === undefined ? {} : { sub }), ...claims });
      return {
        async call(name, args = {}, get = false) {
          const answer = await client.schema(peopleSchema(clinicSchema)).rpc(name, args, { get });
          const { data, error, status } = answer;
          return { data: data as PeopleAnswer | null, status, ...(error === null ? {} : { code: error.code }) }; // untyped client
        },
      };
    },
    async eventsOf(work) {
      const before = await ids();
      await work();
      const { rows } = await db.pool.query(
        `SELECT convert_from(body, 'UTF8') AS body FROM ${clinicSchema}.audit_event WHERE id <> ALL ($1) ORDER BY xid, id`,
        [before],
      );
      return rows.map(({ body }) => String(body));
    },
    async functions() {
      const { rows } = await db.pool.query<{ name: string; args: string[] }>(
        `SELECT proname AS name, coalesce(proargnames, '{}') AS args FROM pg_proc WHERE pronamespace = $1::regnamespace ORDER BY 1`,
        [peopleSchema(clinicSchema)],
      );
      return rows;
    },
    async close() {
      await project.close();
      await db.drop();
    },
  };
}
