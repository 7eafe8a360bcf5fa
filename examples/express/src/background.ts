import { isMedzenError, type Logger } from '@medzen/core';

/** Work that goes on after an answer was sent, and that a shutdown waits for. */
export interface Background {
  /** A failure is logged by its code; what failed is done again by the jobs. */
  run(what: string, work: () => Promise<unknown>): void;
  /** Resolves when nothing runs any more. */
  settled(): Promise<void>;
}

/** Keeps track of background work. */
export function createBackground(logger: Logger): Background {
  const running = new Set<Promise<void>>();
  return {
    run: (what, work) => {
      const done = work()
        .then(
          () => undefined,
          (error: unknown) => logger.warn(`${what} failed`, { code: isMedzenError(error) ? error.code : 'internal' }),
        )
        .finally(() => running.delete(done));
      running.add(done);
    },
    settled: async () => {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
