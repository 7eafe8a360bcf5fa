import { type Stray, toBase64 } from '@medzen/core';
import { holds, rejects, same, status } from '../assertions.ts';
import type { ContractCase } from '../contract.ts';
import type { LogStoreContext } from '../store-context.ts';
import { appended, commitOf, define } from './log-commit.ts';

/** More pages than the few rows of a case can take. */
const mostPages = 200;

/** `readStrays`. */
export const strayCases: readonly ContractCase<LogStoreContext>[] = [
  define(
    'strays.none',
    'finds no stray among what the stores wrote, page by page, and comes to an end',
    async (tools) => {
      const { log } = tools.stores;
      const events = await appended(tools, 3);
      const commit = commitOf([], events);
      const checkpoint = `log.example\n3\n${toBase64(commit.root)}\n\n\u2014 log.example AAAAAAAA\n`;
      status(await log.commitBatch({ ...commit, checkpoint }), 'committed', 'leaves');
      await appended(tools, 1); // waits for its leaf
      for (const limit of [1, 10_000]) {
        const found: Stray[] = [];
        let after: string | undefined;
        let pages = 0;
        do {
          const page = await log.readStrays(after, limit);
          found.push(...page.strays);
          after = page.next;
        } while (after !== undefined && ++pages < mostPages);
        holds(after === undefined, `the pages of ${limit} never end`);
        same(found, [], `strays by ${limit}`);
      }
    },
  ),

  define('strays.place', 'refuses a place that no page gave, and a limit out of bounds', async ({ stores }) => {
    const { log } = stores;
    await rejects(log.readStrays('nowhere 1', 10), 'invalid_input', 'a foreign place');
    for (const limit of [0, -1, 10_001]) await rejects(log.readStrays(undefined, limit), 'invalid_input', `${limit}`);
  }),
];
