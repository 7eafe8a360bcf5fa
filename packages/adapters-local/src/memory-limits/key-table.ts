/** The keys of one tenant, each with the number of its cell. */
export interface TenantKeys {
  readonly cells: Map<string, number>;
  /** Times of the shared buckets, once there was need of them. */
  coarse?: Float64Array;
}

/** How many shared buckets a tenant has. */
export const coarseBuckets = 256;

/**
 * A bounded table from key to two floats. A key costs an entry of a `Map` (24 bytes and its share of the hash table) and two floats of
 * a flat array: no object, no timer, nothing for the garbage collector to follow.
 */
export interface KeyTable {
  /**
   * Cell n: at 2n its theoretical arrival time in milliseconds (whole at or before now), at 2n + 1 the instant from which a request of
   * cost 1 passes again. Another array after each `add`.
   */
  readonly floats: Float64Array;
  tenant(name: string): TenantKeys;
  /**
   * A cell for a key not seen before, made by forgetting others where needed: whole ones first, then one that is not blocked.
   *
   * @param pinned - cells that must stay
   * @returns undefined when none of those looked at may go
   */
  add(tenant: TenantKeys, key: string, now: number, pinned: readonly number[]): number | undefined;
  remove(tenant: TenantKeys, key: string): void;
  /** Drops whole keys, at most so many. */
  cleanup(now: number, limit: number): number;
  size(): number;
}

/** Keys looked at for each new one during a round: two, so that the sweep is always faster than the growth. */
const probes = 2;
/** So many keys (some 4 MB) are never swept: dropping a key that comes back a moment later costs more than keeping it. */
const floor = 65_536;
/** And so many more when there is no room. */
const moreProbes = 16;

/** @param maxKeys - over all tenants */
export function createKeyTable(maxKeys: number): KeyTable {
  const tenants = new Map<string, TenantKeys>();
  // tat at 2n, blockedUntil at 2n + 1: one cache line holds both.
  let floats = new Float64Array(2 * Math.min(maxKeys, 1024));
  let used = 0;
  let size = 0;
  // Free cells are chained through their first float.
  let free = -1;
  let lastName = '';
  let lastTenant: TenantKeys | undefined;
  // A round over all keys begins when there are twice as many as were left by the last one.
  let nextRound = floor;
  let inRound = false;
  let sweepTenants = tenants.values();
  let sweepTenant: TenantKeys | undefined;
  let sweepKeys: IterableIterator<string> | undefined;

  const release = (tenant: TenantKeys, key: string, cell: number): void => {
    tenant.cells.delete(key);
    floats[2 * cell] = free;
    free = cell;
    size--;
  };

  const take = (): number => {
    size++;
    if (free >= 0) {
      const cell = free;
      free = floats[2 * cell] ?? -1;
      return cell;
    }
    if (2 * used === floats.length) {
      const wider = new Float64Array(2 * Math.min(maxKeys, used * 2));
      wider.set(floats);
      floats = wider;
    }
    return used++;
  };

  /** The next key in the round, over all tenants. Map iterators bear deletion and insertion meanwhile. */
  const nextKey = (): string | undefined => {
    for (let turns = 0; turns < 2; turns++) {
      const step = sweepKeys?.next();
      if (step !== undefined && step.done !== true) return step.value;
      const tenant = sweepTenants.next();
      if (tenant.done === true) {
        sweepTenants = tenants.values();
        sweepKeys = undefined;
        inRound = false;
        nextRound = Math.max(floor, 2 * size);
      } else {
        sweepTenant = tenant.value;
        sweepKeys = sweepTenant.cells.keys();
      }
    }
    return undefined;
  };

  const sweep = (now: number, times: number, pinned: readonly number[], alsoUnblocked: boolean): void => {
    for (let i = 0; i < times; i++) {
      const key = nextKey();
      const cell = key === undefined ? undefined : sweepTenant?.cells.get(key);
      if (key === undefined || cell === undefined || sweepTenant === undefined || pinned.includes(cell)) continue;
      const mayGo = (floats[2 * cell] ?? 0) <= now || (alsoUnblocked && (floats[2 * cell + 1] ?? 0) <= now);
      if (mayGo) release(sweepTenant, key, cell);
      if (alsoUnblocked && size < maxKeys) return;
    }
  };

  return {
    get floats() {
      return floats;
    },
    tenant: (name) => {
      if (lastTenant !== undefined && name === lastName) return lastTenant;
      const tenant = tenants.get(name) ?? { cells: new Map() };
      tenants.set(name, tenant);
      lastName = name;
      lastTenant = tenant;
      return tenant;
    },
    add: (tenant, key, now, pinned) => {
      if (inRound || size >= nextRound) {
        inRound = true;
        sweep(now, probes, pinned, false);
      }
      if (size >= maxKeys) sweep(now, moreProbes, pinned, true);
      if (size >= maxKeys) return undefined;
      const cell = take();
      floats[2 * cell] = now;
      floats[2 * cell + 1] = now;
      tenant.cells.set(key, cell);
      return cell;
    },
    remove: (tenant, key) => {
      const cell = tenant.cells.get(key);
      if (cell !== undefined) release(tenant, key, cell);
    },
    cleanup: (now, limit) => {
      let dropped = 0;
      for (const tenant of tenants.values()) {
        for (const [key, cell] of tenant.cells) {
          if (dropped === limit) return dropped;
          if ((floats[2 * cell] ?? 0) > now) continue;
          release(tenant, key, cell);
          dropped++;
        }
      }
      return dropped;
    },
    size: () => size,
  };
}

/**
 * Which shared bucket a key falls into: by its prefix and its policy, so that two policies seldom spend from one bucket.
 *
 * @returns 0 to `coarseBuckets` − 1
 * @see FNV-1a, 32 bits
 */
export function coarseBucket(prefix: string, rate: number, periodMs: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < prefix.length; i++) hash = Math.imul(hash ^ prefix.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ rate, 0x01000193);
  hash = Math.imul(hash ^ periodMs, 0x01000193);
  return (hash ^ (hash >>> 16)) & (coarseBuckets - 1);
}
