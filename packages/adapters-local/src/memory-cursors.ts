import { type CursorStore, type LogStore, MedzenError } from '@medzen/core';

/** Cursors over the log in memory. */
export function memoryCursors(log: LogStore): CursorStore {
  const cursors = new Map<string, number>();
  return {
    read: async (name) => cursors.get(name) ?? 0,
    move: async (name, from, to) => {
      if (!/^[a-z0-9][a-z0-9._-]{0,127}$/.test(name))
        throw new MedzenError(
          'invalid_input',
          "name of a cursor must be 1 to 128 characters of a-z, 0-9, '.', '_', '-' and start with a letter or digit",
        );
      const { size } = await log.head();
      if (!Number.isSafeInteger(to) || to < 0 || to > size)
        throw new MedzenError('invalid_input', 'Cursor positions must be integers from 0 to the size of the log');
      if ((cursors.get(name) ?? 0) !== from) return { status: 'conflict' };
      cursors.set(name, to);
      return { status: 'moved' };
    },
  };
}
