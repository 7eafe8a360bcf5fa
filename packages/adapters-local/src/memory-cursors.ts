import { type CursorStore, type LogStore, MedzenError } from '@medzen/core';

/** Cursors over the log in memory. */
export function memoryCursors(log: LogStore): CursorStore {
  const cursors = new Map<string, number>();
  return {
    read: async (name) => cursors.get(name) ?? 0,
    move: async (name, from, to) => {
      if (!/^[a-z0-9][a-z0-9._-]{0,127}$/.test(name))
        throw new MedzenError('invalid_input', 'Not the name of a cursor');
      const { size } = await log.head();
      if (!Number.isSafeInteger(to) || to < 0 || to > size)
        throw new MedzenError('invalid_input', 'A cursor stays within the log');
      if ((cursors.get(name) ?? 0) !== from) return { status: 'conflict' };
      cursors.set(name, to);
      return { status: 'moved' };
    },
  };
}
