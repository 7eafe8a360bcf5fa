/** The groups that the schema grants to. */
const groups = ['medzen_app', 'medzen_sequencer', 'medzen_auditor'] as const;

/**
 * What an administrator runs once, where the role that applies the migrations may not do it itself: make the groups and the owner, and let
 * the owner make its schema. Safe to repeat. If the migrations were applied before, it grants what they could not.
 *
 * @param schema - checked already
 * @param owner - checked already; absent: the role that applies the migrations
 */
export function administratorSql(schema: string, owner: string | undefined): string {
  const roles = owner === undefined ? groups : [...groups, owner];
  const make = roles.map((role) => `  IF to_regrole('${role}') IS NULL THEN CREATE ROLE ${role} NOLOGIN; END IF;`);
  const own =
    owner === undefined
      ? []
      : [
          `  EXECUTE format('GRANT CREATE ON DATABASE %I TO ${owner}', current_database());`,
          '  -- A superuser takes on any role; another who is to apply the migrations must be a member.',
          `  IF current_user <> '${owner}' AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN`,
          `    EXECUTE format('GRANT ${owner} TO %I', current_user);`,
          '  END IF;',
        ];
  return [
    "-- For the database's administrator, once; safe to repeat.",
    'DO $$',
    'BEGIN',
    ...make,
    ...own,
    `  IF to_regprocedure('${schema}.apply_permissions()') IS NOT NULL THEN`,
    `    PERFORM ${schema}.apply_permissions();`,
    '  END IF;',
    'END',
    '$$;',
    '',
  ].join('\n');
}
