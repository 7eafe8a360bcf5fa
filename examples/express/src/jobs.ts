import type { Logger } from '@medzen/core';
import { isMedzenError, scopeOf } from '@medzen/core';
import type { Services } from './services.ts';

/**
 * Seals all that waits. The sequencer remembers the checkpoint outside the database.
 *
 * @returns how many events were sealed, and the size of the tree
 */
export async function seal({
  sequencer,
}: Pick<Services, 'sequencer'>): Promise<{ readonly sealed: number; readonly size: number }> {
  let sealed = 0;
  for (;;) {
    const tick = await sequencer.tick();
    if (tick.status === 'conflict') continue;
    sealed += tick.sequenced;
    if (tick.status === 'idle') return { sealed, size: tick.size };
  }
}

/** The jobs of a process that runs all the time. */
export interface Jobs {
  /** Stops, and waits for what is being done. */
  stop(): Promise<void>;
}

/**
 * Seals every second or so, stops every few seconds what has to be stopped, asks the provider every minute or so about what is late, and
 * sweeps every hour or so. Any number of processes may: all jobs cope with company.
 *
 * @param options.tenant - whose recordings are swept
 */
export function startJobs(
  services: Services,
  options: {
    readonly tenant: string;
    readonly sequenceMs: number;
    readonly stopMs: number;
    readonly reconcileMs: number;
    readonly sweepMs: number;
    readonly logger: Logger;
  },
): Jobs {
  const { tenant, sequenceMs, stopMs, reconcileMs, sweepMs, logger } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const { reports } = services;
  const scope = scopeOf(tenant);
  const bringHome = async (): Promise<void> => {
    await reports.run('recording.reconcile', () => services.recordings.reconcile(scope, { signal }));
    await reports.run('recording.transfer', () => services.recordings.transferDue(scope, { signal }));
  };
  const sweepAll = async (): Promise<void> => {
    await reports.run('recording.sweep', () => services.recordings.sweep(scope, { signal }));
  };
  const loops = [
    every(
      sequenceMs,
      signal,
      () =>
        reports.run(
          'audit.seal',
          () => seal(services),
          ({ sealed }) => ({ sealed }),
        ),
      logger,
    ),
    every(stopMs, signal, () => services.recordings.stopWithdrawn(scope, { signal }), logger),
    every(reconcileMs, signal, bringHome, logger),
    every(sweepMs, signal, sweepAll, logger),
  ];
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
      await reports.flush();
    },
  };
}

/**
 * One run after another, never two at once; what fails is logged by its code and tried again next time. But a log that
 * contradicts itself is signed no further: somebody must look.
 */
async function every(ms: number, signal: AbortSignal, run: () => Promise<unknown>, logger: Logger): Promise<void> {
  while (!signal.aborted) {
    try {
      await run();
    } catch (error) {
      const code = isMedzenError(error) ? error.code : 'internal';
      logger.error('A job failed', { code });
      if (code === 'checkpoint_inconsistent') return;
    }
    await pause(ms, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
