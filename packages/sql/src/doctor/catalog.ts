import { sha256, toHex } from '@medzen/core';
import { underSchema } from '../schema-name.ts';
import type { SqlClient } from '../sql-client.ts';

/** One object of the schemas, in a form that the servers from 15 on agree upon. */
export interface CatalogObject {
  /** `function`, `table`, `column`, `constraint`, `index`, `trigger`, `policy`, `view` or `grant`. */
  readonly kind: string;
  /** With its schema, and its table where it belongs to one. */
  readonly name: string;
  /** What the catalog stores as it was written. */
  readonly stored: string;
  /** What the server writes back from a parsed tree, which another version may write otherwise. */
  readonly written: string;
}

/**
 * Everything that is compared, by kind, name and text. Monthly partitions depend on the day and are left out, and so are indexes' and
 * tables' storage, comments, statistics and owners.
 */
const query = `
WITH space AS (
  SELECT n.oid, n.nspname AS name, n.nspowner, n.nspacl FROM pg_namespace n WHERE n.nspname IN ('medzen', 'medzen_api')
), relation AS (
  SELECT c.*, s.name || '.' || c.relname AS full_name
  FROM pg_class c JOIN space s ON s.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm') AND c.relname !~ '_\\d{4}_\\d\\d$'
), routine AS (
  SELECT f.*, s.name || '.' || f.proname || '(' || coalesce((
    SELECT string_agg(format_type(t, NULL), ', ' ORDER BY at) FROM unnest(f.proargtypes) WITH ORDINALITY AS a (t, at)), '') || ')' AS full_name
  FROM pg_proc f JOIN space s ON s.oid = f.pronamespace
)
SELECT 'function' AS kind, f.full_name AS name,
  concat_ws(' | ', l.lanname, f.prokind, f.prosecdef, f.proleakproof, f.proisstrict, f.proretset, f.provolatile, f.proparallel,
    f.proconfig::text, format_type(f.prorettype, NULL), f.proargnames::text, f.proargmodes::text,
    (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY at) FROM unnest(f.proallargtypes) WITH ORDINALITY AS a (t, at)),
    replace(f.prosrc, E'\\r', '')) AS stored,
  concat_ws(' | ', pg_get_expr(f.proargdefaults, 0), pg_get_function_sqlbody(f.oid)) AS written
FROM routine f JOIN pg_language l ON l.oid = f.prolang
UNION ALL
SELECT 'table', c.full_name,
  concat_ws(' | ', c.relkind, c.relpersistence, (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(c.reloptions) o), c.relispartition),
  concat_ws(' | ', pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid))
FROM relation c WHERE c.relkind IN ('r', 'p')
UNION ALL
SELECT 'view', c.full_name, concat_ws(' | ', c.relkind, (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(c.reloptions) o)),
  pg_get_viewdef(c.oid)
FROM relation c WHERE c.relkind IN ('v', 'm')
UNION ALL
SELECT 'column', c.full_name || '.' || a.attname,
  concat_ws(' | ', format_type(a.atttypid, a.atttypmod), a.attnotnull, k.collname, a.attidentity, a.attgenerated),
  coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation k ON k.oid = a.attcollation AND k.collname <> 'default'
UNION ALL
SELECT 'constraint', c.full_name || '.' || n.conname, concat_ws(' | ', n.contype, n.convalidated, n.condeferrable),
  pg_get_constraintdef(n.oid)
FROM relation c JOIN pg_constraint n ON n.conrelid = c.oid AND n.contype NOT IN ('n', 't') AND n.conparentid = 0
UNION ALL
SELECT 'index', c.full_name || '.' || x.relname, concat_ws(' | ', i.indisunique, i.indisvalid), pg_get_indexdef(i.indexrelid)
FROM relation c JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid
WHERE NOT x.relispartition AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conindid = i.indexrelid AND n.conrelid = c.oid)
UNION ALL
SELECT 'trigger', c.full_name || '.' || t.tgname,
  concat_ws(' | ', t.tgtype, t.tgdeferrable, t.tginitdeferred, fs.nspname || '.' || f.proname, encode(t.tgargs, 'escape'),
    (SELECT string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (t.tgattr))),
  pg_get_triggerdef(t.oid)
FROM relation c JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgparentid = 0
JOIN pg_proc f ON f.oid = t.tgfoid JOIN pg_namespace fs ON fs.oid = f.pronamespace
UNION ALL
SELECT 'policy', c.full_name || '.' || p.polname,
  concat_ws(' | ', p.polcmd, p.polpermissive, (
    SELECT string_agg(coalesce(r.rolname, 'public'), ',' ORDER BY r.rolname COLLATE "C")
    FROM unnest(p.polroles) o LEFT JOIN pg_roles r ON r.oid = o)),
  concat_ws(' | ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM relation c JOIN pg_policy p ON p.polrelid = c.oid
UNION ALL
SELECT 'grant', coalesce(r.rolname, 'PUBLIC') || ' ' || g.object,
  string_agg(g.privilege || CASE WHEN g.grantable THEN ' WITH GRANT OPTION' ELSE '' END, ', ' ORDER BY g.privilege), ''
FROM (
  SELECT a.grantee, 'FUNCTION ' || f.full_name, a.privilege_type, a.is_grantable, f.proowner
  FROM routine f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
  UNION ALL
  SELECT a.grantee, 'TABLE ' || c.full_name, a.privilege_type, a.is_grantable, c.relowner FROM relation c, aclexplode(c.relacl) a
  UNION ALL
  SELECT a.grantee, 'TABLE ' || c.full_name, format('%s (%I)', a.privilege_type, t.attname), a.is_grantable, c.relowner
  FROM relation c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
  UNION ALL
  SELECT a.grantee, 'TABLE ' || s.name || '.' || c.relname, a.privilege_type, a.is_grantable, c.relowner
  FROM pg_class c JOIN space s ON s.oid = c.relnamespace, aclexplode(c.relacl) a
  WHERE c.relkind IN ('r', 'p') AND c.relname ~ '_\\d{4}_\\d\\d$'
  UNION ALL
  SELECT a.grantee, 'SEQUENCE ' || s.name || '.' || c.relname, a.privilege_type, a.is_grantable, c.relowner
  FROM pg_class c JOIN space s ON s.oid = c.relnamespace, aclexplode(c.relacl) a WHERE c.relkind = 'S'
  UNION ALL
  SELECT a.grantee, 'SCHEMA ' || s.name, a.privilege_type, a.is_grantable, s.nspowner FROM space s, aclexplode(s.nspacl) a
) g (grantee, object, privilege, grantable, owner)
LEFT JOIN pg_roles r ON r.oid = g.grantee
WHERE g.grantee <> g.owner
GROUP BY 1, 2
ORDER BY 1, 2`;

/**
 * Reads what the catalog holds of the two schemas. The caller has set the search path to `pg_catalog`, so that the server writes every
 * name with its schema; names of the host's schema come back under `medzen`.
 *
 * @param schema - checked already
 */
export async function readCatalog(client: SqlClient, schema: string): Promise<readonly CatalogObject[]> {
  const { rows } = await client.query(underSchema(query, schema));
  return (rows as readonly CatalogObject[]) // the query's own columns, all text
    .map(({ kind, name, stored, written }) => ({
      kind,
      name: underTemplate(name, schema),
      stored: underTemplate(stored, schema),
      written: settled(kind, underTemplate(written, schema)),
    }));
}

/** The name that the migrations were written with, back again. */
function underTemplate(text: string, schema: string): string {
  if (schema === 'medzen') return text;
  return text.replace(new RegExp(`\\b${schema}(_api)?\\b`, 'g'), 'medzen$1');
}

/**
 * Without line breaks and, in views, without the table before a column: Postgres 15 writes it where a view reads one table only, later
 * ones do not.
 */
function settled(kind: string, text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return kind === 'view' ? line.replace(/\b(?!(?:medzen|medzen_api|pg_catalog)\.)[a-z_]\w*\.(?=[a-z_"])/g, '') : line;
}

/** The two hashes of an object, as the baseline holds them: `stored.written`. */
export function hashesOf({ stored, written }: CatalogObject): string {
  return `${digest(stored)}.${digest(written)}`;
}

function digest(text: string): string {
  return toHex(sha256(new TextEncoder().encode(text)).subarray(0, 8));
}
