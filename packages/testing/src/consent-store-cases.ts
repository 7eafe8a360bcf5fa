import { alteredEvent } from './altered-event.ts';
import { holds, present, rejects, same } from './assertions.ts';
import type { ContractCase } from './contract.ts';
import { caseDefiner, type DefineCase } from './define-case.ts';
import type { ConsentStoreContext } from './store-context.ts';

const define: DefineCase<ConsentStoreContext> = caseDefiner('consent');

/** What every `ConsentStore` must do. */
export const consentStoreCases: readonly ContractCase<ConsentStoreContext>[] = [
  define('record.with_event', 'keeps every member, and its event', async ({ stores, scope, reader, mine }) => {
    const full = mine.consent({ participant: 'a', userAgent: 'naïve “agent”', language: 'fr-CM' });
    const { location: _l, ip: _i, userAgent: _u, ...bare } = mine.consent({ participant: 'b', method: 'verbal' });
    for (const consent of [full, bare]) {
      const event = mine.event({ action: 'consent.give', kind: 'create' });
      same(await stores.consents.record(scope, consent, event), { status: 'recorded' }, 'answer');
      same(await reader.eventsFor(event.id), [event.body], 'event');
    }
    same(await stores.consents.current(scope, 'session-1'), [full, bare], 'current');
  }),

  define('record.repeated', 'answers repeated for the same id and content, and writes nothing', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const consent = mine.consent();
    const event = mine.event();
    await stores.consents.record(scope, consent, event);
    same(await stores.consents.record(scope, consent, event), { status: 'repeated' }, 'the same call again');
    same(await stores.consents.record(scope, consent, mine.event()), { status: 'repeated' }, 'with another event');
    holds((await reader.countEvents()) === 1, 'a repeated record wrote an event');
  }),

  define('record.repeated_does_not_supersede', 'does not let a retry undo what was said since', async (tools) => {
    const { stores, scope, mine } = tools;
    const given = mine.consent();
    const withdrawn = mine.consent({ decision: 'withdrawn' });
    await stores.consents.record(scope, given, mine.event());
    await stores.consents.record(scope, withdrawn, mine.event());
    same(await stores.consents.record(scope, given, mine.event()), { status: 'repeated' }, 'a late retry');
    same(await stores.consents.current(scope, 'session-1'), [withdrawn], 'current');
  }),

  define('record.conflict', 'refuses other content under a taken id, and writes nothing', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const consent = mine.consent();
    await stores.consents.record(scope, consent, mine.event());
    const others = [
      { ...consent, decision: 'withdrawn' as const },
      { ...consent, acknowledgements: { ...consent.acknowledgements, access: false } },
      { ...consent, participant: 'someone-else' },
      { ...consent, sessionId: 'session-2' },
    ];
    for (const other of others)
      await rejects(stores.consents.record(scope, other, mine.event()), 'conflict', 'other content');
    holds((await reader.countEvents()) === 1, 'a refused record wrote an event');
    same(await stores.consents.current(scope, 'session-1'), [consent], 'current');
    same(await stores.consents.current(scope, 'session-2'), [], 'the other session');
  }),

  define('record.atomic', 'writes no record when its event is refused', async (tools) => {
    const { stores, scope, reader, mine, theirs } = tools;
    const stored = mine.event();
    await stores.audit.append(scope, [stored]);
    const forged = alteredEvent(stored, { reason: 'other' });
    await rejects(stores.consents.record(scope, mine.consent(), forged), 'audit_conflict', 'a taken event id');
    await rejects(
      stores.consents.record(scope, mine.consent(), theirs.event()),
      'invalid_input',
      "another tenant's event",
    );
    same(await stores.consents.current(scope, 'session-1'), [], 'a record without its event');
    holds((await reader.countEvents()) === 1, 'events');
  }),

  define('current.latest', 'gives the record that was recorded last, whatever its date says', async (tools) => {
    const { stores, scope, clock, mine } = tools;
    const first = mine.consent();
    const second = mine.consent({ decision: 'withdrawn' });
    const backdated = mine.consent({ at: new Date(clock.now().getTime() - 3_600_000).toISOString() });
    for (const consent of [first, second, backdated]) {
      await stores.consents.record(scope, consent, mine.event());
      same(await stores.consents.current(scope, 'session-1'), [consent], 'the one recorded last');
    }
  }),

  define('current.by_participant', 'gives each participant of the session once, in order', async (tools) => {
    const { stores, scope, mine } = tools;
    const of = (participant: string, sessionId = 'session-1') => mine.consent({ participant, sessionId });
    const [c, a, b] = [of('c'), of('a'), of('b')];
    const elsewhere = of('a', 'session-2');
    for (const consent of [c, a, b, elsewhere]) await stores.consents.record(scope, consent, mine.event());
    same(await stores.consents.current(scope, 'session-1'), [a, b, c], 'session 1');
    same(await stores.consents.current(scope, 'session-2'), [elsewhere], 'session 2');
    same(await stores.consents.current(scope, 'session-3'), [], 'an unknown session');
  }),

  define('tenant', "neither shows nor is disturbed by another tenant's records", async (tools) => {
    const { stores, scope, otherScope, mine, theirs } = tools;
    const own = mine.consent();
    const other = { ...own, decision: 'withdrawn' as const };
    await stores.consents.record(scope, own, mine.event());
    same(await stores.consents.current(otherScope, 'session-1'), [], 'before');
    same(await stores.consents.record(otherScope, other, theirs.event()), { status: 'recorded' }, 'the same id');
    same(await stores.consents.current(scope, 'session-1'), [own], 'mine');
    same(await stores.consents.current(otherScope, 'session-1'), [other], 'theirs');
  }),

  define('record.at_once', 'keeps one of several records that come under one id at the same time', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const consent = mine.consent();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => stores.consents.record(scope, consent, mine.event())),
    );
    holds(answers.filter(({ status }) => status === 'recorded').length === 1, 'not exactly one was recorded');
    holds((await reader.countEvents()) === 1, 'not exactly one event');
  }),

  define(
    'outage',
    'answers store_unavailable while it is down, and has written nothing',
    async ({ stores, scope, reader, mine, outage }) => {
      const restore = await present(outage, 'outage')();
      try {
        await rejects(stores.consents.record(scope, mine.consent(), mine.event()), 'store_unavailable', 'record');
        await rejects(stores.consents.current(scope, 'session-1'), 'store_unavailable', 'current');
      } finally {
        await restore();
      }
      same(await stores.consents.current(scope, 'session-1'), [], 'records');
      holds((await reader.countEvents()) === 0, 'events');
    },
    ['outage'],
  ),
];
