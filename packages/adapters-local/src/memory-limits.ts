import {
  type Clock,
  MedzenError,
  type RateLimitDecision,
  type RateLimitRequest,
  type RateLimitStore,
  systemClock,
} from '@medzen/core';
import { coarseBucket, coarseBuckets, createKeyTable, type TenantKeys } from './memory-limits/key-table.ts';

/** What {@link MemoryLimitsOptions.onOverflow} is told. */
export interface RateLimitOverflow {
  /** Keys in the store. */
  readonly keys: number;
  /** Requests that shared a coarse bucket since the last report. */
  readonly shared: number;
}

/** Bounds and hooks of {@link memoryLimits}. */
export interface MemoryLimitsOptions {
  /** The machine's own when absent. */
  readonly clock?: Clock;
  /** Keys kept at most, over all tenants, 1–16 000 000; 1 000 000 when absent (about 50 MB, and the keys themselves). */
  readonly maxKeys?: number;
  /** Called when keys not seen before must share a coarse bucket; at most once a second of the clock. Must not throw. */
  readonly onOverflow?: (report: RateLimitOverflow) => void;
  /** What such keys have in common; the first half of the key when absent. */
  readonly prefixOf?: (key: string) => string;
}

/** Slack of comparisons, in milliseconds: sums of fractions of a millisecond are not exact. */
const slack = 1e-6;

/**
 * A rate limit store in this process's memory: two floats a key, no timers, bounded. Past 65 536 keys, whenever
 * they have doubled, each new key has two others looked at, and dropped when their burst is whole again, until all were. When the store is
 * full all the same, a key that is not blocked gives way; a blocked one
 * never does. When only blocked ones are met, keys not seen before share a bucket by their prefix (which is reported), so that a flood of
 * keys neither frees a blocked one nor takes more memory.
 *
 * @param options - clock, bound, report of overflow
 * @throws MedzenError `invalid_configuration` for a bad bound
 * @see ITU-T I.371 (generic cell rate algorithm, virtual scheduling)
 * @example
 * ```ts
 * import { memoryLimits } from '@medzen/adapters-local';
 * const limits = memoryLimits({ maxKeys: 100_000 });
 * const [decision] = await limits.consume({ tenant: 'default' }, [
 *   { key: 'recording-start:user:u1', rate: 10, periodMs: 60_000, burst: 10, cost: 1 },
 * ]);
 * decision?.allowed; // true
 * ```
 */
export function memoryLimits(options: MemoryLimitsOptions = {}): RateLimitStore {
  const clock = options.clock ?? systemClock;
  const maxKeys = options.maxKeys ?? 1_000_000;
  if (!Number.isInteger(maxKeys) || maxKeys < 1 || maxKeys > 16_000_000)
    throw new MedzenError('invalid_configuration', 'maxKeys lies between 1 and 16 000 000');
  const prefixOf = options.prefixOf ?? ((key: string) => key.slice(0, Math.ceil(key.length / 2)));
  // Times are kept relative to this, so that a float has digits to spare for fractions of a millisecond.
  const nowMs = clock.epochMs?.bind(clock) ?? (() => clock.now().getTime());
  const epoch = nowMs();
  const table = createKeyTable(maxKeys);
  let shared = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;

  /** The cell of a key, made where needed; below zero for a shared bucket (−1 − its number). */
  const locate = (tenant: TenantKeys, request: RateLimitRequest, now: number, pinned: readonly number[]): number => {
    const cell = tenant.cells.get(request.key) ?? table.add(tenant, request.key, now, pinned);
    if (cell !== undefined) return cell;
    tenant.coarse ??= new Float64Array(coarseBuckets);
    shared++;
    if (options.onOverflow !== undefined && now - reportedAt >= 1000) {
      options.onOverflow({ keys: table.size(), shared });
      reportedAt = now;
      shared = 0;
    }
    return -1 - coarseBucket(prefixOf(request.key), request.rate, request.periodMs);
  };

  const write = (tenant: TenantKeys, cell: number, tat: number, blockedUntil: number): void => {
    if (cell >= 0) {
      table.floats[2 * cell] = tat;
      table.floats[2 * cell + 1] = blockedUntil;
    } else if (tenant.coarse !== undefined) tenant.coarse[-1 - cell] = tat;
  };

  /**
   * From when the cost is counted. Never further ahead than a whole burst: a clock that was set back, or a policy made
   * stricter, must not lock a key for longer than its policy says, so a time that cannot be is put right.
   */
  const startOf = (tenant: TenantKeys, cell: number, request: RateLimitRequest, now: number): number => {
    const tat = (cell >= 0 ? table.floats[2 * cell] : tenant.coarse?.[-1 - cell]) ?? 0;
    if (tat <= now) return now;
    const interval = request.periodMs / request.rate;
    const furthest = now + request.burst * interval;
    if (tat <= furthest + slack) return tat;
    write(tenant, cell, furthest, furthest - (request.burst - 1) * interval);
    return furthest;
  };

  /** One policy against a key that is known: what nearly every request is. All in one function, because it is the hot one. */
  const consumeKnown = (cell: number, request: RateLimitRequest, now: number): RateLimitDecision => {
    const { rate, periodMs, burst, cost } = request;
    const { floats } = table;
    const interval = periodMs / rate;
    const whole = burst * interval;
    const tat = floats[2 * cell] ?? 0;
    const furthest = now + whole;
    const start = tat <= now ? now : tat <= furthest + slack ? tat : furthest;
    const next = start + cost * interval;
    const allowed = next - furthest <= slack;
    if (allowed || start < tat) {
      const written = allowed ? next : start;
      floats[2 * cell] = written;
      floats[2 * cell + 1] = written - whole + interval;
    }
    const ahead = (allowed ? next : start) - now;
    return {
      allowed,
      remaining: Math.max(0, Math.floor(burst - ahead / interval + slack)),
      retryAfterMs: allowed ? 0 : Math.ceil(next - furthest - slack),
      resetMs: Math.max(0, Math.ceil(ahead - slack)),
    };
  };

  const consumeAll = (tenant: TenantKeys, requests: readonly RateLimitRequest[], now: number): RateLimitDecision[] => {
    const made: string[] = [];
    const cells: number[] = [];
    for (const { key } of requests) cells.push(tenant.cells.get(key) ?? -1);
    const pinned = cells.filter((cell) => cell >= 0);
    for (const [i, request] of requests.entries()) {
      if ((cells[i] ?? -1) >= 0) continue;
      const cell = locate(tenant, request, now, pinned);
      cells[i] = cell;
      if (cell < 0) continue;
      pinned.push(cell);
      made.push(request.key);
    }
    const starts = requests.map((request, i) => startOf(tenant, cells[i] ?? 0, request, now));
    const passed = requests.every((request, i) => excessOf(request, starts[i] ?? now, now) <= slack);
    if (passed)
      for (const [i, request] of requests.entries()) {
        const interval = request.periodMs / request.rate;
        // Two keys may share one bucket: the second starts where the first left it.
        const start = startOf(tenant, cells[i] ?? 0, request, now);
        const next = start + request.cost * interval;
        write(tenant, cells[i] ?? 0, next, next - (request.burst - 1) * interval);
      }
    else for (const key of made) table.remove(tenant, key);
    return requests.map((request, i) => decide(request, starts[i] ?? now, now, passed));
  };

  return {
    consume: (scope, requests) => {
      const only = requests.length === 1 ? requests[0] : undefined;
      if (only !== undefined && isValid(only)) {
        const tenant = table.tenant(scope.tenant);
        const cell = tenant.cells.get(only.key);
        if (cell !== undefined) return Promise.resolve([consumeKnown(cell, only, nowMs() - epoch)]);
      }
      try {
        check(requests);
        return Promise.resolve(consumeAll(table.tenant(scope.tenant), requests, nowMs() - epoch));
      } catch (error) {
        return Promise.reject(error);
      }
    },
    cleanup: async (limit) => {
      if (!Number.isInteger(limit) || limit < 1 || limit > 100_000)
        throw new MedzenError('invalid_input', 'limit must be an integer from 1 to 100,000');
      return table.cleanup(nowMs() - epoch, limit);
    },
  };
}

/** By how many milliseconds the request comes too early. */
function excessOf(request: RateLimitRequest, start: number, now: number): number {
  return start - now + ((request.cost - request.burst) * request.periodMs) / request.rate;
}

/** @param spent - whether the cost was taken */
function decide(request: RateLimitRequest, start: number, now: number, spent: boolean): RateLimitDecision {
  const interval = request.periodMs / request.rate;
  const ahead = start - now + (spent ? request.cost * interval : 0);
  const excess = excessOf(request, start, now);
  return {
    allowed: excess <= slack,
    remaining: Math.max(0, Math.floor(request.burst - ahead / interval + slack)),
    retryAfterMs: Math.max(0, Math.ceil(excess - slack)),
    resetMs: Math.max(0, Math.ceil(ahead - slack)),
  };
}

/** Comparisons that are true, so that NaN is refused too. */
function isValid({ key, rate, periodMs, burst, cost }: RateLimitRequest): boolean {
  const fits = rate >= 1 && periodMs >= 1 && burst >= 1 && cost >= 1 && cost <= burst;
  return fits && key.length >= 1 && key.length <= 512;
}

function check(requests: readonly RateLimitRequest[]): void {
  if (requests.length < 1 || requests.length > 16) throw refusal('1 to 16 policies');
  for (let i = 0; i < requests.length; i++) {
    const request = requests[i];
    if (request === undefined || !isValid(request))
      throw refusal('keys of 1 to 512 characters; rate, period, burst and cost of at least 1; a cost within the burst');
  }
  if (requests.length > 1 && new Set(requests.map(({ key }) => key)).size !== requests.length)
    throw refusal('distinct keys');
}

function refusal(what: string): MedzenError {
  return new MedzenError('invalid_input', `Rate limit: ${what}`);
}
