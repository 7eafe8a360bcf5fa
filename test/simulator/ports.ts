import { defaultDeadlineMs } from '@medzen/core';
import {
  away,
  type CallFault,
  chooseFault,
  count,
  type FaultCounts,
  type Port,
  refusal,
  type Weather,
} from './faults.ts';
import type { Fiber, Scheduler } from './scheduler.ts';

/** One call of a port that had its effect. */
export interface Effect {
  readonly fiber: Fiber;
  readonly port: Port;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly outcome: { readonly value: unknown } | { readonly error: unknown };
}

/** What every port call passes through. */
export interface Passage {
  readonly scheduler: Scheduler;
  readonly weather: Weather;
  readonly numbers: () => number;
  readonly counts: FaultCounts;
  /** Called around a call's effect, whether or not its answer arrives. @returns what is called after it */
  readonly watch: (port: Port, method: string, args: readonly unknown[]) => Promise<(effect: Effect) => Promise<void>>;
  readonly trace: ((line: string) => void) | undefined;
}

/**
 * A port as one process has it: each call waits until it is chosen, may suffer a fault, and is seen by the invariants when it has its effect.
 */
export function throughPassage<T extends object>(passage: Passage, fiber: Fiber, port: Port, target: T): T {
  const made = new Map<PropertyKey, unknown>();
  return new Proxy(target, {
    get: (object, property) => {
      const known = made.get(property);
      if (known !== undefined) return known;
      const member: unknown = Reflect.get(object, property, object);
      if (typeof member !== 'function' || property === 'verify') return member;
      const call = (...args: unknown[]): Promise<unknown> =>
        pass(passage, fiber, port, String(property), args, () => Reflect.apply(member, object, args));
      made.set(property, call);
      return call;
    },
  });
}

async function pass(
  passage: Passage,
  fiber: Fiber,
  port: Port,
  method: string,
  args: readonly unknown[],
  effect: () => Promise<unknown>,
): Promise<unknown> {
  const { scheduler, weather, numbers, counts, trace } = passage;
  await scheduler.park(fiber);
  const fault = chooseFault(weather, port, numbers);
  if (fault !== 'none') {
    count(counts, fault);
    count(counts, `at ${port}.${method}`);
  }
  trace?.(line(passage, fiber, port, method, args, fault));
  const perform = async (): Promise<unknown> => {
    const seen = await scheduler.real(() => passage.watch(port, method, args));
    let value: unknown;
    try {
      // A database answers when it does; everything else happens within this process, and may wait for the scheduler.
      value = await (isStore(port) ? scheduler.real(effect) : effect());
    } catch (error) {
      trace?.(`    ${fiber.name} ← ${error instanceof Error ? error.message : String(error)}`);
      await scheduler.real(() => seen({ fiber, port, method, args, outcome: { error } }));
      throw error;
    }
    await scheduler.real(() => seen({ fiber, port, method, args, outcome: { value } }));
    return value;
  };
  switch (fault) {
    case 'none':
      return perform();
    case 'lost_before':
      throw away(port);
    case 'SlowDown':
    case 'AccessDenied':
      throw refusal(fault);
    case 'odd_error':
      throw new TypeError('fetch failed');
    case 'lost_after':
      await perform();
      throw away(port);
    case 'crash_before':
      return crash(passage, fiber);
    case 'crash_after':
      await perform().catch(() => undefined); // whatever came of it, nobody hears of it
      return crash(passage, fiber);
    case 'hang_before':
      return isStore(port) ? late(scheduler, port) : never(args);
    case 'hang_after':
      await perform().catch(() => undefined); // the same
      return isStore(port) ? late(scheduler, port) : never(args);
    case 'slow':
      if (numbers() < 0.5) {
        await scheduler.sleep(1000 + numbers() * 600_000);
        return perform();
      } else {
        const value = await perform();
        await scheduler.sleep(1000 + numbers() * 600_000);
        return value;
      }
    case 'duplicate':
      await perform();
      return perform();
  }
}

function isStore(port: Port): boolean {
  return port === 'recordings' || port === 'consents' || port === 'audit';
}

function crash({ scheduler }: Passage, fiber: Fiber): Promise<never> {
  scheduler.kill(fiber);
  return new Promise(() => undefined);
}

/** The wires of a database give up by themselves. */
async function late(scheduler: Scheduler, port: Port): Promise<never> {
  await scheduler.sleep(defaultDeadlineMs);
  throw away(port);
}

/** A call that honors its signal ends with it; any other waits for ever. */
function never(args: readonly unknown[]): Promise<never> {
  const signal = args.map(signalIn).find((found) => found !== undefined);
  return new Promise((_, reject) => {
    if (signal === undefined) return;
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function signalIn(arg: unknown): AbortSignal | undefined {
  if (arg instanceof AbortSignal) return arg;
  if (typeof arg !== 'object' || arg === null || !('signal' in arg)) return undefined;
  return arg.signal instanceof AbortSignal ? arg.signal : undefined;
}

function line(
  { scheduler }: Passage,
  fiber: Fiber,
  port: Port,
  method: string,
  args: readonly unknown[],
  fault: CallFault,
): string {
  const at = new Date(scheduler.now()).toISOString();
  const told = args
    .map((arg) => {
      if (typeof arg === 'string') return arg.length > 40 ? `${arg.slice(0, 40)}…` : arg;
      if (typeof arg !== 'object' || arg === null) return String(arg);
      if ('tenant' in arg || 'body' in arg || arg instanceof AbortSignal) return '';
      if ('to' in arg && typeof arg.to === 'string') return `→ ${arg.to}`;
      if ('id' in arg && typeof arg.id === 'string') return arg.id;
      return '';
    })
    .filter((text) => text !== '')
    .join(' ');
  return `${at} ${fiber.name} ${port}.${method} ${told}${fault === 'none' ? '' : ` [${fault}]`}`;
}
