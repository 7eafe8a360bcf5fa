import { MedzenError } from '@medzen/core';

/** When a planned fault strikes: `before`: nothing was done; `after`: it was done, and the answer was lost. */
export type FaultMoment = 'before' | 'after';

/** What is to go wrong, by method. */
export type FaultPlan<Store> = {
  readonly [Method in keyof Store]?:
    | FaultMoment
    /** By the number of the call, from 1; `undefined`: this one goes well. */
    | ((call: number) => FaultMoment | undefined);
};

/**
 * A store whose answers can be lost: the chosen methods throw `store_unavailable`, before or after their effect. It shows what a feature
 * does in an outage, and whether its retries are safe.
 *
 * @param store - any object whose methods return promises
 * @param plan - methods not named go well
 * @example
 * ```ts
 * import { memoryStores } from '@medzen/adapters-local';
 * import { faulty } from '@medzen/testing';
 * const stores = memoryStores();
 * const audit = faulty(stores.audit, { append: (call) => (call === 1 ? 'after' : undefined) });
 * // The first append is stored, but its caller is told that the store was unavailable.
 * ```
 */
export function faulty<Store extends object>(store: Store, plan: FaultPlan<Store>): Store {
  const calls = new Map<PropertyKey, number>();
  return new Proxy(store, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name, target);
      const fault: unknown = Reflect.get(plan, name);
      if (typeof method !== 'function' || fault === undefined) return method;
      return async (...args: unknown[]): Promise<unknown> => {
        const call = (calls.get(name) ?? 0) + 1;
        calls.set(name, call);
        const moment: unknown = typeof fault === 'function' ? fault(call) : fault;
        if (moment === 'before') throw lost('before anything was done');
        const answer: unknown = await Reflect.apply(method, target, args);
        if (moment === 'after') throw lost('and the answer was lost');
        return answer;
      };
    },
  });
}

function lost(when: string): MedzenError {
  return new MedzenError('store_unavailable', `A fault was injected ${when}`);
}
