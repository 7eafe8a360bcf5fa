import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MedzenError } from '@medzen/core';

/** Where Prisma's models of our tables go, and what they say. */
export interface PrismaModels {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

/**
 * The file `medzen.prisma` for the host's multi-file schema: beside the file that names the datasource, which is where Prisma looks for
 * the others.
 *
 * @param packageDir - of @medzen/sql
 * @param migrations - folder of the host's migrations, absolute
 * @throws MedzenError `invalid_configuration` when this package was built without the models
 */
export function prismaModels(packageDir: string, migrations: string, schema: string): PrismaModels {
  const source = join(packageDir, 'prisma', 'medzen.prisma');
  if (!existsSync(source))
    throw new MedzenError('invalid_configuration', 'prisma/medzen.prisma is not in this package');
  const text = readFileSync(source, 'utf8').replace(/@@schema\("medzen(_api)?"\)/g, `@@schema("${schema}$1")`);
  return { path: join(schemaFolder(dirname(migrations)), 'medzen.prisma'), text };
}

/** The folder with the datasource, `prisma` itself or one below it. */
function schemaFolder(prisma: string): string {
  const below = existsSync(prisma)
    ? readdirSync(prisma, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    : [];
  const folders = [prisma, ...below.map(({ name }) => join(prisma, name)).sort()];
  return folders.find(hasDatasource) ?? prisma;
}

function hasDatasource(folder: string): boolean {
  if (!existsSync(folder)) return false;
  return readdirSync(folder)
    .filter((name) => name.endsWith('.prisma'))
    .some((name) => /^\s*datasource\s+\w+\s*\{/m.test(readFileSync(join(folder, name), 'utf8')));
}
