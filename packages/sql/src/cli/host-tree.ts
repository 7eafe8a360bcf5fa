import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Migration } from '../migration.ts';
import { fileText, type TextOptions } from './file-text.ts';
import type { Target } from './target.ts';
import { readTrailers } from './trailer.ts';

/** A migration of medzen in your application's tree. */
interface OurFile {
  readonly id: string;
  /** Below the folder of migrations. */
  readonly path: string;
}

/** A fault of the tree, with its remedy. */
export interface Fault {
  readonly message: string;
  readonly remedy: string;
}

/** What a folder of migrations holds. */
export interface HostTree {
  /** Names in the order in which the tool applies them. */
  readonly names: readonly string[];
  /** Ours, in that order. */
  readonly ours: readonly OurFile[];
  readonly faults: readonly Fault[];
}

/**
 * Reads a folder of migrations and compares what is ours with what this version would write. A file is ours when its name holds one of
 * our ids or its text writes one to the ledger, whatever its timestamp.
 *
 * @param dir - absolute; need not exist
 * @param known - the migrations of this library, in order
 */
export function readTree(dir: string, target: Target, known: readonly Migration[], options: TextOptions): HostTree {
  const entries = existsSync(dir) ? readdirSync(dir, { withFileTypes: true }) : [];
  const names = entries.flatMap((entry) => target.nameOf(entry) ?? []).sort(byBytes);
  const ours: OurFile[] = [];
  const faults: Fault[] = [];
  for (const name of names) {
    const path = target.path(name);
    if (!existsSync(join(dir, path))) continue; // a folder without a migration is nothing to Prisma either
    const text = readFileSync(join(dir, path), 'utf8').replaceAll('\r\n', '\n'); // as a checkout on Windows has it
    const trailers = readTrailers(text);
    const named = known.find(({ id }) => name === id || name.endsWith(`_medzen_${id}`));
    const ids = new Set([...(named === undefined ? [] : [named.id]), ...trailers.map(({ id }) => id)]);
    for (const id of ids) ours.push({ id, path });
    const fault = [...ids].map((id) => faultOf({ id, path, text, target }, known, options)).find((each) => each);
    if (fault !== undefined) faults.push(fault);
  }
  return { names, ours, faults: [...faults, ...twice(ours), ...outOfOrder(ours, known)] };
}

function faultOf(
  file: { readonly id: string; readonly path: string; readonly text: string; readonly target: Target },
  known: readonly Migration[],
  options: TextOptions,
): Fault | undefined {
  const { id, path, text, target } = file;
  const migration = known.find((each) => each.id === id);
  if (migration === undefined)
    return {
      message: `${path} is migration ${id}, which this version does not know`,
      remedy: id === 'medzen_test' ? 'Say --test, if this tree is of a test' : 'Install a newer @medzen/sql',
    };
  const other = readTrailers(text).find(({ schema }) => schema !== options.schema);
  if (other !== undefined)
    return {
      message: `${path} installs into the schema ${other.schema}, not ${options.schema}`,
      remedy: `Say --schema ${other.schema}; one tree installs into one schema`,
    };
  if (text === fileText(migration, options)) return undefined;
  if (text === fileText(migration, { ...options, owner: ownerIn(text) })) return undefined; // whoever is to own it: the same SQL
  return {
    message: `${path} is not migration ${id} as this version has it`,
    remedy: `Restore it from version control; what it should be: npx medzen-sql print --target ${target.name} --only ${id}`,
  };
}

function ownerIn(text: string): string | undefined {
  return /^SELECT pg_catalog\.set_config\('role', '([a-z_][a-z0-9_]*)', false\);$/m.exec(text)?.[1];
}

function twice(ours: readonly OurFile[]): readonly Fault[] {
  return ours.flatMap(({ id, path }, at) => {
    const first = ours.slice(0, at).find((each) => each.id === id);
    if (first === undefined) return [];
    return {
      message: `${id} is there twice: ${first.path} and ${path}`,
      remedy: 'Delete the one that no database has applied yet (two branches have added it)',
    };
  });
}

function outOfOrder(ours: readonly OurFile[], known: readonly Migration[]): readonly Fault[] {
  const wanted = known.map(({ id }) => id).filter((id) => id !== 'medzen_test');
  const present = ours.filter(({ id }) => wanted.includes(id));
  return present.flatMap(({ id, path }, at) => {
    const later = present.slice(0, at).find((each) => wanted.indexOf(each.id) > wanted.indexOf(id));
    if (later === undefined) return [];
    return {
      message: `${path} is applied after ${later.path}, but belongs before it`,
      remedy: `Rename it so that its name sorts before ${later.path}`,
    };
  });
}

/** As file systems and the tools compare names: by bytes, not by a language. */
export function byBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}
