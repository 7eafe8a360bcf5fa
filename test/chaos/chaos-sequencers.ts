import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Sequencers in processes of their own, which can be killed. */
export interface ChaosSequencers {
  /** Kills one that is at work, with SIGKILL, after a wait; another takes its place. @returns what it was about to do */
  kill(pick: number, afterMs: number): Promise<string>;
  /** What went wrong with one that nobody killed. */
  readonly ended: readonly string[];
  /** Kills them all. */
  stop(): Promise<void>;
}

interface Running {
  readonly child: ChildProcess;
  /** What it said last; undefined until it is at work. */
  doing: string | undefined;
}

/** @param args - of `sequencer-process.ts` */
export function startSequencers(count: number, args: readonly string[]): ChaosSequencers {
  const ended: string[] = [];
  const killed = new Set<ChildProcess>();
  const start = (): Running => {
    const path = fileURLToPath(new URL('./sequencer-process.ts', import.meta.url));
    const child = fork(path, [...args], { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    const one: Running = { child, doing: undefined };
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
    });
    child.on('message', (message) => {
      one.doing = String(message);
    });
    child.on('error', (error) => ended.push(error.message));
    child.once('exit', (code, signal) => {
      if (!killed.has(child)) ended.push(`a sequencer ended by itself: ${signal ?? code} ${said}`);
    });
    return one;
  };
  const end = async ({ child }: Running): Promise<void> => {
    killed.add(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  const running = Array.from({ length: count }, start);
  return {
    ended,
    kill: async (pick, afterMs) => {
      const place = Math.min(count - 1, Math.floor(pick * count));
      const chosen = running[place];
      if (chosen === undefined) throw new Error('There is no sequencer to kill');
      while (chosen.doing === undefined && ended.length === 0) await sleep(2);
      await sleep(afterMs);
      const doing = chosen.doing ?? 'starting';
      await end(chosen);
      running[place] = start();
      return doing;
    },
    stop: async () => {
      await Promise.all(running.map(end));
    },
  };
}
