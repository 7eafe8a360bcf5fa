import type { ClientBase } from 'pg';
import { type Refusal, refusal } from './postgrest-stand-in-errors.ts';

/** A statement whose one row has `body` (JSON as text), `page` and `total` (counts), and whether it may write. */
export interface PlannedQuery {
  readonly text: string;
  readonly values: readonly string[];
  readonly readOnly: boolean;
}

interface Candidate {
  readonly signature: string;
  readonly scalar: boolean;
  readonly volatile: boolean;
  readonly params: readonly {
    readonly name: string;
    readonly type: string;
    readonly required: boolean;
    readonly variadic: boolean;
  }[];
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * Chooses the function by its name and the names of the arguments, as PostgREST does: every argument given must be a parameter, and
 * every parameter without a default be given.
 */
export async function planCall(
  client: ClientBase,
  schema: string,
  name: string,
  args: Readonly<Record<string, unknown>>,
  maxRows: number | undefined,
): Promise<PlannedQuery | Refusal> {
  const { rows } = await client.query<Candidate>(candidates, [schema, name]);
  const given = Object.keys(args);
  const fitting = rows.filter(
    ({ params }) =>
      given.every((key) => params.some((param) => param.name === key)) &&
      params.every((param) => !param.required || given.includes(param.name)),
  );
  const [chosen, another] = fitting;
  const list = given.length === 0 ? 'without parameters' : `(${given.join(', ')})`;
  if (chosen === undefined)
    return refusal(404, 'PGRST202', `Could not find the function ${schema}.${name}${list} in the schema cache`);
  if (another !== undefined) {
    const names = fitting.map(({ signature }) => signature).join(', ');
    return refusal(300, 'PGRST203', `Could not choose the best candidate function between: ${names}`);
  }
  const params = chosen.params.filter((param) => given.includes(param.name));
  const columns = params.map((param) => `${quoted(param.name)} ${param.type}`).join(', ');
  const named = params
    .map((param) => `${param.variadic ? 'VARIADIC ' : ''}${quoted(param.name)} := pgrst_body.${quoted(param.name)}`)
    .join(', ');
  const body = params.length === 0 ? '' : `json_to_record($1::json) AS pgrst_body(${columns}), LATERAL `;
  const call = `${quoted(schema)}.${quoted(name)}(${named})`;
  const source = chosen.scalar
    ? `SELECT pgrst_call.pgrst_scalar FROM ${body}(SELECT ${call} AS pgrst_scalar) pgrst_call`
    : `SELECT pgrst_call.* FROM ${body}${call} pgrst_call`;
  return {
    text: answerOf(source, chosen.scalar, maxRows),
    values: params.length === 0 ? [] : [JSON.stringify(args)],
    readOnly: !chosen.volatile,
  };
}

/** The whole of a table or view. */
export async function planRead(
  client: ClientBase,
  schema: string,
  table: string,
  maxRows: number | undefined,
): Promise<PlannedQuery | Refusal> {
  const { rows } = await client.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition`,
    [schema, table],
  );
  if (rows.length === 0)
    return refusal(404, 'PGRST205', `Could not find the table '${schema}.${table}' in the schema cache`);
  const source = `SELECT * FROM ${quoted(schema)}.${quoted(table)}`;
  return { text: answerOf(source, false, maxRows), values: [], readOnly: true };
}

function answerOf(source: string, scalar: boolean, maxRows: number | undefined): string {
  const body = scalar ? "coalesce(json_agg(t.pgrst_scalar) -> 0, 'null')" : "coalesce(json_agg(t), '[]')";
  const limit = maxRows === undefined || scalar ? '' : ` LIMIT ${maxRows}`;
  return `WITH pgrst_source AS MATERIALIZED (${source})
    SELECT ${body}::text AS body, count(t) AS page, (SELECT count(*) FROM pgrst_source) AS total
    FROM (SELECT * FROM pgrst_source${limit}) t`;
}

const candidates = `
  SELECT f.oid::regprocedure::text AS signature,
    NOT f.proretset AND (r.typtype <> 'c' AND f.prorettype <> 'record'::regtype OR f.proallargtypes IS NULL AND r.typtype = 'b')
      AS scalar,
    f.provolatile = 'v' AS volatile,
    coalesce((
      SELECT jsonb_agg(jsonb_build_object(
        'name', coalesce(f.proargnames[i], ''), 'type', format_type(f.proargtypes[i - 1], NULL),
        'required', i <= f.pronargs - f.pronargdefaults, 'variadic', f.provariadic <> 0 AND i = f.pronargs) ORDER BY i)
      FROM generate_series(1, f.pronargs) i), '[]') AS params
  FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace JOIN pg_type r ON r.oid = f.prorettype
  WHERE n.nspname = $1 AND f.proname = $2 AND f.prokind = 'f'`;
