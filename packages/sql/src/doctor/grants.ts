import { baseline, testObjects } from './baseline.generated.ts';
import { type Examination, type Examiner, may } from './examination.ts';
import type { Finding, Severity } from './finding.ts';

/** Roles that stand for people or for nobody; the schema of services is not theirs. */
const people: ReadonlyMap<string, Severity> = new Map([
  ['PUBLIC', 'critical'],
  ['anon', 'critical'],
  ['authenticated', 'critical'],
]);

/** Finds every right that a role has and should not, or should have and has not. */
export const examineGrants: Examiner = async (examination) => {
  const { catalog, roles, testClock, under } = examination;
  const wanted = new Map(
    Object.entries(baseline).flatMap(([key, rights]): [string, string][] => {
      const [kind, role = '', ...object] = key.split(' ');
      return kind === 'grant' && roles.has(role) ? [[`${role} ${object.join(' ')}`, rights]] : [];
    }),
  );
  const own = await permittedByHost(examination);

  const findings: Finding[] = [];
  const present = new Set<string>();
  for (const { kind, name, stored } of catalog) {
    if (kind !== 'grant') continue;
    const [role = '', ...rest] = name.split(' ');
    const object = rest.join(' ');
    present.add(name);
    // A month's partition has the rights that the default one has.
    const expected = new Set((wanted.get(name.replace(/_\d{4}_\d\d$/, '_default')) ?? '').split(', '));
    const rights = stored.split(', ').map(withoutOption);
    const lost = [...expected].filter((right) => right !== '' && !rights.includes(right));
    if (lost.length > 0) findings.push(missing(role, object, lost));
    if (testClock && testObjects.includes(`grant ${name}`)) continue;
    const extra = rights.filter((right) => !expected.has(right));
    const handedOn = stored
      .split(', ')
      .filter((right) => withoutOption(right) !== right && !extra.includes(withoutOption(right)));
    for (const [some, revoke] of [
      [extra, 'REVOKE'],
      [handedOn.map(withoutOption), 'REVOKE GRANT OPTION FOR'],
    ] as const) {
      if (some.length === 0 || (revoke === 'REVOKE' && isPermitted(role, object, own))) continue;
      findings.push({
        id: people.has(role) ? `grant.${role.toLowerCase()}` : 'grant.extra',
        severity: people.get(role) ?? 'warning',
        object: under(object),
        message: under(
          `${role} ${revoke === 'REVOKE' ? 'has' : 'may hand on'} ${some.join(', ')} on ${object}, which no migration gives`,
        ),
        remedy: under(`${revoke} ${some.join(', ')} ON ${object} FROM ${role} CASCADE;`),
      });
    }
  }
  for (const [name, rights] of wanted) {
    if (present.has(name)) continue;
    const [role = '', ...object] = name.split(' ');
    findings.push(missing(role, object.join(' '), rights.split(', ')));
  }
  return findings;

  function missing(role: string, object: string, rights: readonly string[]): Finding {
    return {
      id: 'grant.missing',
      severity: 'warning',
      object: under(object),
      message: under(`${role} lacks ${rights.join(', ')} on ${object}`),
      remedy: under(`GRANT ${rights.join(', ')} ON ${object} TO ${role};`),
    };
  }
};

function withoutOption(right: string): string {
  return right.replace(' WITH GRANT OPTION', '');
}

/**
 * What the host has noted for its own roles in the way of the migrations: `role`, `role FUNCTION medzen.name`, `role TABLE medzen.name`.
 * PUBLIC, anon and authenticated are no such roles.
 */
async function permittedByHost(examination: Examination): Promise<ReadonlySet<string>> {
  const { read, schema, skip } = examination;
  const own = new Set<string>();
  for (const [table, column, kind] of [
    ['permission', 'function', 'FUNCTION'],
    ['select_permission', 'relation', 'TABLE'],
  ] as const) {
    if (!(await may(examination, 'table', `medzen.${table}`))) {
      skip(`which rights the host has noted in ${table}`);
      continue;
    }
    for (const { role, object } of await read(`SELECT role, ${column} AS object FROM medzen.${table}`)) {
      if (people.has(String(role))) continue;
      const bare = String(object).replace(`${schema}_api.`, 'medzen_api.');
      const name = bare.includes('.') ? bare : `medzen.${bare}`;
      own.add(String(role)).add(`${role} ${kind} ${name}`);
      if (kind === 'TABLE') own.add(`${role} reads`);
    }
  }
  return own;
}

/**
 * True when the host gives a role this right; a role that reads also calls what policies and views ask, as the group of
 * auditors does.
 */
function isPermitted(role: string, object: string, own: ReadonlySet<string>): boolean {
  if (object.startsWith('SCHEMA ')) return own.has(role);
  if (own.has(`${role} ${object.replace(/\(.*$/, '')}`)) return true;
  return own.has(`${role} reads`) && Object.hasOwn(baseline, `grant medzen_auditor ${object}`);
}
