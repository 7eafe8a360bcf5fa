import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root: string = fileURLToPath(new URL('..', import.meta.url));
/** The binary itself: the script in `.bin` would outlive a signal that ends only itself. */
export const deno: string = join(root, 'node_modules/deno/deno');

/** A function of `supabase/functions` that runs in a Deno of its own, as Supabase runs each in an isolate. */
export interface RunningFunction {
  /** Where it listens: its path begins with the function's name, as Supabase hands it on. */
  readonly url: string;
  /** What it wrote, for a test that fails. */
  log(): string;
  stop(): Promise<void>;
}

/** Starts one. @throws Error with what Deno wrote, when it ends before it listens */
export async function runFunction(name: string, env: Readonly<Record<string, string>>): Promise<RunningFunction> {
  const file = join(root, 'supabase/functions', name, 'index.ts');
  const child = spawn(deno, ['run', '--no-prompt', '--allow-net=127.0.0.1,0.0.0.0', '--allow-env', file], {
    cwd: root,
    env: {
      PATH: process.env.PATH ?? '',
      DENO_DIR: join(tmpdir(), 'medzen-deno'),
      DENO_NO_UPDATE_CHECK: '1',
      NO_COLOR: '1',
      DENO_SERVE_ADDRESS: 'tcp:127.0.0.1:0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const url = await new Promise<string>((resolve, reject) => {
    const note = (chunk: Buffer): void => {
      log += chunk.toString();
      const [, port] = /Listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(log) ?? [];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    };
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`Deno ended with ${code}:\n${log}`)));
  });
  return { url, log: () => log, stop: () => ended(child) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exit;
}
