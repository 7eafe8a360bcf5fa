import { type AppendResult, type AuditStore, isMedzenError, MedzenError, type SealedEvent } from '@medzen/core';

/** When a batch goes out. */
export interface BatchedAuditStoreOptions {
  /** Events a batch at most, 2–1000; 200 when absent. A full batch goes at once. */
  readonly maxEvents?: number;
  /** Milliseconds that an event waits at most for the write before it to return, 0–1000; 5 when absent. */
  readonly maxDelayMs?: number;
  /** Calls back after some milliseconds. */
  readonly schedule?: (callback: () => void, ms: number) => void;
}

interface Waiting {
  readonly events: readonly SealedEvent[];
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly waiting: Waiting[];
  events: number;
}

/**
 * A store that gathers the events of many callers into one write. Each caller still waits until its own events are durable, and fails only if they
 * are not: when a batch is refused, each caller's part is tried on its own.
 *
 * While nothing is being written, an event goes out at once, with what else the same turn of the event loop brought. What comes while a
 * write is under way waits for it, and goes out in one when it has returned: the busier the log, the larger the batches, and nobody waits for
 * company. A write that takes longer than `maxDelayMs` is not waited for any further.
 *
 * Only what is `independent` (reads, denials, failures) is gathered. What belongs to a host's transaction goes straight through.
 *
 * @param store - the store behind it
 * @throws MedzenError `invalid_configuration` outside the bounds
 * @example
 * ```ts
 * import { batchedAuditStore, createAuditLog } from '@medzen/audit';
 * import type { AuditStore } from '@medzen/core';
 * const busyLog = (store: AuditStore) => createAuditLog({ store: batchedAuditStore(store, { maxDelayMs: 10 }) });
 * ```
 */
export function batchedAuditStore(store: AuditStore, options: BatchedAuditStoreOptions = {}): AuditStore {
  const { maxEvents = 200, maxDelayMs = 5, schedule = (callback, ms) => setTimeout(callback, ms) } = options;
  if (!Number.isInteger(maxEvents) || maxEvents < 2 || maxEvents > 1000)
    throw new MedzenError('invalid_configuration', 'maxEvents must be an integer from 2 to 1000');
  if (!(maxDelayMs >= 0 && maxDelayMs <= 1000))
    throw new MedzenError('invalid_configuration', 'maxDelayMs must be from 0 to 1000');
  const gathering = new Map<string, Batch>();
  const underWay = new Map<string, number>();

  const send = async (tenant: string, { waiting }: Batch): Promise<void> => {
    const append = async (events: readonly SealedEvent[]): Promise<AppendResult> =>
      store.append({ tenant }, events, { durability: 'independent' });
    underWay.set(tenant, (underWay.get(tenant) ?? 0) + 1);
    try {
      const result = await append(waiting.flatMap(({ events }) => events));
      for (const { resolve } of waiting) resolve(result);
    } catch (error) {
      // Somebody's event is no event, or takes an id: the others must not pay. A store that is down is down for all.
      const shared = waiting.length === 1 || (isMedzenError(error) && error.retryable);
      for (const { events, resolve, reject } of waiting) {
        if (shared) reject(error);
        else append(events).then(resolve, reject);
      }
    }
    const others = (underWay.get(tenant) ?? 1) - 1;
    if (others > 0) underWay.set(tenant, others);
    else {
      underWay.delete(tenant);
      flush(tenant, gathering.get(tenant));
    }
  };

  const flush = (tenant: string, batch: Batch | undefined): void => {
    if (batch === undefined || gathering.get(tenant) !== batch) return; // went when it was full, or when the way was free
    gathering.delete(tenant);
    void send(tenant, batch);
  };

  return {
    append: (scope, events, appendOptions) => {
      if (appendOptions?.durability !== 'independent' || events.length >= maxEvents || events.length === 0)
        return store.append(scope, events, appendOptions);
      return new Promise((resolve, reject) => {
        const { tenant } = scope;
        const open = gathering.get(tenant);
        if (open !== undefined && open.events + events.length > maxEvents) flush(tenant, open);
        const batch = gathering.get(tenant) ?? { waiting: [], events: 0 };
        if (batch.waiting.length === 0) {
          gathering.set(tenant, batch);
          if (underWay.has(tenant)) schedule(() => flush(tenant, batch), maxDelayMs);
          else queueMicrotask(() => flush(tenant, batch));
        }
        batch.waiting.push({ events, resolve, reject });
        batch.events += events.length;
        if (batch.events === maxEvents) flush(tenant, batch);
      });
    },
    search: (scope, query) => store.search(scope, query),
    summarize: (scope, query) => store.summarize(scope, query),
  };
}
