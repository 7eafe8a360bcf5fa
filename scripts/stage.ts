import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root: string = fileURLToPath(new URL('..', import.meta.url));

/** One step of `check`: a name and what must hold. */
export interface Stage {
  readonly name: string;
  run(): Promise<void>;
}

/**
 * Runs a command in the repository and rejects with all that it printed unless it exits with 0.
 *
 * @param command - a binary of node_modules/.bin, or on the PATH
 */
export function command(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH ?? ''}`, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${args.join(' ')} exited with ${code}\n${output}`));
    });
  });
}

/** Runs the stages in order, prints each with its seconds, and says how many passed and failed. One failure stops none of the others. */
export async function runStages(stages: readonly Stage[]): Promise<{ passed: number; failed: number }> {
  let passed = 0;
  let failed = 0;
  for (const stage of stages) {
    const start = performance.now();
    try {
      await stage.run();
      passed++;
      console.log(`  ok    ${stage.name} (${seconds(start)})`);
    } catch (error) {
      failed++;
      console.log(
        `  FAIL  ${stage.name} (${seconds(start)})\n${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  return { passed, failed };
}

function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
