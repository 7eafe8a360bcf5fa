import type pg from 'pg';
import { underSchema } from '../packages/sql/src/schema-name.ts';

/** Each query gives one column of lines. Partitions of months depend on the day and are left out. */
const sections: readonly (readonly [title: string, query: string])[] = [
  [
    'Tables',
    `SELECT format(E'CREATE %sTABLE medzen.%s (\\n%s\\n)%s%s;%s',
      CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED ' ELSE '' END, c.relname,
      concat_ws(E',\\n', (
        SELECT string_agg(format('  %s %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
          CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || quote_ident(k.collname) ELSE '' END,
          CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
          CASE WHEN a.attidentity <> '' THEN ' GENERATED ' || CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END || ' AS IDENTITY'
            WHEN a.attgenerated = 's' THEN ' GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ') STORED'
            WHEN d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END), E',\\n' ORDER BY a.attnum)
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_collation k ON k.oid = a.attcollation
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      ), (
        SELECT string_agg(format('  CONSTRAINT %s %s', n.conname, pg_get_constraintdef(n.oid)), E',\\n' ORDER BY n.conname COLLATE "C")
        FROM pg_constraint n WHERE n.conrelid = c.oid AND n.contype NOT IN ('n', 't')
      )),
      coalesce(' ' || pg_get_expr(c.relpartbound, c.oid), '') || coalesce(' PARTITION BY ' || pg_get_partkeydef(c.oid), ''),
      coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', ''),
      CASE WHEN c.relrowsecurity THEN format(E'\\nALTER TABLE medzen.%s ENABLE ROW LEVEL SECURITY;', c.relname) ELSE '' END)
    FROM pg_class c
    WHERE c.relnamespace = 'medzen'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname !~ '_\\d{4}_\\d\\d$'
    ORDER BY c.relname COLLATE "C"`,
  ],
  [
    'Indexes',
    `SELECT pg_get_indexdef(i.indexrelid) || ';'
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
    WHERE c.relnamespace = 'medzen'::regnamespace AND NOT c.relispartition
      AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conindid = i.indexrelid)
    ORDER BY x.relname COLLATE "C"`,
  ],
  [
    'Triggers',
    `SELECT pg_get_triggerdef(t.oid) || ';'
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'medzen'::regnamespace AND NOT t.tgisinternal AND t.tgparentid = 0 AND c.relname !~ '_\\d{4}_\\d\\d$'
    ORDER BY c.relname COLLATE "C", t.tgname COLLATE "C"`,
  ],
  [
    'Policies',
    `SELECT format('CREATE POLICY %s ON medzen.%s FOR %s TO %s USING (%s) WITH CHECK (%s);', policyname, tablename, cmd, roles, qual, with_check)
    FROM pg_policies WHERE schemaname = 'medzen' ORDER BY tablename COLLATE "C", policyname COLLATE "C"`,
  ],
  [
    'Views',
    `SELECT format(E'CREATE VIEW medzen.%s%s AS\\n%s', c.relname, coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', ''), pg_get_viewdef(c.oid))
    FROM pg_class c WHERE c.relnamespace = 'medzen'::regnamespace AND c.relkind = 'v' ORDER BY c.relname COLLATE "C"`,
  ],
  [
    'Functions',
    `SELECT rtrim(pg_get_functiondef(f.oid), E'\\n') || E';\\n'
    FROM pg_proc f WHERE f.pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('medzen', 'medzen_api')) ORDER BY f.pronamespace::regnamespace::text COLLATE "C", f.proname COLLATE "C"`,
  ],
  [
    'Grants',
    `SELECT format('GRANT %s ON %s TO %s;', g.privilege, g.object, g.grantee) FROM (
      SELECT a.privilege_type, 'FUNCTION ' || f.pronamespace::regnamespace || '.' || f.proname, coalesce(r.rolname, 'PUBLIC')
      FROM pg_proc f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a LEFT JOIN pg_roles r ON r.oid = a.grantee
      WHERE f.pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('medzen', 'medzen_api')) AND a.grantee <> f.proowner
      UNION ALL
      SELECT a.privilege_type, 'TABLE medzen.' || c.relname, coalesce(r.rolname, 'PUBLIC')
      FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
      WHERE c.relnamespace = 'medzen'::regnamespace AND a.grantee <> c.relowner
      UNION ALL
      SELECT format('%s (%s)', a.privilege_type, t.attname), 'TABLE medzen.' || c.relname, coalesce(r.rolname, 'PUBLIC')
      FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
      WHERE c.relnamespace = 'medzen'::regnamespace
      UNION ALL
      SELECT a.privilege_type, 'SCHEMA ' || n.nspname, coalesce(r.rolname, 'PUBLIC')
      FROM pg_namespace n, aclexplode(n.nspacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
      WHERE n.nspname IN ('medzen', 'medzen_api') AND a.grantee <> n.nspowner
    ) g (privilege, object, grantee)
    ORDER BY g.object COLLATE "C", g.grantee COLLATE "C", g.privilege`,
  ],
];

/**
 * What a schema amounts to, read from the catalog.
 *
 * @param client - connected, with rights to read the catalog
 * @param schema - its name; it must exist
 */
export async function schemaText(client: pg.Client | pg.Pool, schema = 'medzen'): Promise<string> {
  const parts: string[] = [];
  for (const [title, query] of sections) {
    const { rows } = await client.query<[string]>({ text: underSchema(query, schema), rowMode: 'array' });
    if (rows.length > 0) parts.push(`-- ---- ${title}\n\n${rows.map(([line]) => line).join('\n')}\n`);
  }
  return parts.join('\n');
}
