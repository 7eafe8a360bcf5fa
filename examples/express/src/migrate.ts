import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { installSql } from '@medzen/sql';
import { readConfig } from './config.ts';
import { openDatabase } from './database.ts';
import { startFailure } from './start-failure.ts';

/** Applies the migrations that the database lacks. A step of the deployment, never of the running service. */
async function migrate(dataDir: string): Promise<void> {
  mkdirSync(dataDir, { recursive: true });
  const database = await openDatabase(join(dataDir, 'db'));
  try {
    const applied = await installSql(database.db);
    console.log(applied.length === 0 ? 'Nothing to do' : `Applied ${applied.join(', ')}`);
  } finally {
    await database.close();
  }
}

try {
  await migrate(readConfig(process.env).dataDir);
} catch (error) {
  console.error(startFailure(error));
  process.exitCode = 1;
}
