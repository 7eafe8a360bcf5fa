import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { installSql, underSchema } from '../packages/sql/src/index.ts';
import { migrations, testMigrations } from '../packages/sql/src/migrations.generated.ts';
import { schemaText } from '../scripts/schema-text.ts';
import { type FreshDatabase, freshDatabase } from './postgres.ts';

const folder: string = join(import.meta.dirname, '..', 'packages', 'sql', 'rollback');
const rollback = (id: string): string => readFileSync(join(folder, `${id}.sql`), 'utf8');
const all = [...migrations, ...testMigrations];

const open: FreshDatabase[] = [];
async function database(options: Parameters<typeof freshDatabase>[0]): Promise<FreshDatabase> {
  const db = await freshDatabase(options);
  open.push(db);
  return db;
}
afterAll(() => Promise.all(open.map((db) => db.drop())));

/** Everything that a migration may have left behind: catalog, ledger, permissions; and that other schemas stay as they were. */
async function state(client: pg.Client, schema: string): Promise<string> {
  const { rows: schemas } = await client.query(
    "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' ORDER BY nspname",
  );
  const names = schemas.map(({ nspname }) => String(nspname));
  if (!names.includes(schema)) return names.join();
  const { rows: ledger } = await client.query(`SELECT id, checksum FROM ${schema}.migration ORDER BY id`);
  const { rows: permissions } = await client.query(`SELECT p::text FROM ${schema}.permission p ORDER BY 1`);
  return [names.join(), await schemaText(client, schema), JSON.stringify(ledger), JSON.stringify(permissions)].join(
    '\n',
  );
}

describe('rollback', () => {
  test('has one script for each migration, and none besides', () => {
    const scripts = readdirSync(folder).filter((name) => name.endsWith('.sql'));
    expect(scripts.sort()).toEqual(all.map(({ id }) => `${id}.sql`).sort());
  });

  test.each(['medzen', 'clinic_log'])(
    'of each migration leaves what was there before it, in a schema named %s',
    async (schema) => {
      const client = await (await database({ install: false })).connect();
      const before: string[] = [];
      for (const { sql } of all) {
        before.push(await state(client, schema));
        await client.query(underSchema(sql, schema));
      }
      const full = await state(client, schema);
      for (const { id } of all.toReversed()) {
        await client.query(`BEGIN; ${underSchema(rollback(id), schema)}; COMMIT`);
        expect(await state(client, schema), id).toBe(before.pop());
      }
      await installSql(client, { schema, test: true });
      expect(await state(client, schema), 'installed again').toBe(full);
    },
  );

  test('is refused unless the migration is the last one', async () => {
    const client = await (await database({})).connect();
    const before = await state(client, 'medzen');
    for (const { id } of migrations.slice(0, -1)) {
      await expect(client.query(rollback(id)), id).rejects.toMatchObject({ code: 'MZ009' });
    }
    expect(await state(client, 'medzen')).toBe(before);
  });

  test('that would lose data is refused and says what, unless the person said so', async () => {
    const client = await (await database({})).connect();
    await client.query(`
      SELECT medzen.record_event('note.view', 'read');
      INSERT INTO medzen.consent_session (tenant, session_id) VALUES ('t', 's');
      INSERT INTO medzen.consent SELECT 't', gen_random_uuid(), 's', n, 'p', 'given', true, true, true, true, '1',
        repeat('0', 64), 'en', 'click', NULL, NULL, NULL, now() FROM generate_series(1, 2) n;
      INSERT INTO medzen.retention_subject (tenant, patient) VALUES ('t', 'p');
      INSERT INTO medzen.retention_fact VALUES ('t', gen_random_uuid(), 'p', 1, 'birth', '2000-01-01', 'UTC')`);
    const refusals: string[] = [];
    for (const { id } of migrations.toReversed()) {
      await client.query(rollback(id)).catch(async (error: { code?: string; message: string }) => {
        expect(error.code, error.message).toBe('MZ004');
        refusals.push(error.message.replace(/\..*/, ''));
        const { rows } = await client.query('SELECT max(id) AS last FROM medzen.migration');
        expect(rows).toEqual([{ last: id }]);
        await client.query(`BEGIN; SET LOCAL medzen.rollback = 'lose data'; ${rollback(id)}; COMMIT`);
      });
    }
    expect(refusals).toEqual([
      'Undoing 000007_retention would lose retention_fact (1 rows)',
      'Undoing 000005_recording would lose retention_subject (1 rows)',
      'Undoing 000004_consent would lose consent (2 rows)',
      'Undoing 000002_audit would lose audit_event (1 rows)',
    ]);
  });
});
