import { type CursorStore, isMedzenError } from '@medzen/core';
import type { BrokenStore } from '../broken-store.ts';
import type { CursorStoreContext } from '../store-context.ts';

function broken(
  id: string,
  title: string,
  mustFail: string,
  fault: (good: CursorStore) => Partial<CursorStore>,
): BrokenStore<CursorStoreContext> {
  return {
    id: `cursors.${id}`,
    title,
    mustFail: `cursors.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.cursors;
      return { ...context, stores: { ...context.stores, cursors: { ...good, ...fault(good) } } };
    },
  };
}

/** Cursor stores that must fail `cursorStoreCases`. */
export const brokenCursorStores: readonly BrokenStore<CursorStoreContext>[] = [
  broken('no_compare', 'swaps without comparing', 'compare', (good) => ({
    move: async (name, _, to) => good.move(name, await good.read(name), to),
  })),

  broken('forgets', 'says moved and is not', 'move', () => ({ move: async () => ({ status: 'moved' }) })),

  broken('one_for_all', 'has one cursor for every name', 'move', (good) => ({
    read: () => good.read('all'),
    move: async (_, from, to) => good.move('all', from, to),
  })),

  broken('only_forward', 'does not go back', 'move', (good) => ({
    move: async (name, from, to) => (to < from ? { status: 'conflict' } : good.move(name, from, to)),
  })),

  broken('no_bounds', 'takes places outside the log', 'bounds', (good) => ({
    move: async (name, from, to) => {
      try {
        return await good.move(name, from, to);
      } catch (error) {
        if (isMedzenError(error)) return { status: 'moved' };
        throw error;
      }
    },
  })),
];
