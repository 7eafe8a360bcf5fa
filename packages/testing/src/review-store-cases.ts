import type { ReviewFinding, SealedEvent } from '@medzen/core';
import { at, holds, present, rejects, same, status } from './assertions.ts';
import type { ContractCase } from './contract.ts';
import { type CaseSamples, caseDefiner, type DefineCase } from './define-case.ts';
import type { Samples } from './samples.ts';
import type { ReviewStoreContext } from './store-context.ts';

const define: DefineCase<ReviewStoreContext> = caseDefiner('reviews');

type Tools = ReviewStoreContext & CaseSamples;

/** A finding about an access at this place of the log. */
function finding({ clock, mine }: Tools, leafIndex: number, given: Partial<ReviewFinding> = {}): ReviewFinding {
  return {
    id: (mine.ids.uuid() + mine.ids.uuid()).replaceAll('-', ''),
    rule: 'break-glass',
    eventId: mine.ids.uuid(),
    leafIndex,
    at: clock.now().toISOString(),
    actor: 'provider-1',
    patient: 'patient-1',
    ...given,
  };
}

/** The event of a sign-off. */
function signing(samples: Samples, id: string, actor = 'officer-1'): SealedEvent {
  return samples.event({
    action: 'audit.review',
    kind: 'update',
    actor: { id: actor, type: 'user' },
    target: { type: 'review', id },
  });
}

/** What every `ReviewStore` must do. */
export const reviewStoreCases: readonly ContractCase<ReviewStoreContext>[] = [
  define('queue.keeps', 'keeps what was found, word for word, and when it was queued', async (tools) => {
    const { reviews } = tools.stores;
    const [full, bare] = [
      finding(tools, 7, { detail: { count: 12, note: null, span: { ms: 900_000 } } }),
      finding(tools, 9),
    ];
    const { patient, ...nobody } = bare;
    same(patient, 'patient-1', 'the sample');
    same(await reviews.queue(tools.scope, [full, nobody]), { queued: 2 }, 'answer');
    const queuedAt = tools.clock.now().toISOString();
    const page = await reviews.list(tools.scope, {});
    same(
      page,
      {
        reviews: [
          { ...full, queuedAt },
          { ...nobody, queuedAt },
        ],
      },
      'list',
    );
  }),

  define('queue.once', 'queues once what is found again, and changes nothing of it', async (tools) => {
    const { reviews } = tools.stores;
    const one = finding(tools, 3);
    await reviews.queue(tools.scope, [one]);
    const again = { ...one, leafIndex: 8, actor: 'another' };
    same(await reviews.queue(tools.scope, [again, finding(tools, 4)]), { queued: 1 }, 'found again');
    const { reviews: listed } = await reviews.list(tools.scope, {});
    same([listed.length, listed[0]?.actor, listed[0]?.leafIndex], [2, 'provider-1', 3], 'list');
  }),

  define('queue.signed_stays', 'leaves signed what is found again', async (tools) => {
    const { reviews } = tools.stores;
    const one = finding(tools, 3);
    await reviews.queue(tools.scope, [one]);
    await reviews.signOff(tools.scope, { id: one.id, outcome: 'violation' }, signing(tools.mine, one.id));
    same(await reviews.queue(tools.scope, [one]), { queued: 0 }, 'found again');
    same((await reviews.list(tools.scope, {})).reviews, [], 'open');
  }),

  define('queue.bounds', 'takes 1 to 1000 findings, and nothing that is none', async (tools) => {
    const { reviews } = tools.stores;
    const many = Array.from({ length: 1001 }, (_, i) => finding(tools, i));
    await rejects(reviews.queue(tools.scope, []), 'invalid_input', 'none');
    await rejects(reviews.queue(tools.scope, many), 'invalid_input', 'too many');
    const good = finding(tools, 1);
    for (const wrong of [{ id: 'x' }, { leafIndex: -1 }, { at: 'yesterday' }])
      await rejects(reviews.queue(tools.scope, [good, { ...good, ...wrong }]), 'invalid_input', JSON.stringify(wrong));
    same((await reviews.list(tools.scope, { state: 'all' })).reviews, [], 'list');
    same(await reviews.queue(tools.scope, many.slice(1)), { queued: 1000 }, 'a thousand');
  }),

  define('list.order', 'lists by place in the log, page by page, and by state and rule', async (tools) => {
    const { reviews } = tools.stores;
    const all = [5, 1, 4, 2, 3, 3].map((leaf, i) => finding(tools, leaf, { rule: i === 0 ? 'bulk' : 'break-glass' }));
    await reviews.queue(tools.scope, all);
    const places = (list: readonly ReviewFinding[]): readonly number[] => list.map(({ leafIndex }) => leafIndex);
    const found: ReviewFinding[] = [];
    let cursor: string | undefined;
    do {
      const page = await reviews.list(tools.scope, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      found.push(...page.reviews);
      cursor = page.cursor;
    } while (cursor !== undefined && found.length < 10);
    same(places(found), [1, 2, 3, 3, 4, 5], 'pages');
    same(new Set(found.map(({ id }) => id)).size, 6, 'each once');
    same(places((await reviews.list(tools.scope, { rule: 'bulk' })).reviews), [5], 'by rule');
    const signed = at(all, 1, 'finding').id;
    await reviews.signOff(tools.scope, { id: signed, outcome: 'appropriate' }, signing(tools.mine, signed));
    same(places((await reviews.list(tools.scope, {})).reviews), [2, 3, 3, 4, 5], 'open');
    same(places((await reviews.list(tools.scope, { state: 'signed' })).reviews), [1], 'signed');
    same((await reviews.list(tools.scope, { state: 'all' })).reviews.length, 6, 'all');
    for (const limit of [0, 1001, 1.5])
      await rejects(reviews.list(tools.scope, { limit }), 'invalid_input', `${limit}`);
  }),

  define('list.foreign_cursor', "refuses a cursor it did not give, and another tenant's", async (tools) => {
    const { reviews } = tools.stores;
    await reviews.queue(tools.otherScope, [finding(tools, 1), finding(tools, 2)]);
    const theirs = present((await reviews.list(tools.otherScope, { limit: 1 })).cursor, 'cursor');
    for (const cursor of ['', 'x', "'; --", theirs])
      await rejects(reviews.list(tools.scope, { cursor }), 'invalid_input', cursor);
  }),

  define('tenants', 'keeps tenants apart: nothing of the other is listed, signed, or in the way', async (tools) => {
    const { reviews } = tools.stores;
    const one = finding(tools, 1);
    await reviews.queue(tools.otherScope, [one]);
    same((await reviews.list(tools.scope, { state: 'all' })).reviews, [], 'list');
    const event = signing(tools.mine, one.id);
    same(
      await reviews.signOff(tools.scope, { id: one.id, outcome: 'violation' }, event),
      { status: 'missing' },
      'sign',
    );
    same(await reviews.queue(tools.scope, [one]), { queued: 1 }, 'the same id');
    const foreign = reviews.signOff(tools.scope, { id: one.id, outcome: 'violation' }, signing(tools.theirs, one.id));
    await rejects(foreign, 'invalid_input', "another tenant's event");
    same((await reviews.list(tools.otherScope, {})).reviews.length, 1, 'open there');
  }),

  define('sign.with_event', 'signs off with its event: who, when, what came of it', async (tools) => {
    const { reviews } = tools.stores;
    const one = finding(tools, 1);
    await reviews.queue(tools.scope, [one]);
    await tools.advance(60_000);
    const event = signing(tools.mine, one.id);
    const note = 'Called the unit: the patient had no pulse';
    const answer = status(
      await reviews.signOff(tools.scope, { id: one.id, outcome: 'appropriate', note }, event),
      'signed',
      'sign-off',
    );
    const signed = { at: tools.clock.now().toISOString(), by: 'officer-1', outcome: 'appropriate', note };
    same(answer.review.signed, signed, 'answer');
    same((await reviews.list(tools.scope, { state: 'signed' })).reviews, [answer.review], 'list');
    same(await tools.reader.eventsFor(event.id), [event.body], 'event');
  }),

  define('sign.once', 'answers a retry as such, and leaves to the first who signed what they said', async (tools) => {
    const { reviews } = tools.stores;
    const one = finding(tools, 1);
    await reviews.queue(tools.scope, [one]);
    const event = signing(tools.mine, one.id);
    const first = status(
      await reviews.signOff(tools.scope, { id: one.id, outcome: 'violation' }, event),
      'signed',
      '1',
    );
    const again = await reviews.signOff(tools.scope, { id: one.id, outcome: 'violation' }, event);
    same(again, { status: 'repeated', review: first.review }, 'a retry');
    const late = signing(tools.mine, one.id, 'officer-2');
    const other = await reviews.signOff(tools.scope, { id: one.id, outcome: 'appropriate' }, late);
    same(other, { status: 'taken', review: first.review }, 'another');
    same(await tools.reader.eventsFor(late.id), [], 'an event of what did not happen');
  }),

  define('sign.own', 'lets nobody sign off what was found about them, unless told so', async (tools) => {
    const { reviews } = tools.stores;
    const one = finding(tools, 1);
    await reviews.queue(tools.scope, [one]);
    const event = signing(tools.mine, one.id, 'provider-1');
    same(await reviews.signOff(tools.scope, { id: one.id, outcome: 'appropriate' }, event), { status: 'own' }, 'own');
    same(await tools.reader.eventsFor(event.id), [], 'its event');
    const told = await reviews.signOff(tools.scope, { id: one.id, outcome: 'appropriate', own: true }, event);
    same(told.status, 'signed', 'a practice of one');
  }),

  define(
    'sign.about',
    'takes no event about something else, and leaves nothing when the event is refused',
    async (tools) => {
      const { reviews, audit } = tools.stores;
      const [one, two] = [finding(tools, 1), finding(tools, 2)];
      await reviews.queue(tools.scope, [one, two]);
      const sign = (event: SealedEvent, note?: string): Promise<unknown> =>
        reviews.signOff(
          tools.scope,
          { id: one.id, outcome: 'violation', ...(note === undefined ? {} : { note }) },
          event,
        );
      await rejects(sign(signing(tools.mine, two.id)), 'invalid_input', "another review's event");
      await rejects(sign(tools.mine.event()), 'invalid_input', "a recording's event");
      await rejects(sign(signing(tools.mine, one.id), 'x'.repeat(2049)), 'invalid_input', 'too long a note');
      const taken = tools.mine.event();
      await audit.append(tools.scope, [taken]);
      const clash = { id: taken.id, body: signing(tools.mine, one.id).body };
      await rejects(sign(clash), ['audit_conflict', 'invalid_input'], 'a taken id');
      same((await reviews.list(tools.scope, {})).reviews.length, 2, 'open');
      holds((await tools.reader.countEvents()) === 1, 'an event of a refused sign-off was stored');
    },
  ),

  define(
    'sign.at_once',
    'lets one of several who sign at the same time have signed',
    async (tools) => {
      const { reviews } = tools.stores;
      const one = finding(tools, 1);
      await reviews.queue(tools.scope, [one]);
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          reviews.signOff(
            tools.scope,
            { id: one.id, outcome: 'violation' },
            signing(tools.mine, one.id, `officer-${i}`),
          ),
        ),
      );
      same(answers.filter((answer) => answer.status === 'signed').length, 1, 'how many signed');
      holds((await tools.reader.countEvents()) === 1, 'not one event');
    },
    ['concurrency'],
  ),

  define(
    'queue.at_once',
    'queues once what two who look find at the same time',
    async (tools) => {
      const { reviews } = tools.stores;
      const all = Array.from({ length: 50 }, (_, i) => finding(tools, i));
      const answers = await Promise.all([all, all.toReversed(), all].map((list) => reviews.queue(tools.scope, list)));
      same(
        answers.map(({ queued }) => queued).reduce((a, b) => a + b, 0),
        50,
        'how many were new',
      );
      same((await reviews.list(tools.scope, { limit: 1000 })).reviews.length, 50, 'list');
    },
    ['concurrency'],
  ),
];
