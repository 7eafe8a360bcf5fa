/**
 * Writes the trailer of every migration, embeds the migrations for bundlers, and reads from a database (PGlite) which functions
 * the wires may call, with which arguments, and what the doctor compares with. `--check` writes nothing and fails when a file is stale, or a migration has no script that undoes it.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { baselineModule } from './sql-baseline.ts';

const root: string = join(import.meta.dirname, '..', 'packages', 'sql');
const marker = '-- ---- trailer: written by scripts/generate-sql.ts; do not edit below\n';

interface Migration {
  readonly id: string;
  readonly path: string;
  readonly checksum: string;
  readonly breaking: boolean;
  readonly sql: string;
}

function migrationsIn(folder: string): Migration[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  return files.sort().map((name) => {
    const path = join(folder, name);
    const template = `${(readFileSync(path, 'utf8').split(marker)[0] ?? '').trimEnd()}\n\n`;
    const id = basename(name, '.sql');
    if (!/^(?:--[^\n]*\n)+\n(?:--[^\n]*\n)*SET LOCAL search_path = pg_catalog, pg_temp;\n/.test(template))
      throw new Error(`${path} does not set the search path behind its first comment (migrations/README.md)`);
    const checksum = createHash('sha256').update(template).digest('hex');
    const breaking = template.startsWith('-- breaking\n');
    const trailer = [
      'SELECT medzen.apply_permissions();',
      `INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('${id}', '${checksum}', ${breaking});`,
    ];
    return { id, path, checksum, breaking, sql: `${template}${marker}${trailer.join('\n')}\n` };
  });
}

interface Row {
  readonly name: string;
  readonly args: readonly { readonly name: string; readonly type: string }[];
  /** The type of the one value, or the columns of the rows. */
  readonly returns: string | readonly { readonly name: string; readonly type: string }[];
}

/** A database with all migrations applied, in which every function that is permitted to a role exists. */
async function migrated(migrations: readonly Migration[]): Promise<PGlite> {
  const db = await PGlite.create();
  for (const { sql, path } of migrations) {
    await db.exec(sql).catch((error: unknown) => {
      throw new Error(`${path} does not run: ${error instanceof Error ? error.message : ''}`);
    });
  }
  const { rows: ghosts } = await db.query<{ name: string }>(`
    SELECT p.function AS name FROM medzen.permission p
    WHERE NOT EXISTS (
      SELECT FROM pg_proc f
      WHERE f.pronamespace = 'medzen'::regnamespace AND f.proname = p.function
        OR f.pronamespace = 'medzen_api'::regnamespace AND 'medzen_api.' || f.proname = p.function)`);
  if (ghosts.length > 0) throw new Error(`Permitted, but no such function: ${ghosts.map((g) => g.name).join(', ')}`);
  return db;
}

/** The functions of a schema that some role may call, each with the last migration that defines it. */
async function readManifest(db: PGlite, schema: string, migrations: readonly Migration[]): Promise<string[]> {
  const { rows } = await db.query<Row>(`
    SELECT f.proname AS name, coalesce((
      SELECT jsonb_agg(jsonb_build_object('name', a.name, 'type', format_type(a.type, NULL)) ORDER BY a.at)
      FROM unnest(f.proargnames, coalesce(f.proallargtypes, f.proargtypes::oid[]), coalesce(f.proargmodes, '{}'))
        WITH ORDINALITY AS a (name, type, mode, at)
      WHERE a.mode IS NULL OR a.mode IN ('i', 'b', 'v')), '[]') AS args,
      coalesce((
        SELECT jsonb_agg(jsonb_build_object('name', a.name, 'type', format_type(a.type, NULL)) ORDER BY a.at)
        FROM unnest(f.proargnames, f.proallargtypes, f.proargmodes) WITH ORDINALITY AS a (name, type, mode, at)
        WHERE a.mode = 't'
      ), (
        SELECT jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, NULL)) ORDER BY a.attnum)
        FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.oid = f.prorettype AND f.proretset
      ), to_jsonb(format_type(f.prorettype, NULL) || CASE WHEN f.proretset THEN '[rows]' ELSE '' END)) AS returns
    FROM pg_proc f
    WHERE f.pronamespace = '${schema}'::regnamespace
      AND '${schema === 'medzen' ? '' : `${schema}.`}' || f.proname IN (SELECT function FROM medzen.permission)
    ORDER BY f.proname COLLATE "C"`);
  return rows.map(({ name, args, returns }, at) => {
    if (rows[at + 1]?.name === name) throw new Error(`${name} is overloaded; a wire could not choose`);
    const definition = `FUNCTION ${schema}.${name}(`;
    const home = migrations.findLast(({ sql }) => sql.includes(definition));
    if (home === undefined) throw new Error(`No migration says "${definition}"`);
    const types = args.map((arg) => {
      if (!arg.name.startsWith('p_')) throw new Error(`The argument ${arg.name} of ${name} does not start with p_`);
      return `${arg.name.slice(2)}: '${arg.type}'`;
    });
    const list = types.length === 0 ? '{}' : `{ ${types.join(', ')} }`;
    if (typeof returns === 'string' && returns.endsWith('[rows]'))
      throw new Error(`The rows of ${name} have no columns with names`);
    const answer =
      typeof returns === 'string'
        ? `'${returns}'`
        : `{ ${returns.map((column) => `${column.name}: '${column.type}'`).join(', ')} }`;
    return `  ${name}: { migration: '${home.id}', args: ${list}, returns: ${answer} },`;
  });
}

function embed(name: string, doc: string, migrations: readonly Migration[]): string {
  const items = migrations.map(({ id, checksum, breaking, sql }) => {
    const lines = [`    id: '${id}',`, `    checksum: '${checksum}',`, `    breaking: ${breaking},`];
    return ['  {', ...lines, `    sql: ${JSON.stringify(sql)},`, '  },'].join('\n');
  });
  return [`/** ${doc} */`, `export const ${name}: readonly Migration[] = [`, ...items, '];', ''].join('\n');
}

const plain: Migration[] = migrationsIn(join(root, 'migrations'));
const test: Migration[] = migrationsIn(join(root, 'migrations', 'test'));
const db: PGlite = await migrated([...plain, ...test]);
const header = '// Written by scripts/generate-sql.ts; do not edit.\n';

const outputs: [path: string, text: string][] = [...plain, ...test].map(({ path, sql }) => [path, sql]);
outputs.push([
  join(root, 'src', 'migrations.generated.ts'),
  [
    `${header}import type { Migration } from './migration.ts';\n`,
    embed('migrations', 'The migrations, in the order in which they are applied.', plain),
    embed('testMigrations', 'What only tests and the demo install: a clock that can be moved.', test),
  ].join('\n'),
]);
outputs.push([
  join(root, 'src', 'manifest.generated.ts'),
  [
    `${header}import type { LedgerRow } from './ledger.ts';`,
    "import type { SqlFunction } from './migration.ts';\n",
    '/** The migrations without their text, which a bundle that only checks the ledger need not carry. */',
    'export const knownMigrations: readonly LedgerRow[] = [',
    ...plain.map(({ id, checksum, breaking }) => `  { id: '${id}', checksum: '${checksum}', breaking: ${breaking} },`),
    '];',
    '',
    '/** Every function that a wire may call: who defines it, its arguments in order, without `p_`, and what it gives. */',
    'export const manifest: Readonly<Record<string, SqlFunction>> = {',
    ...(await readManifest(db, 'medzen', [...plain, ...test])),
    '};',
    '',
    '/** Every function that a person may call, in the schema of {@link peopleSchema}. No wire calls these: each speaks for one person. */',
    'export const peopleManifest: Readonly<Record<string, SqlFunction>> = {',
    ...(await readManifest(db, 'medzen_api', plain)),
    '};',
    '',
  ].join('\n'),
]);

outputs.push([
  join(root, 'src', 'doctor', 'baseline.generated.ts'),
  await baselineModule(
    plain.map(({ sql }) => sql),
    test.map(({ sql }) => sql),
  ),
]);

await db.close();

const stale: string[] = outputs.flatMap(([path, text]) => {
  let present = '';
  try {
    present = readFileSync(path, 'utf8');
  } catch {
    // not written yet
  }
  if (present === text) return [];
  if (!process.argv.includes('--check')) writeFileSync(path, text);
  return [path];
});
const undoable: ReadonlySet<string> = new Set(readdirSync(join(root, 'rollback')));
const lasting: string[] = [...plain, ...test].filter(({ id }) => !undoable.has(`${id}.sql`)).map(({ id }) => id);
if (process.argv.includes('--check') && lasting.length > 0) {
  console.error(`No script to undo it in packages/sql/rollback:\n${lasting.join('\n')}`);
  process.exitCode = 1;
}
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`Stale; run node scripts/generate-sql.ts:\n${stale.join('\n')}`);
  process.exitCode = 1;
}
