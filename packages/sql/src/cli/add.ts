import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { MedzenError } from '@medzen/core';
import type { Migration } from '../migration.ts';
import { checkedSchema } from '../schema-name.ts';
import { modelFaults } from './check.ts';
import { checkedRole, fileText } from './file-text.ts';
import { type Fault, readTree } from './host-tree.ts';
import type { CliIo } from './io.ts';
import { prismaModels } from './prisma-models.ts';
import { targetNamed } from './target.ts';
import { stampsAfter } from './timestamps.ts';

/** Options of `add`. */
export interface AddOptions {
  readonly target: string;
  readonly dir: string | undefined;
  readonly schema: string;
  readonly owner: string | undefined;
}

/**
 * Writes the migrations that the host's tree lacks. Everything is looked at before anything is written: a tree with a fault is left as
 * it is. No file that is there is ever written to.
 *
 * @param known - the migrations that the tree should have, in order
 * @returns the files written, relative to the current folder
 * @throws MedzenError `conflict`, its message naming every file at fault
 */
export function add(options: AddOptions, known: readonly Migration[], io: CliIo): readonly string[] {
  const target = targetNamed(options.target);
  const dir = resolve(io.cwd, options.dir ?? target.dir);
  const text = {
    schema: checkedSchema(options.schema),
    owner: options.owner === undefined ? undefined : checkedRole(options.owner),
    transaction: !target.wraps,
  };
  const tree = readTree(dir, target, known, text);
  const present = new Set(tree.ours.map(({ id }) => id));
  const lacking = known.filter(({ id }) => !present.has(id));
  const models = target.name === 'prisma' ? prismaModels(io.packageDir, dir, text.schema) : undefined;
  const writesModels = models?.named === true && !existsSync(models.path);
  const faults: Fault[] = [...tree.faults, ...gaps(lacking, known, present)];
  if (models !== undefined && !writesModels) faults.push(...modelFaults(models, io));
  if (faults.length > 0)
    throw new MedzenError('conflict', `No files were written:\n${faults.map(faultLine).join('\n')}`);

  const stamps = target.stamped ? stampsAfter(tree.names, io.now(), lacking.length) : [];
  const files = lacking.map((migration, at): [path: string, text: string] => {
    const name = target.stamped ? `${stamps[at]}_medzen_${migration.id}` : migration.id;
    return [join(dir, target.path(name)), fileText(migration, text)];
  });
  if (models !== undefined && writesModels) files.push([models.path, models.text]);
  for (const [path, content] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { flag: 'wx' }); // never over a file that came in the meantime
  }
  if (models?.named === false)
    io.complain(
      `To read these tables with Prisma, put schemas = ["public", "${text.schema}"] into the datasource, and run this again for medzen.prisma.`,
    );
  return files.map(([path]) => relative(io.cwd, path));
}

/** One that is missing before one that is there cannot be added: it would be applied after it. */
function gaps(
  lacking: readonly Migration[],
  known: readonly Migration[],
  present: ReadonlySet<string>,
): readonly Fault[] {
  const last = known.findLastIndex(({ id }) => present.has(id) && id !== 'medzen_test');
  return lacking
    .filter((migration) => known.indexOf(migration) < last)
    .map(({ id }) => ({
      message: `${id} is missing, but later ones are there`,
      remedy: 'Restore it from version control, or give its file a name of ours again',
    }));
}

/** A fault and its remedy, as they are printed. */
export function faultLine({ message, remedy }: Fault): string {
  return `- ${message}\n  ${remedy}`;
}
