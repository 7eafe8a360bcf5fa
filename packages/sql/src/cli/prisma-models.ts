import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MedzenError } from '@medzen/core';
import { underSchema } from '../schema-name.ts';

/** Where Prisma's models of our tables go, and what they say. */
export interface PrismaModels {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  /** Whether the host's datasource names our schema: only then are the models no error to Prisma, and then it needs them. */
  readonly named: boolean;
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
  const text = underSchema(readFileSync(source, 'utf8'), schema);
  const folder = schemaFolder(dirname(migrations));
  return { path: join(folder, 'medzen.prisma'), text, named: datasources(folder).some((each) => names(each, schema)) };
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
  return datasources(folder).length > 0;
}

/** The datasource blocks of the files in a folder. */
function datasources(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith('.prisma'));
  return files.flatMap(
    (name) => readFileSync(join(folder, name), 'utf8').match(/^\s*datasource\s+\w+\s*\{[^}]*\}/gm) ?? [],
  );
}

function names(datasource: string, schema: string): boolean {
  const list = /^\s*schemas\s*=\s*\[([^\]]*)\]/m.exec(datasource)?.[1] ?? '';
  return list.includes(`"${schema}"`);
}
