import type { Examination, Examiner } from './examination.ts';
import type { Finding } from './finding.ts';

/** The groups that the schema grants to. */
const groups: readonly string[] = ['medzen_app', 'medzen_sequencer', 'medzen_auditor'];

const memberships = `
WITH RECURSIVE edge AS (
  -- Before Postgres 16 a membership always gives its rights; from then on one may be there for granting on only.
  SELECT a.roleid, a.member FROM pg_auth_members a
  WHERE coalesce((to_jsonb(a) ->> 'inherit_option')::boolean, true) OR coalesce((to_jsonb(a) ->> 'set_option')::boolean, true)
), reach AS (
  SELECT r.oid AS root, r.oid AS member FROM pg_roles r
  WHERE r.rolname IN ('medzen_app', 'medzen_sequencer', 'medzen_auditor') OR r.oid = (
    SELECT nspowner FROM pg_namespace WHERE nspname = 'medzen')
  UNION
  SELECT reach.root, edge.member FROM reach JOIN edge ON edge.roleid = reach.member
)
SELECT g.rolname AS grp, m.rolname AS login, m.rolsuper AS super
FROM reach JOIN pg_roles g ON g.oid = reach.root JOIN pg_roles m ON m.oid = reach.member AND m.rolcanlogin
ORDER BY 1, 2`;

/** Logins by group; the owner of the schema is a group of its own. */
export async function membersOf({ read }: Pick<Examination, 'read'>): Promise<Record<string, string[]>> {
  const members: Record<string, string[]> = {};
  for (const { grp, login } of await read(memberships)) {
    members[String(grp)] = [...(members[String(grp)] ?? []), String(login)];
  }
  return members;
}

/** The groups are there and hold no power of their own, and what serves is not what owns. */
export const examineRoles: Examiner = async ({ read, roles, owner, under }) => {
  const missing = groups
    .filter((role) => !roles.has(role))
    .map(
      (role): Finding => ({
        id: 'role.missing',
        severity: 'warning',
        object: role,
        message: `The role ${role} does not exist, so nobody can be granted what it may do`,
        remedy: under(`CREATE ROLE ${role} NOLOGIN; SELECT medzen.apply_permissions();`),
      }),
    );
  const strong = await read(`
    SELECT rolname AS role FROM pg_roles
    WHERE rolname IN ('medzen_app', 'medzen_sequencer', 'medzen_auditor') AND (rolsuper OR rolbypassrls OR rolcanlogin) ORDER BY 1`);
  const powers = strong.map(
    ({ role }): Finding => ({
      id: 'role.power',
      severity: 'critical',
      object: String(role),
      message: `The group ${role} can log in, or passes by row level security`,
      remedy: `ALTER ROLE ${role} NOLOGIN NOSUPERUSER NOBYPASSRLS;`,
    }),
  );
  const people = await peopleOfPower({ read });
  const rows = await read(memberships);
  const owns = new Set(rows.flatMap(({ grp, login, super: all }) => (grp === owner || all === true ? [login] : [])));
  const serving = rows
    .filter(({ grp, login }) => grp !== owner && groups.includes(String(grp)) && owns.has(login))
    .map(
      ({ grp, login }): Finding => ({
        id: 'owner.serves',
        severity: 'critical',
        object: String(login),
        message: `The login ${login} serves as ${grp} and can act as the owner ${owner}, who can switch off what protects the log`,
        remedy: `REVOKE ${grp} FROM ${login}; -- and grant it to a login that owns nothing`,
      }),
    );
  const foreign = await read(`
    SELECT o.kind, o.name, pg_get_userbyid(o.owner) AS owner FROM (
      SELECT 'TABLE', c.oid::regclass::text, c.relowner, c.relnamespace FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v')
      UNION ALL
      SELECT 'FUNCTION', f.oid::regprocedure::text, f.proowner, f.pronamespace FROM pg_proc f
    ) o (kind, name, owner, space)
    JOIN pg_namespace n ON n.oid = o.space AND n.nspname IN ('medzen', 'medzen_api')
    WHERE o.owner <> (SELECT nspowner FROM pg_namespace WHERE nspname = 'medzen') ORDER BY 1, 2`);
  return [
    ...missing,
    ...powers,
    ...people,
    ...serving,
    ...foreign.map(
      ({ kind, name, owner: other }): Finding => ({
        id: 'owner.mixed',
        severity: 'warning',
        object: String(name),
        message: `${name} belongs to ${other}, not to the schema's owner ${owner}`,
        remedy: `ALTER ${kind} ${name} OWNER TO ${owner};`,
      }),
    ),
  ];
};

/**
 * Finds roles that come through PostgREST as a person, or without one, and have rights of services, auditors or the
 * owner.
 */
async function peopleOfPower({ read }: Pick<Examination, 'read'>): Promise<readonly Finding[]> {
  const rows = await read(`
    SELECT p.rolname AS role, g.rolname AS grp FROM pg_roles p JOIN pg_roles g ON g.oid <> p.oid AND NOT p.rolsuper
      AND (g.oid = (SELECT nspowner FROM pg_namespace WHERE nspname = 'medzen') OR g.rolname IN
        ('medzen_app', 'medzen_sequencer', 'medzen_auditor', 'service_role', 'pg_read_all_data', 'pg_write_all_data'))
      AND pg_has_role(p.oid, g.oid, 'MEMBER')
    WHERE p.rolname IN ('anon', 'authenticated')
    UNION ALL
    SELECT rolname, NULL FROM pg_roles WHERE rolname IN ('anon', 'authenticated') AND (rolsuper OR rolbypassrls)
    ORDER BY 1, 2`);
  return rows.map(
    ({ role, grp }): Finding => ({
      id: 'role.people',
      severity: 'critical',
      object: String(role),
      message: grp === null ? `${role} passes by row level security` : `${role} has the rights of ${grp}`,
      remedy:
        grp === null
          ? `ALTER ROLE ${role} NOSUPERUSER NOBYPASSRLS;`
          : `REVOKE ${grp} FROM ${role}; -- or from the role in between`,
    }),
  );
}
