/** One thing that runs: a verb of one process, from its call to its end. */
export interface Fiber {
  readonly id: number;
  readonly name: string;
  /** Milliseconds of the world's time. */
  readonly startedAt: number;
  /** Killed: whatever it still waits for never comes. */
  dead: boolean;
  ended: boolean;
}

/** How a fiber ended. */
export type Ending<T> =
  | { readonly status: 'answered'; readonly value: T }
  | { readonly status: 'threw'; readonly error: unknown }
  | { readonly status: 'crashed' };

/** Runs every fiber of a world in an order that only the seed decides, on a clock that only the scheduler moves. */
export interface Scheduler {
  /** Milliseconds of the world's true time. */
  now(): number;
  /** Fibers that have neither ended nor crashed. */
  readonly alive: ReadonlySet<Fiber>;
  /** Starts a fiber. It first runs when it is chosen. */
  run<T>(name: string, body: (fiber: Fiber) => Promise<T>): Promise<Ending<T>>;
  /** Waits until the fiber is chosen. Never resolves for a dead one. */
  park(fiber: Fiber): Promise<void>;
  /** Ends a fiber between two awaits: it never continues. */
  kill(fiber: Fiber): void;
  /** Waits for a span of the world's time. */
  sleep(ms: number): Promise<void>;
  /** Calls back after a span of the world's time. @returns a way to cancel it */
  after(ms: number, callback: () => void): () => void;
  /** Counts a call that does real input and output, and waits for nothing else meanwhile. */
  real<T>(call: () => Promise<T>): Promise<T>;
  /** Takes steps until the work is done, or until nothing is left that could happen. @returns whether it was done */
  until(work: Promise<unknown>, deadline?: number): Promise<boolean>;
  /** Ends the world before its next step: `until` throws {@link WorldEnded}. */
  end(): void;
  /** How many times something was chosen. */
  steps(): number;
}

/** Thrown by `until` in a world that was ended early. */
export class WorldEnded extends Error {}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

/** A world of some dozen recordings takes 10 000: what takes so many goes round in circles. */
const mostSteps = 200_000;

const soon = setImmediate;

/** Everything that can run without the outside world has run when this resolves. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    soon(resolve);
  });
}

/**
 * @param numbers - decides who goes next
 * @param start - milliseconds since 1970
 * @param haste - how often, 0–1, so many milliseconds pass although a fiber waits to be chosen: a process that is slow, or paused
 */
export function createScheduler(numbers: () => number, start: number, haste: (ms: number) => number): Scheduler {
  let now = start;
  let steps = 0;
  let order = 0;
  let realCalls = 0;
  let ended = false;
  let answered: () => void = () => undefined;
  const parked: { readonly fiber: Fiber; readonly resume: () => void }[] = [];
  const timers: Timer[] = [];
  const alive = new Set<Fiber>();
  const crashes = new Map<Fiber, () => void>();

  const insert = (timer: Timer): void => {
    let low = 0;
    for (let high = timers.length; low < high; ) {
      const middle = (low + high) >>> 1;
      const other = timers[middle];
      if (other !== undefined && (other.at < timer.at || (other.at === timer.at && other.order < timer.order)))
        low = middle + 1;
      else high = middle;
    }
    timers.splice(low, 0, timer);
  };
  const fireNext = (): void => {
    const timer = timers.shift();
    if (timer === undefined) return;
    now = Math.max(now, timer.at);
    timer.fire();
  };
  const step = async (): Promise<boolean> => {
    if (ended) throw new WorldEnded('The world was ended');
    const next = timers[0];
    if (parked.length === 0 && next === undefined) return false;
    steps += 1;
    if (steps > mostSteps) throw new RangeError(`A world took more than ${mostSteps} steps`);
    const due = next !== undefined && next.at <= now;
    const hurried = next !== undefined && !due && parked.length > 0 && numbers() < haste(next.at - now);
    if (parked.length === 0 || hurried || (due && numbers() * (parked.length + 1) < 1)) fireNext();
    else parked.splice(Math.floor(numbers() * parked.length), 1)[0]?.resume();
    await turn();
    while (realCalls > 0) {
      await new Promise<void>((resolve) => {
        answered = resolve;
      });
      await turn();
    }
    return true;
  };

  const scheduler: Scheduler = {
    now: () => now,
    alive,
    run: (name, body) => {
      order += 1;
      const fiber: Fiber = { id: order, name, startedAt: now, dead: false, ended: false };
      alive.add(fiber);
      return new Promise((resolve) => {
        const end = (ending: Parameters<typeof resolve>[0]): void => {
          fiber.ended = true;
          alive.delete(fiber);
          crashes.delete(fiber);
          resolve(ending);
        };
        crashes.set(fiber, () => end({ status: 'crashed' }));
        scheduler
          .park(fiber)
          .then(() => body(fiber))
          .then(
            (value) => end({ status: 'answered', value }),
            (error: unknown) => end({ status: 'threw', error }),
          );
      });
    },
    park: (fiber) =>
      new Promise((resolve) => {
        if (!fiber.dead) parked.push({ fiber, resume: resolve });
      }),
    kill: (fiber) => {
      fiber.dead = true;
      for (let i = parked.length - 1; i >= 0; i--) if (parked[i]?.fiber === fiber) parked.splice(i, 1);
      crashes.get(fiber)?.();
    },
    sleep: (ms) =>
      new Promise((resolve) => {
        scheduler.after(ms, resolve);
      }),
    after: (ms, callback) => {
      order += 1;
      const timer: Timer = { at: now + Math.max(0, ms), order, fire: callback };
      insert(timer);
      return () => {
        const at = timers.indexOf(timer);
        if (at >= 0) timers.splice(at, 1);
      };
    },
    real: async (call) => {
      realCalls += 1;
      try {
        return await call();
      } finally {
        realCalls -= 1;
        if (realCalls === 0) answered();
      }
    },
    until: async (work, deadline = Number.POSITIVE_INFINITY) => {
      let done = false;
      const mark = (): void => {
        done = true;
      };
      work.then(mark, mark);
      await turn();
      while (!done) {
        const next = timers[0];
        if (parked.length === 0 && (next?.at ?? Number.POSITIVE_INFINITY) > deadline) {
          now = Math.max(now, deadline);
          return false;
        }
        if (!(await step())) return done;
      }
      return true;
    },
    end: () => {
      ended = true;
    },
    steps: () => steps,
  };
  return scheduler;
}
