import { type CursorStore, MedzenError, type Wire } from '@medzen/core';
import { integerIn } from '../row.ts';
import { callJson } from './call-json.ts';
import { verdict } from './read-json.ts';

/** How far those who follow the log have come, in `medzen.tail_cursor`. Always on the root wire, as the log. */
export function cursorStore({ root }: Wire): CursorStore {
  return {
    async read(name) {
      const [row] = await root.call('read_cursor', { name });
      return integerIn(row, 'leaf_index');
    },
    async move(name, from, to) {
      if (![from, to].every((place) => Number.isSafeInteger(place) && place >= 0))
        throw new MedzenError('invalid_input', 'Cursor positions must be integers from 0 to the size of the log');
      const args = { name, from: String(from), to: String(to) };
      return callJson(root, 'move_cursor', args, verdict({ moved: {}, conflict: {} }));
    },
  };
}
