/**
 * Runs the suites whose verdict could hang on time, ten times unless told otherwise, while every processor is kept busy, and says for each file how often it passed.
 * One failure is a defect, of the code or of the test.
 *
 *   node scripts/flaky.ts [--short] [--rounds n] [file…]
 *
 * `--short` leaves out what takes long alone and repeats the rest for at most five minutes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './stage.ts';
import { timingFiles, timingSuites } from './timing-suites.ts';

/** What vitest's JSON reporter writes, as far as it is read here. */
interface Results {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/** What became of one file, over all rounds. */
interface Tally {
  runs: number;
  passed: number;
  failed: number;
  slowest: number;
}

const shortSeconds = 290;
const { values, positionals } = parseArgs({
  options: { short: { type: 'boolean' }, rounds: { type: 'string', default: '10' } },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds >= 1)) throw new Error('--rounds must be a whole number from 1 on');
const suites = values.short === true ? timingSuites.filter(({ long }) => long !== true) : timingSuites;
const files = positionals.length > 0 ? positionals : timingFiles(suites);
const folder = join(root, '.tmp/flaky');
const start = performance.now();
const elapsed = (): number => (performance.now() - start) / 1000;

/** Keeps a processor busy until this process ends, however it ends. */
const burn = `process.stdin.on('end', () => process.exit()).resume();
(function spin() { const until = performance.now() + 50; while (performance.now() < until); setImmediate(spin); })();`;

const tallies = new Map<string, Tally>(files.map((file) => [file, { runs: 0, passed: 0, failed: 0, slowest: 0 }]));
const faults: string[] = [];

function fault(round: number, file: string, what: string): void {
  faults.push(`round ${round}: ${file}${what === '' ? '' : `\n${what.slice(0, 3000).replaceAll(/^/gm, '    ')}`}`);
}

/** Runs all files once; the seconds it took. */
async function runRound(round: number, limitSeconds: number): Promise<number> {
  const began = elapsed();
  const path = join(folder, `round-${round}.json`);
  const child = spawn('vitest', ['run', ...files], {
    cwd: root,
    env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH ?? ''}`, TEST_RESULTS: path },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, so that its workers end with it
  });
  const end = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      end();
      process.exit(130);
    });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  let cut = false;
  const timer = setTimeout(() => {
    cut = true;
    end();
  }, limitSeconds * 1000);
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  clearTimeout(timer);
  for (const signal of ['SIGINT', 'SIGTERM']) process.removeAllListeners(signal);
  const before = faults.length;
  if (existsSync(path))
    count(round, JSON.parse(readFileSync(path, 'utf8')) as Results); // written by our own run
  else fault(round, 'no results', cut ? `cut off after ${limitSeconds.toFixed(0)} s` : said.slice(-3000));
  if (code !== 0 && !cut && faults.length === before)
    fault(round, 'an error that no test waited for', said.slice(-3000));
  return elapsed() - began;
}

function count(round: number, { testResults }: Results): void {
  for (const { name, status, message, startTime, endTime, assertionResults } of testResults) {
    const file = relative(root, name);
    const tally = tallies.get(file) ?? { runs: 0, passed: 0, failed: 0, slowest: 0 };
    tallies.set(file, tally);
    const failures = assertionResults.filter((test) => test.status === 'failed');
    tally.runs++;
    tally.passed += assertionResults.filter((test) => test.status === 'passed').length;
    tally.failed += failures.length + (status === 'failed' && failures.length === 0 ? 1 : 0);
    tally.slowest = Math.max(tally.slowest, (endTime - startTime) / 1000);
    for (const { fullName, failureMessages = [] } of failures)
      fault(round, `${file} › ${fullName}`, failureMessages.join('\n'));
    if (status === 'failed' && failures.length === 0) fault(round, file, message ?? '');
  }
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const load: readonly ChildProcess[] = Array.from({ length: availableParallelism() }, () =>
  spawn(process.execPath, ['-e', burn], { stdio: ['pipe', 'ignore', 'ignore'] }),
);
console.log(`${files.length} files, while ${load.length} processes spin`);
let done = 0;
try {
  for (let longest = 0; done < rounds; ) {
    if (values.short === true && done > 0 && elapsed() + longest * 1.2 > shortSeconds) break;
    const seconds = await runRound(done + 1, values.short === true ? shortSeconds - elapsed() : 3600);
    longest = Math.max(longest, seconds);
    done++;
    console.log(`round ${done}: ${seconds.toFixed(0)} s, ${faults.length} failures so far`);
  }
} finally {
  for (const child of load) child.stdin?.end();
}

const width = Math.max(...[...tallies.keys()].map(({ length }) => length));
for (const [file, { runs, passed, failed, slowest }] of tallies) {
  if (runs < done) fault(done, file, `ran ${runs} times in ${done} rounds`);
  console.log(
    `  ${file.padEnd(width)}  ${runs} runs  ${passed} passed  ${failed} failed  slowest ${slowest.toFixed(1)} s`,
  );
}
for (const one of faults) console.log(`FAIL  ${one}`);
const passed = [...tallies.values()].reduce((sum, tally) => sum + tally.passed, 0);
console.log(`flaky: ${done} rounds in ${elapsed().toFixed(0)} s; ${passed} passed, ${faults.length} failed`);
process.exitCode = faults.length === 0 && done > 0 ? 0 : 1;
