import { canonicalize, type SealedEvent } from '@medzen/core';
import { alteredEvent } from './altered-event.ts';
import { at, fail, holds, present, rejects, same } from './assertions.ts';
import type { ContractCase } from './contract.ts';
import { caseDefiner, type DefineCase } from './define-case.ts';
import type { AuditStoreContext } from './store-context.ts';

type Case = ContractCase<AuditStoreContext>;

const define: DefineCase<AuditStoreContext> = caseDefiner('audit');

const encoder = new TextEncoder();

function idsOf(events: readonly SealedEvent[]): readonly string[] {
  return events.map(({ id }) => id);
}

const append: readonly Case[] = [
  define('append.verbatim', 'stores the bytes as they are', async ({ stores, scope, reader, mine }) => {
    const event = mine.event({ reason: 'naïve “quotes” \u2028 \\ \u0007 🩺', detail: { size: 1e21, none: null } });
    same(await stores.audit.append(scope, [event]), { status: 'durable' }, 'answer');
    same(await reader.eventsFor(event.id), [event.body], 'stored bytes');
    const page = await stores.audit.search(scope, {});
    same(page.events, [event], 'found bytes');
  }),

  define('append.many', 'appends a thousand events in one call', async ({ stores, scope, reader, mine }) => {
    const events = Array.from({ length: 1000 }, () => mine.event());
    await stores.audit.append(scope, events);
    holds((await reader.countEvents()) === 1000, 'not all events are stored');
  }),

  define(
    'append.largest',
    'takes a body of 65 535 bytes and refuses one more',
    async ({ stores, scope, reader, mine }) => {
      const base = mine.event({ detail: { fill: '' } });
      const fill = (length: number): SealedEvent => alteredEvent(base, { detail: { fill: 'x'.repeat(length) } });
      const room = 65_535 - base.body.length;
      await rejects(stores.audit.append(scope, [fill(room + 1)]), 'invalid_input', 'a body of 65 536 bytes');
      holds((await reader.countEvents()) === 0, 'a body past the bound was stored');
      await stores.audit.append(scope, [fill(room)]);
      same(await reader.eventsFor(base.id), [fill(room).body], 'the largest body');
    },
  ),

  define('append.idempotent', 'counts a repeated event as appended, once', async ({ stores, scope, reader, mine }) => {
    const first = mine.event();
    const second = mine.event();
    await stores.audit.append(scope, [first]);
    same(await stores.audit.append(scope, [first]), { status: 'durable' }, 'a retry');
    same(await stores.audit.append(scope, [first, second]), { status: 'durable' }, 'a retry with more');
    holds((await reader.countEvents()) === 2, 'a retry made another row, or lost one');
  }),

  define(
    'append.idempotent_within',
    'stores an event once that a call names twice',
    async ({ stores, scope, reader, mine }) => {
      const event = mine.event();
      await stores.audit.append(scope, [event, event]);
      holds((await reader.eventsFor(event.id)).length === 1, 'not exactly one row');
    },
  ),

  define('append.conflict', 'refuses another body under a stored id, and keeps the first', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const event = mine.event();
    await stores.audit.append(scope, [event]);
    const other = alteredEvent(event, { action: 'recording.delete' });
    await rejects(stores.audit.append(scope, [other]), 'audit_conflict', 'another body');
    same(await reader.eventsFor(event.id), [event.body], 'the first body');
  }),

  define('append.all_or_none', 'stores nothing of a call when one of its events conflicts', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const event = mine.event();
    await stores.audit.append(scope, [event]);
    const before = mine.event();
    const after = mine.event();
    const call = stores.audit.append(scope, [before, alteredEvent(event, { outcome: 'denied' }), after]);
    await rejects(call, 'audit_conflict', 'a call with one conflict');
    holds((await reader.countEvents()) === 1, 'a part of a refused call was stored');
  }),

  define(
    'append.conflict_within',
    'refuses a call that gives one id two bodies',
    async ({ stores, scope, reader, mine }) => {
      const event = mine.event();
      const call = stores.audit.append(scope, [event, alteredEvent(event, { outcome: 'denied' })]);
      await rejects(call, 'audit_conflict', 'two bodies');
      holds((await reader.countEvents()) === 0, 'something was stored');
    },
  ),

  define('append.ids_across_tenants', 'keeps ids unique across tenants', async (tools) => {
    const { stores, scope, otherScope, reader, mine } = tools;
    const event = mine.event();
    await stores.audit.append(scope, [event]);
    const taken = alteredEvent(event, { tenant: otherScope.tenant });
    await rejects(stores.audit.append(otherScope, [taken]), 'audit_conflict', "another tenant's id");
    same(await reader.eventsFor(event.id), [event.body], 'the first body');
  }),

  define('append.tenant_mismatch', "refuses an event of another tenant than the call's, or of none", async (tools) => {
    const { stores, scope, reader, mine, theirs } = tools;
    await rejects(stores.audit.append(scope, [theirs.event()]), 'invalid_input', "another tenant's event");
    await rejects(stores.audit.append(scope, [mine.event(), theirs.event()]), 'invalid_input', 'a mixed call');
    const nobody = alteredEvent(mine.event(), { tenant: undefined });
    await rejects(stores.audit.append(scope, [nobody]), 'invalid_input', "nobody's event");
    holds((await reader.countEvents()) === 0, 'something was stored');
  }),

  define('append.count', 'refuses no events, and more than a thousand', async ({ stores, scope, reader, mine }) => {
    await rejects(stores.audit.append(scope, []), 'invalid_input', 'no events');
    const events = Array.from({ length: 1001 }, () => mine.event());
    await rejects(stores.audit.append(scope, events), 'invalid_input', '1001 events');
    holds((await reader.countEvents()) === 0, 'something was stored');
  }),

  define('append.not_an_event', 'refuses bytes that are no event, and stores nothing of the call', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const event = mine.event();
    const id = mine.ids.uuid();
    const wrong: readonly (readonly [string, SealedEvent])[] = [
      ['no JSON', { id, body: encoder.encode('{"v":1') }],
      ['no bytes', { id, body: new Uint8Array() }],
      ['no UTF-8', { id, body: Uint8Array.of(0x7b, 0xff, 0x7d) }],
      ['a list', { id, body: encoder.encode('[]') }],
      ['null', { id, body: encoder.encode('null') }],
      ['no id', { id, body: encoder.encode(canonicalize({ v: 1, tenant: scope.tenant })) }],
      ['another version', alteredEvent(event, { v: 2 })],
      ['another id inside', { id, body: event.body }],
      ['no actor', alteredEvent(event, { actor: undefined })],
      ['no action', alteredEvent(event, { action: undefined })],
      ['no time', alteredEvent(event, { at: 'yesterday' })],
    ];
    for (const [what, bad] of wrong)
      await rejects(stores.audit.append(scope, [mine.event(), bad]), 'invalid_input', what);
    holds((await reader.countEvents()) === 0, 'a part of a refused call was stored');
  }),

  define(
    'append.two_at_once',
    'stores an event once that two writers append at the same time',
    async ({ stores, scope, reader, mine }) => {
      const events = Array.from({ length: 20 }, () => mine.event());
      const reversed = events.toReversed();
      await Promise.all(
        [events, reversed, events, reversed].map(async (list) => {
          for (let tries = 0; ; tries++) {
            try {
              return await stores.audit.append(scope, list);
            } catch (error) {
              // A deadlock or a serialisation failure may be answered by asking for a retry, never by a lost event.
              if (tries > 20 || (error as { code?: unknown }).code !== 'store_unavailable') throw error; // only read
            }
          }
        }),
      );
      holds((await reader.countEvents()) === 20, 'events were lost or doubled');
    },
    ['concurrency'],
  ),

  define(
    'append.conflict_at_once',
    'lets one of two bodies win that come under one id at the same time',
    async ({ stores, scope, reader, mine }) => {
      const event = mine.event();
      const bodies = Array.from({ length: 8 }, (_, n) => alteredEvent(event, { detail: { n } }));
      const answers = await Promise.allSettled(bodies.map((body) => stores.audit.append(scope, [body])));
      const won = answers.filter(({ status }) => status === 'fulfilled').length;
      holds(won === 1, `${won} of 8 bodies were accepted`);
      holds((await reader.eventsFor(event.id)).length === 1, 'not exactly one row');
    },
    ['concurrency'],
  ),
];

const transactions: readonly Case[] = [
  define(
    'append.joined',
    "becomes durable with the host's transaction, and vanishes with it",
    async ({ stores, scope, reader, mine, transaction }) => {
      const kept = mine.event();
      const lost = mine.event();
      const first = await present(transaction, 'transaction')();
      same(await first.stores.audit.append(scope, [kept]), { status: 'pending-commit' }, 'inside');
      await first.commit();
      const second = await present(transaction, 'transaction')();
      await second.stores.audit.append(scope, [lost], { durability: 'joined' });
      await second.rollback();
      holds((await reader.eventsFor(kept.id)).length === 1, 'a committed event is missing');
      holds((await reader.eventsFor(lost.id)).length === 0, 'a rolled back event was kept');
      same(idsOf((await stores.audit.search(scope, {})).events), [kept.id], 'found');
    },
    ['host-transaction'],
  ),

  define(
    'append.independent',
    'is durable on its own when asked to be, whatever becomes of the transaction',
    async ({ scope, reader, mine, transaction }) => {
      const event = mine.event();
      const open = await present(transaction, 'transaction')();
      const answer = await open.stores.audit.append(scope, [event], { durability: 'independent' });
      same(answer, { status: 'durable' }, 'answer');
      holds((await reader.eventsFor(event.id)).length === 1, 'not yet stored when it resolved');
      await open.rollback();
      holds((await reader.eventsFor(event.id)).length === 1, 'gone with the rollback');
    },
    ['host-transaction', 'concurrency'],
  ),
];

const search: readonly Case[] = [
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
];

const outages: readonly Case[] = [
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

/** What every `AuditStore` must do. */
export const auditStoreCases: readonly ContractCase<AuditStoreContext>[] = [
  ...append,
  ...transactions,
  ...search,
  ...outages,
];
