import {
  type Clock,
  errorFields,
  type LogFields,
  type Logger,
  type LogLag,
  type LogStore,
  type OpenWriter,
} from '@medzen/core';

/** Notice that the log falls behind: `late` once when it does, `caught-up` once when it has caught up. */
export type LagReport = { readonly status: 'late' | 'caught-up'; readonly lag: LogLag };

/** Log to watch, and the callback to notify. */
export interface LagWatchDeps {
  readonly store: Pick<LogStore, 'lag'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds; past them the log is late. */
  readonly boundMs: number;
  readonly onLag: (report: LagReport) => void;
}

/** At most so often, since it counts what is pending. */
const everyMs = 10_000;

/**
 * A look at the lag, to be taken after each tick; most looks come to nothing. Late is an event that waits for longer than the bound, and an open
 * transaction that has held events back for longer. It never throws: a store that is down is told of by the tick itself.
 */
export function createLagWatch(deps: LagWatchDeps): () => Promise<void> {
  const { store, clock, logger, boundMs, onLag } = deps;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let late = false;
  return async () => {
    const now = clock.now().getTime();
    // A clock that was set back must not silence it.
    if (now >= lookedAt && now - lookedAt < Math.min(everyMs, boundMs)) return;
    lookedAt = now;
    try {
      const lag = await store.lag();
      const { pending, oldestMs, openWriter, oldestTransaction } = lag;
      if (Math.max(oldestMs, openWriter?.openMs ?? 0) > boundMs === late) return;
      late = !late;
      const cause = { ...holder('writer', openWriter), ...holder('oldest', oldestTransaction) };
      if (late) logger.error('the audit log is late', { pending, oldestMs, ...cause });
      else logger.info('the audit log has caught up', { pending, oldestMs });
      onLag({ status: late ? 'late' : 'caught-up', lag });
    } catch (error) {
      logger.warn('the lag of the audit log is not known', errorFields(error));
    }
  };
}

/** Describes a transaction so that an operator can find and end it. */
function holder(name: 'writer' | 'oldest', transaction: OpenWriter | undefined): LogFields {
  if (transaction === undefined) return {};
  const { prepared, pid, since } = transaction;
  return {
    [`${name}Prepared`]: prepared,
    ...(pid !== undefined && { [`${name}Pid`]: pid }),
    ...(since !== undefined && { [`${name}Since`]: since }),
  };
}
