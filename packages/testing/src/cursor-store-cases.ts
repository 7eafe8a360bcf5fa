import { rejects, same } from './assertions.ts';
import type { ContractCase } from './contract.ts';
import { caseDefiner, type DefineCase } from './define-case.ts';
import { committed } from './log-cases/log-commit.ts';
import type { CursorStoreContext } from './store-context.ts';

const define: DefineCase<CursorStoreContext> = caseDefiner('cursors');

/** What every `CursorStore` must do. */
export const cursorStoreCases: readonly ContractCase<CursorStoreContext>[] = [
  define('start', 'starts at the beginning of the log', async ({ stores }) => {
    same(await stores.cursors.read('siem'), 0, 'a new cursor');
  }),

  define('move', 'goes where it is moved, forward and back, each name its own way', async (tools) => {
    const { cursors } = tools.stores;
    await committed(tools, 5);
    same(await cursors.move('siem', 0, 3), { status: 'moved' }, 'forward');
    same(await cursors.move('siem', 3, 5), { status: 'moved' }, 'to the end');
    same(await cursors.move('review', 0, 1), { status: 'moved' }, 'another name');
    same([await cursors.read('siem'), await cursors.read('review')], [5, 1], 'places');
    same(await cursors.move('siem', 5, 2), { status: 'moved' }, 'back');
    same(await cursors.read('siem'), 2, 'place');
  }),

  define('compare', 'stays when it is not where it is said to be', async (tools) => {
    const { cursors } = tools.stores;
    await committed(tools, 5);
    same(await cursors.move('siem', 1, 3), { status: 'conflict' }, 'a new one is at 0');
    await cursors.move('siem', 0, 2);
    same(await cursors.move('siem', 0, 4), { status: 'conflict' }, 'from where it was');
    same(await cursors.read('siem'), 2, 'place');
  }),

  define('bounds', 'stays within the log, and has a plain name', async (tools) => {
    const { cursors } = tools.stores;
    await committed(tools, 2);
    for (const to of [3, -1, 0.5, Number.NaN]) await rejects(cursors.move('siem', 0, to), 'invalid_input', `to ${to}`);
    for (const name of ['', 'A', '.x', 'a b', 'x'.repeat(129), "'; --"])
      await rejects(cursors.move(name, 0, 1), 'invalid_input', name);
    same(await cursors.read('siem'), 0, 'place');
  }),

  define(
    'at_once',
    'lets one of several that move it at the same time have its way',
    async (tools) => {
      const { cursors } = tools.stores;
      await committed(tools, 9);
      const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((to) => cursors.move('siem', 0, to)));
      same(answers.filter(({ status }) => status === 'moved').length, 1, 'how many moved it');
      const won = answers.findIndex(({ status }) => status === 'moved') + 1;
      same(await cursors.read('siem'), won, 'place');
    },
    ['concurrency'],
  ),
];
