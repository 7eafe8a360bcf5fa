import { MedzenError } from '@medzen/core';

const pattern = /^[a-z][a-z0-9_]{0,39}$/;

/** What the name of the people's schema ends in. */
const people = '_api';

// What Postgres 18 reserves, wholly or in part (pg_get_keywords), and PL/pgSQL besides: bare, they are no names. Migrations write
// the name bare, so that they stay SQL that can be read and run as it is.
const reserved: ReadonlySet<string> = new Set(
  `all analyse analyze and any array as asc asymmetric authorization begin between bigint binary bit boolean both by case cast
  char character check coalesce collate collation column concurrently constraint create cross current_catalog current_date
  current_role current_schema current_time current_timestamp current_user dec decimal declare default deferrable desc distinct
  do else end except execute exists extract false fetch float for foreach foreign freeze from full grant greatest group grouping
  having if ilike in initially inner inout int integer intersect interval into is isnull join json json_array json_arrayagg
  json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value lateral leading least left
  like limit localtime localtimestamp loop merge_action national natural nchar none normalize not notnull null nullif numeric
  offset on only or order out outer overlaps overlay placing position precision primary real references returning right row
  select session_user setof similar smallint some strict substring symmetric system_user table tablesample then time timestamp
  to trailing treat trim true union unique user using values varchar variadic verbose when where while window with xmlattributes
  xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`.split(/\s+/),
);

/** Others' own, of Postgres and of Supabase: a migration takes PUBLIC's rights to the whole schema away. */
const taken: ReadonlySet<string> = new Set(
  'public information_schema auth storage extensions realtime graphql graphql_public vault cron net'.split(' '),
);

/**
 * Checks the name of the schema, which is written into SQL.
 *
 * @param schema - 1–40 of `a-z`, `0-9` and `_`, starting with a letter; not a word of SQL, not `pg_…`, and neither `public`
 * nor `information_schema`: it must be a schema of Medzen's own. Nor does it end in `_api`, as that of {@link peopleSchema} does
 * @returns the same
 * @throws MedzenError `invalid_configuration`
 */
export function checkedSchema(schema: string): string {
  if (!pattern.test(schema) || schema.startsWith('pg_') || reserved.has(schema))
    throw new MedzenError('invalid_configuration', 'The name of the schema is not a plain lower-case identifier');
  if (taken.has(schema))
    throw new MedzenError('invalid_configuration', 'Medzen needs a schema of its own: the name is of another');
  if (schema.endsWith(people))
    throw new MedzenError(
      'invalid_configuration',
      "The name of the schema is that of a people's schema, ending in _api",
    );
  return schema;
}

/**
 * The schema whose functions people may call, beside the one whose functions services call. Of the two, PostgREST needs to expose
 * this one to browsers.
 *
 * @param schema - name of the installation's schema; `medzen` when absent
 * @returns `medzen_api`, or the like
 * @throws MedzenError `invalid_configuration`
 * @example
 * ```ts
 * import { peopleSchema } from '@medzen/sql';
 * import { createClient } from '@supabase/supabase-js';
 * const client = createClient('https://clinic.supabase.co', '<anon key>', { accessToken: async () => '<token of the person>' });
 * const { data } = await client.schema(peopleSchema()).rpc('list_my_recordings', { p_limit: 20 });
 * ```
 */
export function peopleSchema(schema = 'medzen'): string {
  return `${checkedSchema(schema)}${people}`;
}

/**
 * The SQL of a migration under the chosen name, which also begins the name of the people's schema. `medzen_app` and its like are
 * other words, and stay.
 */
export function underSchema(sql: string, schema: string): string {
  return schema === 'medzen' ? sql : sql.replace(/\bmedzen(?=\b|_api\b)/g, checkedSchema(schema));
}
