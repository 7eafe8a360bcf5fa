import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Package, packages } from './packages.ts';
import { command, root } from './stage.ts';

const tarballs: string = join(root, '.tmp/tarballs');

/** Builds and packs every package as it would be published; the tarballs stay for the checks after it. */
export async function packAll(): Promise<void> {
  rmSync(tarballs, { recursive: true, force: true });
  mkdirSync(tarballs, { recursive: true });
  for (const { dir } of packages()) {
    await command('tsup', ['--config', '../../tsup.config.ts'], { cwd: dir });
    await command('pnpm', ['pack', '--pack-destination', tarballs], { cwd: dir });
  }
}

/** What publint and attw say of the packed tarball of one package. */
export async function lintTarball(name: string): Promise<void> {
  const tarball = tarballOf(name);
  await command('publint', ['run', tarball, '--strict']);
  await command('attw', ['--profile', 'esm-only', tarball]);
}

/**
 * Installs the tarballs in an empty folder, as a user would, and imports every entry of every package from `dist`.
 */
export async function importFromTarballs(): Promise<void> {
  const dir = join(root, '.tmp/install');
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const all: readonly Package[] = packages();
  const entries = all.flatMap(({ name, exports }) => Object.keys(exports).map((key) => name + key.slice(1)));
  const peers = ['@aws-sdk/client-s3'];
  await command('npm', ['init', '-y'], { cwd: dir });
  const files = all.map(({ name }) => tarballOf(name));
  await command('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...files, ...peers], { cwd: dir });
  const program = `for (const entry of ${JSON.stringify(entries)}) {
    const module = await import(entry);
    if (Object.keys(module).length === 0) throw new Error(entry + ' exports nothing');
  }`;
  await command('node', ['--input-type=module', '--no-experimental-strip-types', '-e', program], { cwd: dir });
}

/**
 * Runs the command line of the packed @medzen/sql in the folder where the tarballs are installed, by the name that npx looks for: it
 * prints all the SQL, writes the files of every target, and knows them again.
 */
export async function runSqlFromTarball(): Promise<void> {
  const dir = join(root, '.tmp/install');
  const cli = (...args: readonly string[]): Promise<string> =>
    command('npx', ['--no-install', 'medzen-sql', ...args], { cwd: dir });
  const printed = await cli('print');
  const files = readdirSync(join(root, 'packages/sql/migrations')).filter((name) => name.endsWith('.sql'));
  for (const file of files)
    if (!printed.includes(`VALUES ('${file.slice(0, -'.sql'.length)}'`)) throw new Error(`print leaves out ${file}`);
  await cli('print', '--rollback');
  for (const target of ['psql', 'supabase', 'prisma']) {
    await cli('add', '--target', target);
    await cli('check', '--target', target);
  }
  await cli('doctor').then(
    () => Promise.reject(new Error('doctor needs a database and did not say so')),
    (error: unknown) => {
      if (!String(error).includes('DATABASE_URL is not set')) throw error;
    },
  );
}

/** Publishes a log with the packed @medzen/audit, and verifies its files with the packed `medzen-verify`. */
export async function runVerifyFromTarball(): Promise<void> {
  const dir = join(root, '.tmp/install');
  const program = `
    import { memoryStores } from '@medzen/adapters-local';
    import { createAuditLog, createSequencer, createSigner, publishLog } from '@medzen/audit';
    import { directoryTiles } from '@medzen/audit/node';
    const { audit: store, log } = memoryStores();
    const facts = { action: 'config.change', kind: 'update', outcome: 'success', actor: { id: 'ci', type: 'service' }, source: {} };
    await createAuditLog({ store }).record(facts, { scope: { tenant: 'default' } });
    const signer = createSigner({ origin: 'ci.example/audit', privateKey: new Uint8Array(32).fill(5) });
    await createSequencer({ memory: 'unguarded', store: log, signer }).tick();
    await publishLog({ store: log, target: directoryTiles('published'), entries: true });
    process.stdout.write(signer.verifierKey);`;
  const key = await command('node', ['--input-type=module', '--no-experimental-strip-types', '-e', program], {
    cwd: dir,
  });
  const said = await command('npx', ['--no-install', 'medzen-verify', '--key', key.trim(), 'published'], { cwd: dir });
  if (!said.includes('the one entry is the one that was signed')) throw new Error(`medzen-verify says: ${said}`);
}

function tarballOf(name: string): string {
  const prefix = `${name.replace('@', '').replace('/', '-')}-`;
  const file = readdirSync(tarballs).find(
    (entry) => entry.startsWith(prefix) && /^\d/.test(entry.slice(prefix.length)),
  );
  if (file === undefined) throw new Error(`No tarball of ${name}`);
  return join(tarballs, file);
}
