import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type CliClient, type CliIo, runCli } from '../cli.ts';

/** A project of a host in a folder of its own, and a package folder with models and a rollback script. */
export interface HostProject {
  readonly dir: string;
  /** What the last command printed, to both. */
  readonly said: string;
  run(...args: readonly string[]): Promise<number>;
  write(path: string, text: string): void;
  read(path: string): string;
  /** Every file, sorted, below the folder. */
  files(): readonly string[];
  setClock(at: string): void;
  remove(): void;
}

/** Opens one. */
export function hostProject(connect?: (url: string) => Promise<CliClient>): HostProject {
  const home = mkdtempSync(join(tmpdir(), 'medzen-host-'));
  const dir = join(home, 'project');
  mkdirSync(dir);
  mkdirSync(join(home, 'package/prisma'), { recursive: true });
  mkdirSync(join(home, 'package/rollback'), { recursive: true });
  writeFileSync(
    join(home, 'package/prisma/medzen.prisma'),
    'model MedzenConsent {\n  id String @id\n  @@schema("medzen")\n}\n',
  );
  for (const id of ['000001_foundation', '000002_audit'])
    writeFileSync(join(home, `package/rollback/${id}.sql`), `-- ${id}\nDROP TABLE medzen.x;\n`);
  let said: string[] = [];
  let now = new Date('2026-11-22T10:00:00Z');
  const io: CliIo = {
    cwd: dir,
    env: { DATABASE_URL: connect === undefined ? undefined : 'postgres://in.the.test' },
    packageDir: join(home, 'package'),
    now: () => now,
    print: (text) => said.push(text),
    complain: (text) => said.push(text),
    connect: (url) => (connect === undefined ? Promise.reject(new Error('no database in this test')) : connect(url)),
  };
  return {
    dir,
    get said() {
      return said.join('\n');
    },
    run(...args) {
      said = [];
      return runCli(args, io);
    },
    write(path, text) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
    },
    read: (path) => readFileSync(join(dir, path), 'utf8'),
    files: () =>
      readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
        .sort(),
    setClock(at) {
      now = new Date(at);
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}
