import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** What tells a process from every other one that may come to the same volume: in a container each of them is number 1. */
export interface ProcessIdentity {
  /** Within which its number means something: this boot of the machine and its pid namespace, or the machine's name where there is no such thing. */
  readonly place: string;
  readonly pid: number;
  /** When it began, as its system counts; empty where that cannot be known. */
  readonly start: string;
}

/** This process. Threads of it are the same one. */
export function thisProcess(): ProcessIdentity {
  return { place: placeOf(), pid: process.pid, start: startOf(process.pid) ?? '' };
}

/**
 * What can be said of another process from here.
 *
 * @returns `unknown` of one in another place, and of one whose number is taken by nobody knows whom
 */
export function fateOf(other: ProcessIdentity, here: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (other.place !== here.place || !Number.isInteger(other.pid) || other.pid < 1) return 'unknown';
  const start = startOf(other.pid);
  if (start !== undefined && other.start !== '') return start === other.start ? 'alive' : 'dead';
  try {
    process.kill(other.pid, 0);
    return 'unknown'; // somebody has its number
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH' ? 'dead' : 'unknown';
  }
}

function placeOf(): string {
  try {
    // Two namespaces that live at once have two numbers; one that has the number of a dead one has its own processes, with their own starts.
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** Field 22 of /proc/<pid>/stat, in ticks since the machine began; the second field may hold anything, parentheses included. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return 'ZX'.includes(state) ? 'ended' : fields[18]; // nobody has asked yet how it ended
  } catch {
    return undefined;
  }
}
