import { definitionOf } from '../cli/definition.ts';
import { migrations } from '../migrations.generated.ts';
import { baseline, testObjects } from './baseline.generated.ts';
import { type CatalogObject, hashesOf } from './catalog.ts';
import { type Examination, type Examiner, may } from './examination.ts';
import type { Finding } from './finding.ts';

/** What a host may put its own in the place of, as the guide says. */
const replaceable: ReadonlySet<string> = new Set([
  'function medzen.current_subject()',
  'function medzen.current_tenant()',
  'function medzen.is_system_admin()',
  'function medzen.is_auditor()',
  'function medzen.current_patient()',
  'view medzen.directory',
]);

/** Servers whose way to write a parsed tree is known to be the one of the baseline. */
const lastKnownServer = 18;

/** The live definitions are those of a fresh install. */
export const examineDefinitions: Examiner = async (examination) => {
  const { catalog, roles, schema, testClock, read, skip } = examination;
  if (schema !== 'medzen' && migrations.some(({ sql }) => new RegExp(`\\b${schema}\\b`).test(sql))) {
    skip(`definitions: the schema's name, ${schema}, is also a word of the migrations, and cannot be told from it`);
    return [];
  }
  const [server] = await read(`SELECT current_setting('server_version_num')::int / 10000 AS major`);
  const written = Number(server?.major) <= lastKnownServer;

  const live = new Map(
    catalog.filter(({ kind }) => kind !== 'grant').map((each) => [`${each.kind} ${each.name}`, each]),
  );
  // A role's own policy comes with its right to read, and is named after it.
  const readers = (await may(examination, 'table', 'medzen.select_permission'))
    ? await read('SELECT relation, role FROM medzen.select_permission')
    : [];
  const ofReader = new Set(readers.map(({ relation, role }) => `policy medzen.${relation}.${role}`));
  const ofAbsentRole = (key: string): boolean => {
    const [, , role = ''] = key.split('.');
    return key.startsWith('policy ') && ofReader.has(key) && !roles.has(role);
  };
  const ignored = (key: string): boolean =>
    (testClock && testObjects.includes(key)) || key.startsWith('column medzen.directory.') || ofAbsentRole(key);
  const findings: Finding[] = written ? [] : [untested(Number(server?.major))];
  for (const [key, expected] of Object.entries(baseline)) {
    if (key.startsWith('grant ') || ignored(key)) continue;
    const found = live.get(key);
    if (found === undefined) {
      if (!hasLostTable(key, live)) findings.push(finding('missing', key, examination));
    } else if (!same(hashesOf(found), expected, written)) findings.push(finding('changed', key, examination));
  }
  for (const [key, object] of live) {
    if (
      Object.hasOwn(baseline, key) ||
      ignored(key) ||
      object.kind === 'index' ||
      ofReader.has(key) ||
      isOfStrangeTable(object)
    )
      continue;
    findings.push(finding('extra', key, examination));
  }
  return findings;
};

/**
 * Reports a server version that is not tested: for information, since a user who upgraded the server cannot change it.
 */
function untested(major: number): Finding {
  return {
    id: 'server.untested',
    severity: 'info',
    object: `Postgres ${major}`,
    message: `This version was not tested on Postgres ${major}: what that writes back from defaults, checks, indexes, policies and views was not compared`,
    remedy: 'npm install @medzen/sql@latest',
  };
}

function same(found: string, expected: string, written: boolean): boolean {
  return written ? found === expected : found.split('.')[0] === expected.split('.')[0];
}

/** `medzen.consent.decision` → `medzen.consent` */
function tableOf(name: string): string {
  return name.split('.').slice(0, 2).join('.');
}

function hasLostTable(key: string, live: ReadonlyMap<string, CatalogObject>): boolean {
  const { kind, name } = parts(key);
  if (kind === 'table' || kind === 'view' || kind === 'function') return false;
  return !live.has(`table ${tableOf(name)}`) && !live.has(`view ${tableOf(name)}`);
}

function isOfStrangeTable({ kind, name }: CatalogObject): boolean {
  if (kind === 'table' || kind === 'view' || kind === 'function') return false;
  return !Object.hasOwn(baseline, `table ${tableOf(name)}`) && !Object.hasOwn(baseline, `view ${tableOf(name)}`);
}

function parts(key: string): { readonly kind: string; readonly name: string } {
  const at = key.indexOf(' ');
  return { kind: key.slice(0, at), name: key.slice(at + 1) };
}

function finding(how: 'missing' | 'changed' | 'extra', key: string, { under, schema }: Examination): Finding {
  const { kind, name } = parts(key);
  const object = under(`${kind} ${name}`);
  if (how === 'changed' && replaceable.has(key))
    return { id: 'replaced', severity: 'info', object, message: `${object} is the host's own` };
  const guarding = kind === 'function' || kind === 'trigger' || kind === 'policy';
  const said = {
    missing: 'is gone',
    changed: 'is not what the migrations made it',
    extra: 'was made by no migration of this version',
  };
  return {
    id: `drift.${how}`,
    severity: guarding && how !== 'extra' ? 'critical' : 'warning',
    object,
    message: `${object} ${said[how]}`,
    remedy:
      how === 'extra' ? `${under(dropOf(kind, name))} -- if it is not yours` : restoreOf(kind, name, schema, under),
  };
}

function dropOf(kind: string, name: string): string {
  const own = name.slice(tableOf(name).length + 1);
  switch (kind) {
    case 'trigger':
    case 'policy':
      return `DROP ${kind.toUpperCase()} ${own} ON ${tableOf(name)};`;
    case 'column':
    case 'constraint':
      return `ALTER TABLE ${tableOf(name)} DROP ${kind.toUpperCase()} ${own};`;
    default:
      return `DROP ${kind.toUpperCase()} ${name};`;
  }
}

function restoreOf(kind: string, name: string, schema: string, under: Examination['under']): string {
  const bare = name.replace(/\(.*$/, '');
  const sql = definitionOf(migrations, kind, bare);
  if (sql === undefined && kind === 'policy') return under('SELECT medzen.apply_permissions();');
  if (sql === undefined) return 'Restore by hand what schema.sql in @medzen/sql shows';
  if (kind === 'trigger' || kind === 'policy')
    return under(`DROP ${kind.toUpperCase()} IF EXISTS ${bare.split('.')[2]} ON ${tableOf(bare)}; ${sql}`);
  if (kind === 'index')
    return under(`DROP INDEX IF EXISTS ${tableOf(bare).split('.')[0]}.${bare.split('.')[2]}; ${sql}`);
  const option = schema === 'medzen' ? '' : ` --schema ${schema}`;
  return `npx medzen-sql print --object ${kind}:${bare}${option} | psql -v ON_ERROR_STOP=1 "$DATABASE_URL"`;
}
