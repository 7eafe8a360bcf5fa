import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { MedzenError } from '@medzen/core';

/** Which tool applies the files. */
type TargetName = 'supabase' | 'prisma' | 'psql';

/** How a tool lays out its migrations. All of them apply in the byte order of the names. */
export interface Target {
  readonly name: TargetName;
  /** Where its migrations are, unless the host says otherwise. */
  readonly dir: string;
  /** Whether names start with a timestamp; otherwise the id is the name. */
  readonly stamped: boolean;
  /** Whether it runs each file in a transaction by itself. */
  readonly wraps: boolean;
  /** The file's path below the folder. */
  path(name: string): string;
  /** The name, if a directory entry is a migration to the tool. */
  nameOf(entry: { readonly name: string; isDirectory(): boolean }): string | undefined;
}

const plain = { path: (name: string) => `${name}.sql`, nameOf: sqlName };

/** The three layouts. */
const targets: Readonly<Record<TargetName, Target>> = {
  supabase: { name: 'supabase', dir: 'supabase/migrations', stamped: true, wraps: true, ...plain },
  prisma: {
    name: 'prisma',
    dir: 'prisma/migrations',
    stamped: true,
    wraps: true,
    path: (name) => join(name, 'migration.sql'),
    nameOf: (entry) => (entry.isDirectory() ? entry.name : undefined),
  },
  psql: { name: 'psql', dir: 'medzen', stamped: false, wraps: false, ...plain },
};

function sqlName(entry: { readonly name: string; isDirectory(): boolean }): string | undefined {
  return !entry.isDirectory() && entry.name.endsWith('.sql') ? entry.name.slice(0, -'.sql'.length) : undefined;
}

/**
 * The layout that `--target` names.
 *
 * @throws MedzenError `invalid_configuration`
 */
export function targetNamed(name: string): Target {
  const target = Object.values(targets).find((each) => each.name === name);
  if (target === undefined) throw new MedzenError('invalid_configuration', '--target is one of supabase, prisma, psql');
  return target;
}

/** The layout of a folder that is there, by what stands in it: folders are Prisma's, timestamps Supabase's. */
export function targetOf(dir: string): Target {
  const entries = readdirSync(dir, { withFileTypes: true });
  if (entries.some((entry) => entry.isDirectory())) return targets.prisma;
  return entries.some(({ name }) => /^\d{14}_/.test(name)) ? targets.supabase : targets.psql;
}
