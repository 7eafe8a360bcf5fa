import { baseline } from './baseline.generated.ts';
import { type Examiner, may } from './examination.ts';
import type { Finding, Severity } from './finding.ts';

/** Roles that stand for people or for nobody; the schema of services is not theirs. */
const people: ReadonlyMap<string, Severity> = new Map([
  ['PUBLIC', 'critical'],
  ['anon', 'critical'],
  ['authenticated', 'critical'],
]);

/** Every right that somebody has and should not, or should have and has not. */
export const examineGrants: Examiner = async (examination) => {
  const { catalog, roles, under, read, skip } = examination;
  const wanted = new Map(
    Object.entries(baseline).flatMap(([key, rights]): [string, string][] => {
      const [kind, role = '', ...object] = key.split(' ');
      return kind === 'grant' && roles.has(role) ? [[`${role} ${object.join(' ')}`, rights]] : [];
    }),
  );
  const own = new Set<string>();
  if (await may(examination, 'table', 'medzen.permission')) {
    // A host may permit its own roles what services may call; PUBLIC, anon and authenticated are no such roles.
    for (const { role, name } of await read('SELECT role, function AS name FROM medzen.permission'))
      if (!people.has(String(role))) own.add(`${role} ${name}`).add(`${role}`);
  } else skip('which rights the host has noted in medzen.permission');

  const findings: Finding[] = [];
  const present = new Set<string>();
  for (const { kind, name, stored } of catalog) {
    if (kind !== 'grant') continue;
    const [role = '', ...rest] = name.split(' ');
    const object = rest.join(' ');
    present.add(name);
    // A month's partition has the rights that the default one has.
    const expected = new Set((wanted.get(name.replace(/_\d{4}_\d\d$/, '_default')) ?? '').split(', '));
    const extra = stored.split(', ').filter((right) => !expected.has(right));
    const lost = [...expected].filter((right) => right !== '' && !stored.split(', ').includes(right));
    if (lost.length > 0) findings.push(missing(role, object, lost));
    if (extra.length === 0 || isPermitted(role, object, own)) continue;
    const plain = extra.map((right) => right.replace(' WITH GRANT OPTION', ''));
    findings.push({
      id: people.has(role) ? `grant.${role.toLowerCase()}` : 'grant.extra',
      severity: people.get(role) ?? 'warning',
      object: under(object),
      message: under(`${role} has ${plain.join(', ')} on ${object}, which no migration gives`),
      remedy: under(`REVOKE ${plain.join(', ')} ON ${object} FROM ${role} CASCADE;`),
    });
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

/** Whether `medzen.permission` gives a role this function, or the schema because of one. */
function isPermitted(role: string, object: string, own: ReadonlySet<string>): boolean {
  if (/^SCHEMA /.test(object)) return own.has(role);
  const name = /^FUNCTION medzen\.([a-z0-9_]+)\(/.exec(object)?.[1];
  return name !== undefined && own.has(`${role} ${name}`);
}
