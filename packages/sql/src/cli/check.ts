import { existsSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { MedzenError } from '@medzen/core';
import { readLedger } from '../install-sql.ts';
import { compareLedger } from '../ledger.ts';
import type { Migration } from '../migration.ts';
import { checkedSchema } from '../schema-name.ts';
import type { SqlClient } from '../sql-client.ts';
import { type Fault, readTree } from './host-tree.ts';
import type { CliIo } from './io.ts';
import { type PrismaModels, prismaModels } from './prisma-models.ts';
import { targetNamed, targetOf } from './target.ts';

/** What a tree lacks or has otherwise than this version would write it. */
export function checkTree(
  options: { readonly dir: string | undefined; readonly target: string | undefined; readonly schema: string },
  known: readonly Migration[],
  io: CliIo,
): readonly Fault[] {
  const named = options.target === undefined ? undefined : targetNamed(options.target);
  const dir = resolve(io.cwd, options.dir ?? named?.dir ?? '.');
  const target = named ?? existing(dir);
  const schema = checkedSchema(options.schema);
  const tree = readTree(dir, target, known, { schema, owner: undefined, transaction: !target.wraps });
  const present = new Set(tree.ours.map(({ id }) => id));
  const missing = known.filter(({ id }) => !present.has(id));
  return [
    ...tree.faults,
    ...missing.map(({ id }) => ({
      message: `${id} is missing`,
      remedy: `npx medzen-sql add --target ${target.name}`,
    })),
    ...(target.name === 'prisma' ? modelFaults(prismaModels(io.packageDir, dir, schema), io) : []),
  ];
}

function existing(dir: string): ReturnType<typeof targetOf> {
  try {
    return targetOf(dir);
  } catch (cause) {
    throw new MedzenError('invalid_configuration', 'The folder that --dir names cannot be read', { cause });
  }
}

/** What is wrong with the models that were written for Prisma, or should have been. */
export function modelFaults({ path, text, named }: PrismaModels, io: CliIo): readonly Fault[] {
  const file = relative(io.cwd, path);
  const add = 'npx medzen-sql add --target prisma';
  if (!existsSync(path)) return named ? [{ message: `${file} is missing`, remedy: add }] : [];
  if (readFileSync(path, 'utf8').replaceAll('\r\n', '\n') === text) return [];
  return [
    {
      message: `${file} is another than this version's`,
      remedy: `Delete it, if it is as an earlier version wrote it, then ${add}`,
    },
  ];
}

/** What a database's ledger lacks or has from another text. */
export async function checkLedger(
  client: SqlClient,
  schema: string,
  known: readonly Migration[],
): Promise<readonly Fault[]> {
  const report = compareLedger(await readLedger(client, schema), known);
  const clock = report.testClock && !known.some(({ id }) => id === 'medzen_test');
  return [
    ...report.missing.map((id) => ({
      message: `The database lacks migration ${id}`,
      remedy: 'Apply it: npx medzen-sql add writes it into your tree',
    })),
    ...report.drifted.map((id) => ({
      message: `Migration ${id} was applied from another text than this version's`,
      remedy: 'npx medzen-sql doctor shows what differs',
    })),
    ...report.tooNew.map((id) => ({
      message: `The database has migration ${id}, which needs a newer @medzen/sql`,
      remedy: 'npm install @medzen/sql@latest',
    })),
    ...(clock
      ? [{ message: 'The clock for tests is installed', remedy: 'npx medzen-sql doctor tells how to take it out' }]
      : []),
  ];
}
