import { canonicalize, type SealedEvent } from '@medzen/core';
import { alteredEvent } from '../altered-event.ts';
import { holds, present, rejects, same } from '../assertions.ts';
import type { ContractCase } from '../contract.ts';
import { caseDefiner, type DefineCase } from '../define-case.ts';
import type { AuditStoreContext } from '../store-context.ts';

type Case = ContractCase<AuditStoreContext>;

const define: DefineCase<AuditStoreContext> = caseDefiner('audit');

const encoder = new TextEncoder();

function idsOf(events: readonly SealedEvent[]): readonly string[] {
  return events.map(({ id }) => id);
}

/** `append`, alone and in the host's transaction. */
export const appendCases: readonly Case[] = [
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
