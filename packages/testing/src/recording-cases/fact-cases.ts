import type { RetentionFact } from '@medzen/core';
import { holds, rejects, same } from '../assertions.ts';
import { define, type RecordingCase, type RecordingTools } from './recording-driver.ts';

const day = 86_400_000;

/** The calendar date so many days from the store's present one, in UTC. */
function fromToday({ clock }: RecordingTools, days: number): string {
  return new Date(clock.now().getTime() + days * day).toISOString().slice(0, 10);
}

/** Notes facts of one patient, one after the other. */
async function noteAll(tools: RecordingTools, given: readonly Partial<RetentionFact>[]): Promise<RetentionFact[]> {
  const facts = given.map((one) => tools.mine.fact({ patient: 'p', ...one }));
  for (const fact of facts) await tools.stores.recordings.noteFact(tools.scope, fact, tools.mine.event());
  return facts;
}

/** Fails unless the fact is refused, and nothing of it was written. */
async function refused(
  tools: RecordingTools,
  given: Partial<RetentionFact>,
  code: 'invalid_input' | 'conflict',
  message: string,
): Promise<void> {
  const { stores, scope, reader, mine } = tools;
  const fact = mine.fact({ patient: 'p', ...given });
  const before = await stores.recordings.facts(scope, fact.patient);
  const event = mine.event();
  await rejects(stores.recordings.noteFact(scope, fact, event), code, message);
  same(await stores.recordings.facts(scope, fact.patient), before, `${message}: facts`);
  holds((await reader.eventsFor(event.id)).length === 0, `${message}: the event was written`);
}

/** Bounds of facts, and the correction of mistaken ones. A store checks both itself: a client may be older, or hostile. */
export const factCases: readonly RecordingCase[] = [
  define('fact.bounds', 'refuses a date before 1900 and one more than a day in the future', async (tools) => {
    const zone = 'UTC';
    for (const type of ['treatment', 'birth', 'death', 'claim_opened'] as const) {
      for (const date of ['1899-12-31', '0001-01-01', fromToday(tools, 2), '2996-01-01', '9001-01-01', '9999-12-31'])
        await refused(tools, { type, date, zone }, 'invalid_input', `${type} on ${date}`);
    }
    await noteAll(tools, [
      { type: 'birth', date: '1900-01-01', zone },
      { date: fromToday(tools, 0), zone },
      { date: fromToday(tools, 1), zone },
    ]);
  }),

  define('fact.zones', 'refuses what is not the name of a time zone', async (tools) => {
    for (const zone of ['Atlanta', 'Mars/Olympus', 'UTC+5', 'America/Atlanta5', '+05:00', 'America/New_York; DROP'])
      await refused(tools, { zone }, 'invalid_input', zone);
    await noteAll(tools, [{ zone: 'America/Argentina/Buenos_Aires' }, { zone: 'UTC' }, { zone: 'Africa/Douala' }]);
  }),

  define(
    'fact.contradicts',
    'refuses a birth after care or a death, and a death before the birth; never a treatment',
    async (tools) => {
      const [treatment] = await noteAll(tools, [{ date: '2020-05-01' }]);
      await refused(tools, { type: 'birth', date: '2020-05-02' }, 'invalid_input', 'born after a treatment');
      const [birth] = await noteAll(tools, [{ type: 'birth', date: '2020-05-01' }]);
      await refused(tools, { type: 'death', date: '2020-04-30' }, 'invalid_input', 'died before the birth');
      await noteAll(tools, [{ type: 'death', date: '2021-01-01' }, { date: '2019-01-01' }, { date: '2022-01-01' }]);
      // What is void does not stand in the way, nor does what the fact itself voids.
      await refused(
        tools,
        { type: 'birth', date: '2019-06-01', voids: birth?.id ?? '' },
        'invalid_input',
        'born after the earlier treatment',
      );
      holds(treatment !== undefined, 'treatment');
    },
  ),

  define('fact.voids', 'keeps what a fact voids, and lets a void be voided in its turn', async (tools) => {
    const { stores, scope, mine } = tools;
    const [death] = await noteAll(tools, [{ type: 'death', date: '2026-01-02' }]);
    const id = death?.id ?? '';
    const [first] = await noteAll(tools, [{ type: 'void', date: '2026-01-03', voids: id }]);
    await refused(tools, { type: 'void', voids: id }, 'conflict', 'void already');
    const [second] = await noteAll(tools, [{ type: 'void', date: '2026-01-04', voids: first?.id ?? '' }]);
    // It stands again, so it can be voided again.
    const [third] = await noteAll(tools, [{ type: 'discharge', date: '2026-01-02', voids: id }]);
    const kept = await stores.recordings.facts(scope, 'p');
    same(kept, { facts: [death, first, second, third], revision: 4 }, 'all of them, in order');
    const again = mine.event();
    holds(third !== undefined, 'third');
    same(
      await stores.recordings.noteFact(scope, third, again),
      { status: 'repeated', revision: 4 },
      'a retry of a correction',
    );
    const { voids: _, ...plain } = third;
    await rejects(stores.recordings.noteFact(scope, plain, again), 'conflict', 'the same id without voids');
  }),

  define('fact.voids_own', 'voids only what is noted of the same patient and tenant', async (tools) => {
    const { stores, otherScope, mine, theirs } = tools;
    const [fact] = await noteAll(tools, [{ patient: 'q' }]);
    const foreign = theirs.fact({ patient: 'p' });
    await stores.recordings.noteFact(otherScope, foreign, theirs.event());
    await refused(tools, { voids: fact?.id ?? '' }, 'invalid_input', "another patient's");
    await refused(tools, { voids: foreign.id }, 'invalid_input', "another tenant's");
    await refused(tools, { voids: mine.ids.uuid() }, 'invalid_input', 'nothing');
    await refused(tools, { type: 'void' }, 'invalid_input', 'a void of nothing');
  }),

  define('fact.voids_stale', 'makes decisions stale when a fact is voided', async (tools) => {
    const { stores, scope, mine } = tools;
    const { id } = mine.newRecording();
    const row = mine.newRecording({ id, patient: 'p' });
    await stores.recordings.start(scope, row, [], mine.event());
    const [fact] = await noteAll(tools, [{}]);
    await stores.recordings.saveDecision(scope, id, mine.decision({ factsRevision: 1 }), mine.event());
    same(await stores.recordings.staleDecisions(scope, 'rules-1', 10), [], 'fresh');
    await noteAll(tools, [{ type: 'void', voids: fact?.id ?? '' }]);
    const stale = await stores.recordings.staleDecisions(scope, 'rules-1', 10);
    same(
      stale.map((one) => one.id),
      [id],
      'stale',
    );
  }),
];
