import type { SealedEvent } from '@medzen/core';
import { at, fail, holds, present, rejects, same } from '../assertions.ts';
import type { ContractCase } from '../contract.ts';
import { caseDefiner, type DefineCase } from '../define-case.ts';
import type { AuditStoreContext } from '../store-context.ts';

type Case = ContractCase<AuditStoreContext>;

const define: DefineCase<AuditStoreContext> = caseDefiner('audit');

function idsOf(events: readonly SealedEvent[]): readonly string[] {
  return events.map(({ id }) => id);
}

/** `search`, and both methods while the database is down. */
export const searchCases: readonly Case[] = [
  define('search.newest_first', 'finds the newest first, by id', async ({ stores, scope, advance, mine }) => {
    const events: SealedEvent[] = [];
    for (let i = 0; i < 5; i++) {
      events.push(mine.event());
      await advance(1000);
    }
    for (const i of [2, 0, 4, 1, 3]) await stores.audit.append(scope, [at(events, i, 'event')]);
    const { events: found, cursor } = await stores.audit.search(scope, {});
    same(idsOf(found), idsOf(events).toReversed(), 'order');
    holds(cursor === undefined, 'the last page has a cursor');
  }),

  define('search.members', 'finds by each member, and by all that are given', async ({ stores, scope, mine }) => {
    const plain = mine.event();
    const special = mine.event({
      patient: 'patient-9',
      actor: { id: 'actor-9', type: 'service' },
      action: 'recording.download',
      outcome: 'denied',
      purpose: 'BTG',
      reason: 'Emergency',
      target: { type: 'consent', id: 'target-9' },
    });
    await stores.audit.append(scope, [plain, special]);
    const members = {
      patient: 'patient-9',
      actor: 'actor-9',
      action: 'recording.download',
      outcome: 'denied',
      purpose: 'BTG',
      targetType: 'consent',
      targetId: 'target-9',
    } as const;
    for (const [name, value] of Object.entries(members)) {
      const { events } = await stores.audit.search(scope, { [name]: value });
      same(idsOf(events), [special.id], `by ${name}`);
    }
    same(idsOf((await stores.audit.search(scope, members)).events), [special.id], 'by all');
    const mixed = { ...members, patient: 'patient-1' };
    same((await stores.audit.search(scope, mixed)).events, [], 'every member must match');
    same((await stores.audit.search(scope, { patient: "patient-9' OR '1'='1" })).events, [], 'a hostile value');
    same((await stores.audit.search(scope, { action: 'recording.%' })).events, [], 'no wildcards');
  }),

  define('search.several', 'finds what has one of several actions, outcomes or purposes', async (tools) => {
    const { stores, scope, mine } = tools;
    const of = (action: string, outcome: 'success' | 'denied' | 'failed', purpose?: string): SealedEvent =>
      mine.event({ action, outcome, ...(purpose !== undefined && { purpose, reason: 'Emergency' }) });
    const events = [
      of('recording.view', 'success', 'TREAT'),
      of('recording.view', 'denied', 'BTG'),
      of('recording.download', 'failed', 'ETREAT'),
      of('consent.view', 'denied', 'HOPERAT'),
    ];
    await stores.audit.append(scope, events);
    const find = async (query: Parameters<typeof stores.audit.search>[1]): Promise<readonly number[]> => {
      const found = idsOf((await stores.audit.search(scope, query)).events);
      const order = idsOf(events).toSorted().toReversed();
      same(
        found,
        order.filter((id) => found.includes(id)),
        'newest first, each once',
      );
      return idsOf(events).flatMap((id, at) => (found.includes(id) ? [at] : []));
    };
    same(await find({ outcome: ['denied', 'failed'] }), [1, 2, 3], 'two outcomes');
    same(await find({ purpose: ['BTG', 'ETREAT'] }), [1, 2], 'two purposes');
    same(await find({ action: ['recording.download', 'consent.view', 'none.such'] }), [2, 3], 'several actions');
    same(await find({ outcome: ['denied', 'denied'], purpose: ['BTG', 'TREAT'] }), [1], 'all that are given');
    same(await find({ action: ['recording.view'], outcome: 'success' }), [0], 'a list of one');
    const pages: number[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await stores.audit.search(scope, {
        ...{ outcome: ['denied', 'failed'] as const, limit: 1 },
        ...(cursor !== undefined && { cursor }),
      });
      pages.push(page.events.length);
      if (page.cursor === undefined) break;
      cursor = page.cursor;
    }
    same(pages, [1, 1, 1], 'in pages');
  }),

  define('search.texts', 'refuses an empty text, an empty list, a NUL and half a character', async (tools) => {
    const { stores, scope, mine } = tools;
    const nul = mine.event({ patient: 'a\0b', target: { type: 'note', id: 'n\0' } });
    const none = mine.event({ target: { type: 'note' } });
    const empty = mine.event({ patient: '', target: { type: 'note', id: '' } });
    await stores.audit.append(scope, [nul, none, empty]);
    const names = ['patient', 'actor', 'action', 'outcome', 'purpose', 'targetType', 'targetId'];
    for (const name of names)
      for (const text of ['', '\0', 'p\0', '\ud800', 7, null, {}])
        await rejects(stores.audit.search(scope, { [name]: text }), 'invalid_input', `${name} ${JSON.stringify(text)}`);
    for (const name of ['action', 'outcome', 'purpose'])
      for (const list of [[], [''], ['a\0'], Array<string>(101).fill('a')])
        await rejects(stores.audit.search(scope, { [name]: list }), 'invalid_input', `${name} of ${list.length}`);
    for (const name of ['from', 'to'])
      await rejects(stores.audit.search(scope, { [name]: new Date(Number.NaN) }), 'invalid_input', name);
    // What an event says with a NUL is found by what a database can show of it.
    for (const query of [{ patient: 'a\ufffdb' }, { targetId: 'n\ufffd' }])
      same(idsOf((await stores.audit.search(scope, query)).events), [nul.id], JSON.stringify(query));
  }),

  define('search.time', 'includes `from` and excludes `to`', async ({ stores, scope, clock, advance, mine }) => {
    const events: SealedEvent[] = [];
    const times: Date[] = [];
    for (let i = 0; i < 4; i++) {
      events.push(mine.event());
      times.push(clock.now());
      await advance(1);
    }
    await stores.audit.append(scope, events);
    const ids = idsOf(events);
    const [, second = new Date(), third = new Date()] = times;
    const find = async (query: { from?: Date; to?: Date }): Promise<readonly string[]> =>
      idsOf((await stores.audit.search(scope, query)).events);
    same(await find({ from: third }), [ids[3], ids[2]], 'from');
    same(await find({ to: third }), [ids[1], ids[0]], 'to');
    same(await find({ from: second, to: third }), [ids[1]], 'both');
    same(await find({ from: third, to: third }), [], 'an empty span');
  }),

  define('search.limit', 'gives 100 when nothing is said, and refuses a bad limit', async ({ stores, scope, mine }) => {
    await stores.audit.append(
      scope,
      Array.from({ length: 101 }, () => mine.event()),
    );
    holds((await stores.audit.search(scope, {})).events.length === 100, 'the default is not 100');
    holds((await stores.audit.search(scope, { limit: 1000 })).events.length === 101, 'a limit of 1000');
    for (const limit of [0, -1, 1001, 1.5, Number.NaN])
      await rejects(stores.audit.search(scope, { limit }), 'invalid_input', `limit ${limit}`);
  }),

  define('search.pages', 'gives every event once over its pages, and no cursor on the last', async (tools) => {
    const { stores, scope, mine } = tools;
    const events = Array.from({ length: 6 }, (_, i) => mine.event({ patient: i % 3 === 2 ? 'other' : 'patient-1' }));
    await stores.audit.append(scope, events);
    for (const limit of [1, 2, 3, 4, 5]) {
      const found: string[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        if (++pages > 10) fail('the pages do not end');
        const page = await stores.audit.search(scope, {
          limit,
          patient: 'patient-1',
          ...(cursor === undefined ? {} : { cursor }),
        });
        found.push(...idsOf(page.events));
        cursor = page.cursor;
      } while (cursor !== undefined);
      const wanted = [4, 3, 1, 0].map((i) => at(events, i, 'event').id);
      same(found, wanted, `in pages of ${limit}`);
      holds(pages === Math.ceil(4 / limit), `${pages} pages of ${limit} for 4 events`);
    }
  }),

  define('search.stable', 'keeps its pages stable while others write', async ({ stores, scope, advance, mine }) => {
    const events = Array.from({ length: 4 }, () => mine.event());
    const [first, ...rest] = events;
    await stores.audit.append(scope, rest);
    const page = await stores.audit.search(scope, { limit: 2 });
    await advance(5000);
    await stores.audit.append(scope, [mine.event(), mine.event()]);
    // Older than the cursor, committed late: it belongs to the page that is still to come.
    await stores.audit.append(scope, [present(first, 'event')]);
    const next = await stores.audit.search(scope, { limit: 2, cursor: present(page.cursor, 'cursor') });
    same(idsOf([...page.events, ...next.events]), idsOf(events).toReversed(), 'both pages');
  }),

  define('search.foreign_cursor', "refuses a cursor it did not give, and another tenant's", async (tools) => {
    const { stores, scope, otherScope, mine, theirs } = tools;
    await stores.audit.append(scope, [mine.event(), mine.event()]);
    const secret = theirs.event();
    await stores.audit.append(otherScope, [secret, theirs.event(), theirs.event()]);
    for (const cursor of ['', 'x', '0', '{}', "'; --", 'A'.repeat(10_000), '\u0000'])
      await rejects(
        stores.audit.search(scope, { cursor }),
        'invalid_input',
        `cursor ${JSON.stringify(cursor).slice(0, 20)}`,
      );
    const theirPage = await stores.audit.search(otherScope, { limit: 1 });
    const cursor = present(theirPage.cursor, 'cursor');
    await rejects(stores.audit.search(scope, { cursor }), 'invalid_input', "another tenant's cursor");
  }),

  define('search.tenant', "never finds another tenant's events", async (tools) => {
    const { stores, scope, otherScope, mine, theirs } = tools;
    const own = mine.event({ patient: 'shared' });
    const other = theirs.event({ patient: 'shared' });
    await stores.audit.append(scope, [own]);
    await stores.audit.append(otherScope, [other]);
    same(idsOf((await stores.audit.search(scope, {})).events), [own.id], 'all of one tenant');
    same(idsOf((await stores.audit.search(scope, { patient: 'shared' })).events), [own.id], 'by patient');
    same(idsOf((await stores.audit.search(otherScope, {})).events), [other.id], 'all of the other');
  }),

  define(
    'outage',
    'answers store_unavailable while it is down, and has written nothing',
    async ({ stores, scope, reader, mine, outage }) => {
      const event = mine.event();
      const restore = await present(outage, 'outage')();
      try {
        const error = await rejects(stores.audit.append(scope, [event]), 'store_unavailable', 'append');
        holds(error.retryable, 'an outage is not marked as retryable');
        await rejects(stores.audit.search(scope, {}), 'store_unavailable', 'search');
      } finally {
        await restore();
      }
      holds((await reader.countEvents()) === 0, 'something was stored');
      await stores.audit.append(scope, [event]);
      holds((await reader.countEvents()) === 1, 'the retry was not stored');
    },
    ['outage'],
  ),
];
