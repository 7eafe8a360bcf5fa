import type { Examiner } from './examination.ts';
import type { Finding } from './finding.ts';

/** Checks that nothing PostgREST exposes bypasses row-level security. */
export const examineExposure: Examiner = async ({ read, roles, schema, under }) => {
  if (!roles.has('authenticator')) return [];
  const rows = await read(`
    SELECT split_part(c, '=', 2) AS schemas
    FROM pg_db_role_setting s, unnest(s.setconfig) c
    WHERE s.setrole = to_regrole('authenticator') AND c LIKE 'pgrst.db\\_schemas=%'
      AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY s.setdatabase DESC LIMIT 1`);
  const listed = typeof rows[0]?.schemas === 'string' ? rows[0].schemas : undefined;
  const exposed = listed?.split(',').map((each) => each.trim().replaceAll('"', ''));
  const findings: Finding[] = [];
  if (exposed === undefined)
    findings.push({
      id: 'exposed.unknown',
      severity: 'info',
      object: 'pgrst.db_schemas',
      message: 'Which schemas PostgREST exposes is not set in this database',
      remedy: under(
        'Settings, Data API: medzen_api for people; medzen itself only where services speak through PostgREST; neither for anon',
      ),
    });
  else if (exposed.includes(schema))
    findings.push({
      id: 'exposed.schema',
      severity: 'info',
      object: schema,
      message: `PostgREST exposes ${schema}, whose tables hold PHI: only grants keep people out (see grant.*)`,
      remedy: 'Needed where services speak through PostgREST; otherwise take it out of the exposed schemas',
    });
  // A view outside reads with the rights of its owner, past row level security, unless it says otherwise.
  const views = await read(`
    SELECT DISTINCT v.oid::regclass::text AS name, n.nspname AS space
    FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_class v ON v.oid = w.ev_class JOIN pg_namespace n ON n.oid = v.relnamespace
    JOIN pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid
    JOIN pg_namespace m ON m.oid = t.relnamespace AND m.nspname IN ('medzen', 'medzen_api')
    WHERE n.nspname NOT IN ('medzen', 'medzen_api') AND v.relkind IN ('v', 'm')
      AND NOT coalesce(v.reloptions::text ~ 'security_invoker=(true|on|1|yes)', false)
    ORDER BY 1`);
  for (const { name, space } of views) {
    const open = exposed === undefined || exposed.includes(String(space));
    findings.push({
      id: 'exposed.view',
      severity: open ? 'critical' : 'warning',
      object: String(name),
      message: `The view ${name} reads tables of ${schema} past row level security${open ? ', in a schema that PostgREST may expose' : ''}`,
      remedy: `ALTER VIEW ${name} SET (security_invoker = true);`,
    });
  }
  return findings;
};
