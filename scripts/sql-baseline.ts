import { PGlite } from '@electric-sql/pglite';
import { hashesOf, readCatalog } from '../packages/sql/src/doctor/catalog.ts';

/**
 * What `medzen-sql doctor` compares a database with: every object that the migrations make, with the hashes of its definition, and every
 * right that they give, where Supabase's roles exist too.
 *
 * @param migrations - their SQL, in order
 * @param test - that of the migrations for tests
 * @returns the module's text
 */
export async function baselineModule(migrations: readonly string[], test: readonly string[]): Promise<string> {
  const db = await PGlite.create();
  for (const role of ['anon', 'authenticated', 'service_role']) await db.exec(`CREATE ROLE ${role} NOLOGIN`);
  const read = async (): Promise<Map<string, string>> => {
    await db.exec("SET search_path = 'pg_catalog'");
    const objects = await readCatalog(db, 'medzen');
    await db.exec('RESET search_path');
    return new Map(
      objects
        .filter(({ kind, name }) => kind !== 'grant' || !/_\d{4}_\d\d$/.test(name)) // partitions depend on the day
        .map((object) => [`${object.kind} ${object.name}`, object.kind === 'grant' ? object.stored : hashesOf(object)]),
    );
  };
  for (const sql of migrations) await db.exec(sql);
  const plain = await read();
  for (const sql of test) await db.exec(sql);
  const tested = await read();
  await db.close();
  const changed = [...tested].filter(([key, value]) => plain.get(key) !== value).map(([key]) => key);
  return [
    '// Written by scripts/generate-sql.ts; do not edit.\n',
    '/** Kind and name of each object to the hashes of its stored and its written definition; of a grant, to its rights. */',
    'export const baseline: Readonly<Record<string, string>> = {',
    ...[...plain].map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},`),
    '};\n',
    '/** What the migrations for tests add or replace. */',
    `export const testObjects: readonly string[] = ${JSON.stringify(changed, undefined, 2)};\n`,
  ].join('\n');
}
