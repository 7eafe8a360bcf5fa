import { holds, rejects, same, status } from '../assertions.ts';
import { define, drive, due, idsOf, lease, type RecordingCase, rules, states } from './recording-driver.ts';

/** Facts, and the decisions that rest on them. */
export const retentionCases: readonly RecordingCase[] = [
  define('fact.noted', 'keeps facts by patient and raises the revision by one each time', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    same(await stores.recordings.facts(scope, 'p'), { facts: [], revision: 0 }, 'none');
    // In an order that could have been: a birth is on no later day than care and death.
    const types = [
      'claim_opened',
      'claim_closed',
      'death',
      'treatment',
      'discharge',
      'therapy_ended',
      'birth',
    ] as const;
    const facts = types.map((type, i) => mine.fact({ patient: 'p', type, date: `2024-02-${29 - i}` }));
    for (const [i, fact] of facts.entries()) {
      const event = mine.event({ action: 'retention.fact' });
      same(await stores.recordings.noteFact(scope, fact, event), { status: 'noted', revision: i + 1 }, fact.type);
      holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
    }
    await drive(tools).noted('q');
    const kept = await stores.recordings.facts(scope, 'p');
    same(
      kept.facts.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      facts,
      'facts',
    );
    holds(kept.revision === facts.length, `revision ${kept.revision}`);
  }),

  define('fact.repeated', 'takes a fact once, and refuses other content under its id', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const fact = mine.fact({ patient: 'p' });
    await stores.recordings.noteFact(scope, fact, mine.event());
    same(await stores.recordings.noteFact(scope, fact, mine.event()), { status: 'repeated', revision: 1 }, 'a retry');
    const others = [
      { ...fact, date: '2026-01-16' },
      { ...fact, type: 'death' as const },
      { ...fact, patient: 'q' },
    ];
    for (const other of others)
      await rejects(stores.recordings.noteFact(scope, other, mine.event()), 'conflict', 'other content');
    same(await stores.recordings.facts(scope, 'p'), { facts: [fact], revision: 1 }, 'facts');
    same(await stores.recordings.facts(scope, 'q'), { facts: [], revision: 0 }, "another patient's facts");
    holds((await reader.countEvents()) === 1, 'a refused or repeated fact wrote an event');
  }),

  define('fact.at_once', 'loses no fact and no revision when several come at once', async (tools) => {
    const { stores, scope, mine } = tools;
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => stores.recordings.noteFact(scope, mine.fact({ patient: 'p' }), mine.event())),
    );
    same(answers.map(({ revision }) => revision).toSorted(), [1, 2, 3, 4, 5, 6], 'revisions');
    holds((await stores.recordings.facts(scope, 'p')).facts.length === 6, 'a fact is missing');
  }),

  define('decision.saved', 'keeps every member of a decision, and writes no event', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.inState('available');
    const before = await reader.countEvents();
    const { retainUntil: _r, warnAt: _w, graceUntil: _g, ...unknown } = mine.decision({ ruleIds: [] });
    const dateless = { ...unknown, undated: 'claim' as const };
    for (const decision of [mine.decision(), unknown, dateless, mine.decision({ ruleIds: ['a', 'b'] })]) {
      const result = await stores.recordings.saveDecision(scope, recording.id, decision, mine.event());
      same(status(result, 'saved', 'answer').recording.decision, decision, 'answered');
      same((await driver.fresh(recording)).decision, decision, 'read back');
    }
    holds((await reader.countEvents()) === before, 'a derived decision wrote an event');
    same(
      await stores.recordings.saveDecision(scope, mine.ids.uuid(), unknown, mine.event()),
      { status: 'not_found' },
      'unknown',
    );
  }),

  define('decision.stale', 'refuses a decision on facts that have moved on', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.decided(await driver.inState('available', { patient: 'p' }));
    await driver.noted('p');
    await driver.noted('p');
    for (const factsRevision of [0, 1, 3]) {
      const event = mine.event();
      const result = await stores.recordings.saveDecision(scope, recording.id, mine.decision({ factsRevision }), event);
      same(result, { status: 'stale' }, `on revision ${factsRevision}`);
      await driver.untouched(recording, event, 'a stale decision');
    }
    await driver.decided(recording, { factsRevision: 2 });
  }),

  define(
    'decision.restores',
    'brings an archived recording back when the date moves past the decision, with the event',
    async (tools) => {
      const { stores, scope, reader, mine } = tools;
      const driver = drive(tools);
      const archived = await driver.decided(await driver.inState('archived'), {
        decidedAt: '2033-02-01T00:00:00.000Z',
        retainUntil: '2033-01-16T05:00:00.000Z',
      });
      holds(archived.state === 'archived', 'a date that has passed restored it');
      const event = mine.event({ action: 'recording.restore' });
      const decision = mine.decision({
        decidedAt: '2033-02-01T00:00:00.000Z',
        retainUntil: '2040-01-16T05:00:00.000Z',
      });
      const { recording } = status(
        await stores.recordings.saveDecision(scope, archived.id, decision, event),
        'restored',
        'answer',
      );
      holds(recording.state === 'available', `it is ${recording.state}`);
      same(recording.decision, decision, 'decision');
      holds(recording.revision > archived.revision, 'the revision did not grow');
      holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
      const later = mine.event();
      const again = { ...decision, retainUntil: '2041-01-16T05:00:00.000Z' };
      status(await stores.recordings.saveDecision(scope, archived.id, again, later), 'saved', 'an available one');
      holds((await reader.eventsFor(later.id)).length === 0, 'an event without a restoration');
    },
  ),

  define(
    'decision.unknown_restores_nothing',
    'leaves an archived recording where it is while the decision is unknown',
    async (tools) => {
      const { stores, scope, mine } = tools;
      const archived = await drive(tools).inState('archived');
      const { retainUntil: _r, warnAt: _w, graceUntil: _g, ...unknown } = mine.decision({ ruleIds: [] });
      const { recording } = status(
        await stores.recordings.saveDecision(scope, archived.id, unknown, mine.event()),
        'saved',
        'answer',
      );
      holds(recording.state === 'archived', `it is ${recording.state}`);
    },
  ),

  define(
    'stale.lists',
    'lists what has no decision, one of other rules, or one on earlier facts; never what is deleted',
    async (tools) => {
      const { stores, scope } = tools;
      const driver = drive(tools);
      const of = (patient: string) => ({ patient });
      const none = await driver.inState('uploading', of('a'));
      const other = await driver.decided(await driver.inState('available', of('b')), { rulesVersion: 'rules-0' });
      const early = await driver.decided(await driver.inState('archived', of('c')), {
        decidedAt: '2033-02-01T00:00:00.000Z',
      });
      await driver.noted('c');
      await driver.decided(await driver.inState('available', of('d')));
      await driver.noted('e');
      await driver.decided(await driver.inState('failed', of('e')), { factsRevision: 1 });
      await driver.inState('deleted', of('f'));
      await driver.noted('f');
      const stale = await stores.recordings.staleDecisions(scope, rules, 10);
      same(idsOf(stale).toSorted(), idsOf([none, other, early]).toSorted(), 'stale');
      holds((await stores.recordings.staleDecisions(scope, rules, 2)).length === 2, 'the limit');
      holds(
        (await stores.recordings.staleDecisions(scope, 'rules-2', 10)).length === 5,
        'all are stale under new rules',
      );
    },
  ),

  define('archive.due', 'lists what is available and past its date, by a decision that is not stale', async (tools) => {
    const { stores, scope } = tools;
    const driver = drive(tools);
    const of = (patient: string) => ({ patient });
    const wanted = await driver.decided(await driver.inState('available', of('a')));
    const moved = await driver.decided(await driver.inState('available', of('b')));
    await driver.noted('b');
    await driver.decided(await driver.inState('available', of('c')), { rulesVersion: 'rules-0' });
    await driver.decided(await driver.inState('available', of('d')), {
      retainUntil: '2050-01-01T00:00:00.000Z',
      graceUntil: '2050-04-01T00:00:00.000Z',
    });
    await driver.inState('available', of('e'));
    await driver.decided(await driver.inState('archived', of('f')), { decidedAt: '2033-02-01T00:00:00.000Z' });
    await driver.decided(await driver.inState('failed', of('g')));
    same(await stores.recordings.dueArchives(scope, due, rules, 10), [wanted], 'due');
    same(
      await stores.recordings.dueArchives(scope, new Date('2033-01-16T04:59:59.999Z'), rules, 10),
      [],
      'a moment early',
    );
    await driver.decided(moved, { factsRevision: 1 });
    holds((await stores.recordings.dueArchives(scope, due, rules, 10)).length === 2, 'decided anew');
    holds((await stores.recordings.dueArchives(scope, due, rules, 1)).length === 1, 'the limit');
    await driver.moved(await driver.fresh(wanted), { to: 'archived' });
    same(idsOf(await stores.recordings.dueArchives(scope, due, rules, 10)), [moved.id], 'archived by now');
  }),

  define('warning.once', 'lists a warning from its day on until it was recorded, once', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.decided(await driver.inState('available'));
    const deadline = mine.decision().graceUntil ?? '';
    const early = new Date('2033-03-17T04:59:59.999Z');
    same(await stores.recordings.dueWarnings(scope, early, 10), [], 'a moment early');
    same(
      await stores.recordings.dueWarnings(scope, new Date('2033-03-17T05:00:00.000Z'), 10),
      [recording],
      'on its day',
    );
    const event = mine.event({ action: 'recording.retention_warning' });
    same(await stores.recordings.recordWarning(scope, recording.id, deadline, event), { status: 'recorded' }, 'first');
    same(
      await stores.recordings.recordWarning(scope, recording.id, deadline, mine.event()),
      { status: 'repeated' },
      'second',
    );
    holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
    same(await stores.recordings.dueWarnings(scope, due, 10), [], 'after it was recorded');
    const unknown = await stores.recordings.recordWarning(scope, mine.ids.uuid(), deadline, mine.event());
    same(unknown, { status: 'not_found' }, 'unknown');
  }),

  define('warning.moved', 'warns again when the deadline moves, and never of one that has moved', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.decided(await driver.inState('available'));
    const old = mine.decision().graceUntil ?? '';
    await stores.recordings.recordWarning(scope, recording.id, old, mine.event());
    const moved = { warnAt: '2033-06-17T05:00:00.000Z', graceUntil: '2033-07-17T05:00:00.000Z' };
    await driver.decided(recording, moved);
    same(idsOf(await stores.recordings.dueWarnings(scope, due, 10)), [recording.id], 'due again');
    const before = await reader.countEvents();
    same(
      await stores.recordings.recordWarning(scope, recording.id, old, mine.event()),
      { status: 'stale' },
      'the old deadline',
    );
    holds((await reader.countEvents()) === before, 'a stale warning wrote an event');
    same(
      await stores.recordings.recordWarning(scope, recording.id, moved.graceUntil, mine.event()),
      { status: 'recorded' },
      'the new one',
    );
    same(await stores.recordings.dueWarnings(scope, due, 10), [], 'warned of both');
  }),

  define(
    'warning.moved_back',
    'warns again of a deadline that moved away and back: what was said of it was taken back',
    async (tools) => {
      const { stores, scope, mine } = tools;
      const driver = drive(tools);
      const recording = await driver.expired();
      await driver.decided(recording, { graceUntil: '2033-07-17T05:00:00.000Z' });
      const back = await driver.decided(recording);
      same(back.deletableAt, undefined, 'deletable by the earlier warning');
      same(await stores.recordings.claimExpired(scope, due, rules, lease), [], 'claimed by the earlier warning');
      same(idsOf(await stores.recordings.dueWarnings(scope, due, 10)), [recording.id], 'due again');
      const { retainUntil: _r, warnAt: _w, graceUntil: _g, ...unknown } = mine.decision({ ruleIds: [] });
      await driver.warned(back);
      await stores.recordings.saveDecision(scope, recording.id, unknown, mine.event());
      holds((await driver.decided(recording)).deletableAt === undefined, 'deletable after there was no date');
      const last = await driver.warned(back);
      same(last.deletableAt, mine.decision().graceUntil, 'after it was warned of again');
      same((await driver.decided(recording)).deletableAt, last.deletableAt, 'decided again, the same deadline');
    },
  ),

  define('warning.states', 'warns of what may still be deleted, not of what is being or was', async (tools) => {
    const { stores, scope } = tools;
    const driver = drive(tools);
    const archived = await driver.decided(await driver.inState('archived'), { decidedAt: '2033-02-01T00:00:00.000Z' });
    for (const state of states.filter((one) => one === 'deleting' || one === 'deleted')) await driver.inState(state);
    await driver.inState('available');
    same(idsOf(await stores.recordings.dueWarnings(scope, due, 10)), [archived.id], 'due');
    await driver.decided(await driver.inState('available'));
    holds((await stores.recordings.dueWarnings(scope, due, 1)).length === 1, 'the limit');
  }),

  define('warning.at_once', 'records a warning once when two sweeps meet', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.decided(await driver.inState('available'));
    const before = await reader.countEvents();
    const deadline = recording.decision?.graceUntil ?? '';
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => stores.recordings.recordWarning(scope, recording.id, deadline, mine.event())),
    );
    holds(answers.filter(({ status }) => status === 'recorded').length === 1, 'not exactly one was recorded');
    holds((await reader.countEvents()) === before + 1, 'not exactly one event');
  }),

  define(
    'decision.stale_is_not_claimed',
    'lets no decision on earlier facts or rules delete anything',
    async (tools) => {
      const { stores, scope } = tools;
      const driver = drive(tools);
      await driver.expired({}, { patient: 'p' });
      await driver.noted('p');
      await driver.expired({ rulesVersion: 'rules-0' }, { patient: 'q' });
      same(await stores.recordings.claimExpired(scope, due, rules, lease), [], 'claimed on a stale decision');
    },
  ),
];
