import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HostProject, hostProject } from './cli/host-project.fixture.ts';
import { byBytes } from './cli/host-tree.ts';
import { splitStatements } from './cli/statements.ts';
import { stampsAfter } from './cli/timestamps.ts';
import { migrations } from './migrations.generated.ts';

const ids = migrations.map(({ id }) => id);
const [first = '', second = ''] = ids;
const last = ids.at(-1) ?? '';

let host: HostProject;
beforeEach(() => {
  host = hostProject();
});
afterEach(() => host.remove());

/** Our ids in the order in which the tool would apply them. */
function order(folder: string): readonly string[] {
  return host
    .files()
    .filter((path) => path.startsWith(folder) && path.endsWith('.sql'))
    .toSorted(byBytes)
    .map((path) => /(\d{6}_[a-z_]+|medzen_test)(?:\/migration)?\.sql$/.exec(path)?.[1] ?? path);
}

describe('add', () => {
  test('writes every migration for Supabase, in order, and nothing the second time', async () => {
    expect(await host.run('add', '--target', 'supabase')).toBe(0);
    expect(order('supabase/migrations')).toEqual(ids);
    expect(host.files()[0]).toBe(`supabase/migrations/20261122100000_medzen_${first}.sql`);
    const before = host.files();
    host.setClock('2027-01-01T00:00:00Z');
    expect(await host.run('add', '--target', 'supabase')).toBe(0);
    expect(host.said).toContain('Nothing to add');
    expect(host.files()).toEqual(before);
  });

  test('writes plain files for psql, under the name that the host chose, each in a transaction, exactly as the package has them otherwise', async () => {
    expect(await host.run('add', '--target', 'psql', '--schema', 'clinic', '--dir', 'db')).toBe(0);
    expect(order('db')).toEqual(ids);
    expect(host.read(`db/${first}.sql`)).toContain('CREATE SCHEMA IF NOT EXISTS clinic;');
    expect(host.read(`db/${first}.sql`)).not.toMatch(/\bmedzen\b/);
    expect(await host.run('add', '--target', 'psql')).toBe(0);
    expect(host.read(`medzen/${second}.sql`)).toBe(`BEGIN;\n\n${migrations[1]?.sql}\nCOMMIT;\n`);
  });

  test('writes folders for Prisma, and the models beside the datasource under the name of the schema', async () => {
    host.write('prisma/schema/main.prisma', 'datasource db {\n  provider = "postgresql"\n}\n');
    host.write('prisma/migrations/0_init/migration.sql', 'SELECT 1;');
    expect(await host.run('add', '--target', 'prisma', '--schema', 'clinic')).toBe(0);
    expect(host.said).toContain('schemas = ["public", "clinic"]'); // without it, the models would be an error to Prisma
    expect(host.files()).not.toContain('prisma/schema/medzen.prisma');
    host.write(
      'prisma/schema/main.prisma',
      'datasource db {\n  provider = "postgresql"\n  schemas = ["public", "clinic"]\n}\n',
    );
    host.write('prisma/migrations/migration_lock.toml', 'provider = "postgresql"');
    expect(await host.run('add', '--target', 'prisma', '--schema', 'clinic')).toBe(0);
    expect(order('prisma/migrations').slice(1)).toEqual(ids);
    expect(host.read('prisma/schema/medzen.prisma')).toContain('@@schema("clinic")');
    expect(await host.run('add', '--target', 'prisma', '--schema', 'clinic')).toBe(0);
    host.write('prisma/schema/medzen.prisma', 'model Edited {}');
    expect(await host.run('add', '--target', 'prisma', '--schema', 'clinic')).toBe(2);
    expect(host.said).toContain('prisma/schema/medzen.prisma');
    expect(host.read('prisma/schema/medzen.prisma')).toBe('model Edited {}');
    expect(await host.run('check', '--target', 'prisma', '--schema', 'clinic')).toBe(1);
    expect(host.said).toContain("prisma/schema/medzen.prisma is another than this version's");
    rmSync(join(host.dir, 'prisma/schema/medzen.prisma'));
    expect(await host.run('check', '--dir', 'prisma/migrations', '--schema', 'clinic')).toBe(1);
    expect(host.said).toContain('prisma/schema/medzen.prisma is missing');
    expect(await host.run('add', '--target', 'prisma', '--schema', 'clinic')).toBe(0);
    host.write('prisma/schema/medzen.prisma', host.read('prisma/schema/medzen.prisma').replaceAll('\n', '\r\n'));
    expect(await host.run('check', '--target', 'prisma', '--schema', 'clinic')).toBe(0);
  });

  test('a newer version adds only what is new, after all that has come since', async () => {
    await host.run('add', '--target', 'supabase');
    for (const path of host.files()) if (!path.includes(first) && !path.includes(second)) rmSync(join(host.dir, path));
    host.write('supabase/migrations/20280101000000_of_a_colleague_whose_clock_runs_ahead.sql', 'SELECT 1;');
    expect(await host.run('add', '--target', 'supabase')).toBe(0);
    expect(order('supabase/migrations').filter((id) => ids.includes(id))).toEqual(ids);
    expect(host.files().at(-1)).toMatch(new RegExp(`^supabase/migrations/20280101\\d{6}_medzen_${last}\\.sql$`));
    expect(host.said.split('\n')).toHaveLength(ids.length - 2);
  });

  test('knows its own by what they write to the ledger, when a team has given a file another name', async () => {
    await host.run('add', '--target', 'supabase');
    const [path = ''] = host.files();
    renameSync(join(host.dir, path), join(host.dir, 'supabase/migrations/20200101000000_audit_log.sql'));
    expect(await host.run('add', '--target', 'supabase')).toBe(0);
    expect(host.said).toContain('Nothing to add');
  });

  test('names both files when two branches have added the same migration, and writes nothing', async () => {
    await host.run('add', '--target', 'supabase');
    const [path = ''] = host.files();
    host.write(`supabase/migrations/20261122110000_medzen_${first}.sql`, host.read(path));
    rmSync(join(host.dir, host.files().find((each) => each.includes(last)) ?? ''));
    const before = host.files();
    expect(await host.run('add', '--target', 'supabase')).toBe(2);
    expect(host.said).toContain(path.slice('supabase/migrations/'.length));
    expect(host.said).toContain(`20261122110000_medzen_${first}.sql`);
    expect(host.files()).toEqual(before);
  });

  test.each([
    ['its SQL', (text: string) => text.replace('CREATE TABLE', 'CREATE  TABLE')],
    ['its last lines', (text: string) => text.split('-- ---- trailer')[0] ?? ''],
    ['everything', () => ''],
  ])('never rewrites a file of which somebody changed %s', async (_what, change) => {
    await host.run('add', '--target', 'psql');
    const changed = change(host.read(`medzen/${second}.sql`));
    host.write(`medzen/${second}.sql`, changed);
    rmSync(join(host.dir, `medzen/${last}.sql`));
    expect(await host.run('add', '--target', 'psql')).toBe(2);
    expect(host.said).toContain(`${second}.sql`);
    expect(host.said).toContain('No files were written');
    expect(host.read(`medzen/${second}.sql`)).toBe(changed);
    expect(host.files()).not.toContain(`medzen/${last}.sql`);
  });

  test('takes a file that a checkout on Windows gave other line ends for what it is', async () => {
    await host.run('add', '--target', 'psql');
    host.write(`medzen/${second}.sql`, host.read(`medzen/${second}.sql`).replaceAll('\n', '\r\n'));
    expect(await host.run('add', '--target', 'psql')).toBe(0);
    expect(await host.run('check', '--target', 'psql')).toBe(0);
  });

  test('refuses a tree that installs into another schema', async () => {
    await host.run('add', '--target', 'psql', '--schema', 'clinic');
    expect(await host.run('add', '--target', 'psql')).toBe(2);
    expect(host.said).toContain('installs into the schema clinic, not medzen');
  });

  test('refuses a tree with a migration of a newer version, with the test clock unasked, or with a hole', async () => {
    await host.run('add', '--target', 'psql', '--test');
    expect(await host.run('add', '--target', 'psql', '--test')).toBe(0);
    expect(await host.run('add', '--target', 'psql')).toBe(2);
    expect(host.said).toContain('medzen_test');
    rmSync(join(host.dir, 'medzen/medzen_test.sql'));
    const line = `INSERT INTO medzen.migration (id, checksum, breaking) VALUES ('900000_later', '${'a'.repeat(64)}', false);\n`;
    host.write('medzen/900000_later.sql', line);
    expect(await host.run('add', '--target', 'psql')).toBe(2);
    expect(host.said).toContain('900000_later, which this version does not know');
    rmSync(join(host.dir, 'medzen/900000_later.sql'));
    rmSync(join(host.dir, `medzen/${second}.sql`));
    expect(await host.run('add', '--target', 'psql')).toBe(2);
    expect(host.said).toContain(`${second} is missing, but later ones are there`);
  });

  test('refuses names after which no timestamp can come', async () => {
    host.write('supabase/migrations/zz_last.sql', 'SELECT 1;');
    expect(await host.run('add', '--target', 'supabase')).toBe(2);
    expect(host.said).toContain('zz_last sorts after every timestamp');
    expect(() => stampsAfter(['99991231235955_x'], new Date('2026-11-22T10:00:00Z'), 5)).toThrow(/sorts after/);
  });

  test('says which file or folder could not be read or written', async () => {
    host.write('prisma/migrations', 'a file');
    expect(await host.run('add', '--target', 'prisma')).toBe(2);
    expect(host.said).toBe('medzen-sql: It could not be done (ENOTDIR: prisma/migrations)');
  });

  test('takes the role on that shall own the schema, and gives back the one it found', async () => {
    expect(await host.run('add', '--target', 'psql', '--owner', 'medzen_owner')).toBe(0);
    const lines = host.read(`medzen/${first}.sql`).trimEnd().split('\n');
    expect(lines[3]).toBe("SELECT pg_catalog.set_config('role', 'medzen_owner', false);");
    expect(lines.at(-3)).toBe(
      "SELECT pg_catalog.set_config('role', pg_catalog.current_setting('medzen.runner'), false);",
    );
    expect(await host.run('add', '--target', 'psql')).toBe(0); // a tree knows its owner by itself
    expect(await host.run('add', '--target', 'psql', '--owner', "x'; DROP")).toBe(2);
  });

  test('on trees of any age, what is added sorts after what is there and keeps its order', async () => {
    const name = fc.oneof(
      fc
        .date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
        .map((at) => `${at.toISOString().replace(/\D/g, '').slice(0, 14)}_x`),
      fc.stringMatching(/^2[0-9]{13}_[a-z]{1,5}$/),
      fc.constantFrom('0_init', '0001_start', '20269999999999_odd', '1700000000_unix'),
    );
    fc.assert(
      fc.property(fc.array(name, { maxLength: 8 }), fc.integer({ min: 1, max: 130 }), (names, count) => {
        const sorted = names.toSorted(byBytes);
        const stamps = stampsAfter(sorted, new Date('2026-11-22T23:59:30Z'), count);
        const all = [...sorted, ...stamps.map((stamp) => `${stamp}_medzen_a`)];
        expect(all.toSorted(byBytes)).toEqual(all);
        expect(new Set(stamps).size).toBe(count);
        expect(stamps.every((stamp) => /^\d{14}$/.test(stamp))).toBe(true);
      }),
    );
  });
});

describe('check of a tree', () => {
  test('finds what is missing, altered, doubled or out of order, and is well otherwise', async () => {
    expect(await host.run('check', '--target', 'supabase')).toBe(1);
    expect(host.said).toContain(`${first} is missing`);
    await host.run('add', '--target', 'supabase');
    expect(await host.run('check', '--dir', 'supabase/migrations')).toBe(0);
    const path = host.files().find((each) => each.includes(second)) ?? '';
    renameSync(join(host.dir, path), join(host.dir, `supabase/migrations/20300101000000_medzen_${second}.sql`));
    expect(await host.run('check', '--dir', 'supabase/migrations', '--json')).toBe(1);
    const { findings } = JSON.parse(host.said) as { findings: { message: string }[] };
    expect(findings.map(({ message }) => message)).toContainEqual(expect.stringContaining('belongs before it'));
    expect(await host.run('check', '--dir', 'nowhere')).toBe(2);
  });
});

describe('print', () => {
  test('prints the whole SQL, a part, one object, and what takes it back, last first', async () => {
    const alone = (sql = ''): string => `BEGIN;\n\n${sql.trimEnd()}\n\nCOMMIT;`;
    expect(await host.run('print')).toBe(0);
    expect(host.said).toBe(migrations.map(({ sql }) => alone(sql)).join('\n\n'));
    await host.run('print', '--from', last);
    expect(host.said).toBe(alone(migrations.at(-1)?.sql));
    await host.run('print', '--only', second);
    expect(host.said).toBe(alone(migrations[1]?.sql));
    // What supabase and prisma apply is in a transaction already.
    await host.run('print', '--target', 'prisma', '--only', second);
    expect(host.said).toBe(migrations[1]?.sql.trimEnd());
    await host.run('print', '--object', 'function:medzen.now', '--schema', 'clinic');
    expect(host.said).toMatch(/^CREATE OR REPLACE FUNCTION clinic\.now\(\) RETURNS timestamptz\n[^;]*;/);
    const printed = host.said;
    await host.run('print', '--object', 'function:clinic.now', '--schema', 'clinic');
    expect(host.said).toBe(printed);
    expect(await host.run('print', '--rollback', '--only', first, '--schema', 'clinic')).toBe(0);
    expect(host.said).toBe(alone('-- 000001_foundation\nDROP TABLE clinic.x;'));
    expect(await host.run('print', '--rollback', '--from', last)).toBe(2);
    expect(await host.run('print', '--from', '000099_none')).toBe(2);
  });
});

describe('the command line', () => {
  test.each([
    ['an unknown command', ['remove']],
    ['an unknown option', ['add', '--target', 'psql', '--force']],
    ['an option of another command', ['doctor', '--owner', 'x']],
    ['an argument too many', ['print', 'everything']],
    ['no target', ['add']],
    ['a target that does not exist', ['add', '--target', 'flyway']],
    ['a name that is no schema', ['add', '--target', 'psql', '--schema', 'a;b']],
    ['no address of a database', ['doctor']],
    ['nothing at all', []],
  ])('refuses %s with code 2, and writes nothing', async (_what, args) => {
    expect(await host.run(...args)).toBe(2);
    expect(host.said).not.toBe('');
    expect(host.files()).toEqual([]);
  });

  test.each([[['doctor', '--json']], [['check', '--json', '--dir', 'nowhere']]])(
    'says in JSON too why it could not look: %j',
    async (args) => {
      expect(await host.run(...args)).toBe(2);
      const [told = '', json = ''] = host.said.split('\n');
      expect(told).toBe(`medzen-sql: ${(JSON.parse(json) as { error: string }).error}`);
    },
  );

  test.each(['add', 'print', 'check', 'doctor'])('tells every option of %s', async (command) => {
    expect(await host.run(command, '--help')).toBe(0);
    expect(host.said).toContain(`medzen-sql ${command}`);
    expect(host.said).toContain('--schema');
  });
});

test('statements are told apart where quotes, dollar quotes and comments hold semicolons', () => {
  expect(splitStatements("SELECT ';', $$a;b$$; -- c;d\nSELECT 1; DO $x$ ; $$ ; $x$;")).toEqual([
    "SELECT ';', $$a;b$$",
    '-- c;d\nSELECT 1',
    'DO $x$ ; $$ ; $x$',
  ]);
  const atomic = 'CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END';
  expect(splitStatements(`${atomic}; SELECT 2`)).toEqual([atomic, 'SELECT 2']);
});
