import { at, holds, present, rejects, same, status } from '../assertions.ts';
import { deletionReason } from '../samples.ts';
import {
  claimedIds,
  define,
  drive,
  due,
  idsOf,
  intentOf,
  lease,
  minute,
  type RecordingCase,
  rules,
} from './recording-driver.ts';

const day = 1440 * minute;

/** From the claim of what has run out to the tombstone. */
export const deletionCases: readonly RecordingCase[] = [
  define('expired.due', 'claims what is past its grace, earliest deadline first', async (tools) => {
    const { stores, scope } = tools;
    const driver = drive(tools);
    const ends = (day: string) => ({ graceUntil: `2033-05-${day}T04:00:00.000Z` });
    const second = await driver.expired(ends('02'));
    const third = await driver.warned(await driver.decided(await driver.inState('failed'), ends('03')));
    const archived = { ...ends('01'), decidedAt: '2033-02-01T00:00:00.000Z' };
    const first = await driver.warned(await driver.decided(await driver.inState('archived'), archived));
    await driver.expired({ graceUntil: '2050-05-01T04:00:00.000Z' });
    await driver.inState('available');
    await driver.warned(await driver.decided(await driver.inState('uploading'), ends('01')));
    const claim = async (limit: number) =>
      claimedIds(await stores.recordings.claimExpired(scope, due, rules, { limit, leaseMs: 60_000 }));
    same(await claim(2), idsOf([first, second]), 'the earliest two');
    same(await claim(10), [third.id], 'the rest');
    same(await claim(10), [], 'nothing is left');
  }),

  define('expired.moment', 'claims from the very moment, and none before', async (tools) => {
    const { stores, scope } = tools;
    const recording = await drive(tools).expired();
    const grace = new Date(recording.decision?.graceUntil ?? '');
    const early = new Date(grace.getTime() - 1);
    same(await stores.recordings.claimExpired(scope, early, rules, lease), [], 'a millisecond early');
    same(claimedIds(await stores.recordings.claimExpired(scope, grace, rules, lease)), [recording.id], 'at the moment');
  }),

  define(
    'expired.not_warned',
    'claims nothing of whose deadline nobody was warned, whatever the year',
    async (tools) => {
      const { stores, scope, mine } = tools;
      const driver = drive(tools);
      const never = await driver.decided(await driver.inState('available'));
      const moved = await driver.decided(await driver.expired(), { graceUntil: '2033-04-17T05:00:00.000Z' });
      const claim = (id?: string) =>
        stores.recordings.claimExpired(scope, due, rules, { ...lease, ...(id === undefined ? {} : { id }) });
      same(await claim(), [], 'unwarned, or warned of another deadline');
      for (const { id, deletableAt } of [never, moved]) {
        same(await claim(id), [], 'by id');
        holds(deletableAt === undefined, 'it has an end of notice');
      }
      const late = await driver.expired();
      const { token } = await driver.claimedExpired(late);
      const again = await driver.decided(late, { graceUntil: '2033-04-18T05:00:00.000Z' });
      const event = mine.event();
      const intent = { ...deletionReason, token, factsRevision: 0, rulesVersion: rules, now: due };
      same(await stores.recordings.beginDeletion(scope, late.id, intent, event), { status: 'not_due' }, 'between');
      await driver.untouched(again, event, 'not warned');
    },
  ),

  define(
    'expired.late_warning',
    'waits as long after a late warning as was meant to lie before the deadline',
    async (tools) => {
      const { stores, scope, mine, clock, advance } = tools;
      const driver = drive(tools);
      const soon = (ms: number) => new Date(clock.now().getTime() + ms);
      const decision = { warnAt: soon(-28 * day).toISOString(), graceUntil: soon(2 * day).toISOString() };
      const timely = { warnAt: soon(0).toISOString(), graceUntil: soon(30 * day).toISOString() };
      const recording = await driver.expired(decision);
      const punctual = await driver.expired(timely);
      const end = soon(30 * day);
      same(recording.deletableAt, end.toISOString(), 'thirty days from the warning');
      same(punctual.deletableAt, timely.graceUntil, 'in time: the deadline itself');
      await advance(3 * day);
      const claim = (now: Date) => stores.recordings.claimExpired(scope, now, rules, { ...lease, id: recording.id });
      same(await claim(clock.now()), [], 'past the grace');
      same(await claim(new Date(end.getTime() - 1)), [], 'a millisecond early');
      const shorter = await driver.decided(recording, { ...decision, warnAt: soon(-11 * day).toISOString() });
      same(shorter.deletableAt, new Date(end.getTime() - 20 * day).toISOString(), 'by a policy of ten days');
      const longer = await driver.decided(shorter, decision);
      same(longer.deletableAt, end.toISOString(), 'by the first policy again: it was warned of then');
      const { token } = at(await claim(end), 0, 'at the moment');
      const intent = {
        ...deletionReason,
        token,
        factsRevision: 0,
        rulesVersion: rules,
        now: new Date(end.getTime() - 1),
      };
      same(
        await stores.recordings.beginDeletion(scope, recording.id, intent, mine.event()),
        { status: 'not_due' },
        'early',
      );
      const begun = await stores.recordings.beginDeletion(scope, recording.id, { ...intent, now: end }, mine.event());
      status(begun, 'begun', 'at the moment');
    },
  ),

  define('expired.unknown', 'never claims where the decision is unknown', async (tools) => {
    const { stores, scope, mine } = tools;
    const recording = await drive(tools).inState('available');
    const { retainUntil: _r, warnAt: _w, graceUntil: _g, ...unknown } = mine.decision({ ruleIds: [] });
    await stores.recordings.saveDecision(scope, recording.id, unknown, mine.event());
    const never = new Date('9999-12-31T00:00:00.000Z');
    same(await stores.recordings.claimExpired(scope, never, rules, lease), [], 'in the year 9999');
    same(await stores.recordings.dueArchives(scope, never, rules, 10), [], 'to archive');
    same(await stores.recordings.dueWarnings(scope, never, 10), [], 'to warn of');
  }),

  define('expired.by_id', 'claims one by its id only when it is due', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const one = await driver.expired();
    const other = await driver.expired();
    const young = await driver.expired({ graceUntil: '2050-05-01T04:00:00.000Z' });
    const claim = async (id: string) =>
      claimedIds(await stores.recordings.claimExpired(scope, due, rules, { ...lease, id }));
    same(await claim(other.id), [other.id], 'by id');
    same(await claim(other.id), [], 'during the lease');
    same(await claim(young.id), [], 'not due');
    same(await claim(mine.ids.uuid()), [], 'unknown');
    same(claimedIds(await stores.recordings.claimExpired(scope, due, rules, lease)), [one.id], 'the rest');
  }),

  define('expired.poison', 'lets rows that fail starve nobody', async (tools) => {
    const { stores, scope } = tools;
    const driver = drive(tools);
    const poison: string[] = [];
    for (let i = 0; i < 3; i++) poison.push((await driver.expired({ graceUntil: '2033-04-01T00:00:00.000Z' })).id);
    const good = (await driver.expired({ graceUntil: '2033-05-01T00:00:00.000Z' })).id;
    const claim = () => stores.recordings.claimExpired(scope, due, rules, { limit: 3, leaseMs: 1000 });
    const first = await claim();
    same(claimedIds(first).toSorted(), poison.toSorted(), 'the earliest deadlines');
    for (const { recording, token } of first)
      await stores.recordings.releaseClaim(scope, recording.id, token, 'AccessDenied');
    same(claimedIds(await claim()), [good], 'the next in turn');
    await tools.advance(minute + 2000);
    const again = await claim();
    holds(
      again.filter(({ recording }) => poison.includes(recording.id)).length === 3,
      'the failed ones are not offered again',
    );
    holds(
      again.every(({ attempts }) => attempts === 2),
      'their attempts are not counted',
    );
  }),

  define('begin', 'commits the intent with its event, once', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const claim = await driver.claimedExpired(recording);
    const event = mine.event({ action: 'recording.delete' });
    const begun = status(
      await stores.recordings.beginDeletion(scope, recording.id, intentOf(claim), event),
      'begun',
      'begin',
    );
    holds(begun.recording.state === 'deleting', `it is ${begun.recording.state}`);
    holds(begun.recording.revision > recording.revision, 'the revision did not grow');
    same(await driver.fresh(recording), begun.recording, 'read back');
    holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
    const before = await reader.countEvents();
    status(await stores.recordings.beginDeletion(scope, recording.id, intentOf(claim), mine.event()), 'begun', 'again');
    holds((await reader.countEvents()) === before, 'a second event');
    same(
      await stores.recordings.beginDeletion(scope, mine.ids.uuid(), intentOf(claim), mine.event()),
      { status: 'not_found' },
      'unknown',
    );
  }),

  define('begin.stale', 'refuses when a fact or a rule came between', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const refused = async (id: string, intent: ReturnType<typeof intentOf>, what: string): Promise<void> => {
      const event = mine.event();
      const before = present(await stores.recordings.get(scope, id), 'recording');
      same(await stores.recordings.beginDeletion(scope, id, intent, event), { status: 'stale' }, what);
      await driver.untouched(before, event, what);
    };
    const first = await driver.expired({}, { patient: 'p' });
    const claim = await driver.claimedExpired(first);
    await refused(first.id, { ...intentOf(claim), rulesVersion: 'rules-2' }, 'new rules');
    await refused(first.id, { ...intentOf(claim), factsRevision: 1 }, 'facts that are not there');
    await driver.noted('p');
    await refused(first.id, intentOf(claim), 'a new fact');
    await refused(first.id, { ...intentOf(claim), factsRevision: 1 }, 'the new fact, but no decision on it');
  }),

  define('begin.not_due', 'refuses before the grace has ended, whatever was claimed', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const claim = await driver.claimedExpired(recording);
    const early = { ...intentOf(claim), now: new Date('2033-04-16T04:59:59.999Z') };
    const event = mine.event();
    same(
      await stores.recordings.beginDeletion(scope, recording.id, early, event),
      { status: 'not_due' },
      'a clock set back',
    );
    await driver.untouched(recording, event, 'not due');
    const moved = await driver.decided(recording, { graceUntil: '2050-04-16T05:00:00.000Z' });
    same(
      await stores.recordings.beginDeletion(scope, recording.id, intentOf(claim), event),
      { status: 'not_due' },
      'a decision that moved',
    );
    await driver.untouched(moved, event, 'not due');
  }),

  define('begin.fenced', 'refuses a worker whose lease was given to another', async (tools) => {
    const { stores, scope, mine, advance } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const first = await driver.claimedExpired(recording);
    await advance(5 * minute);
    const second = await driver.claimedExpired(recording);
    for (const token of [first.token, '0', '999999999']) {
      const event = mine.event();
      const intent = { ...intentOf(second), token };
      same(
        await stores.recordings.beginDeletion(scope, recording.id, intent, event),
        { status: 'lease_lost' },
        `token ${token}`,
      );
      await driver.untouched(recording, event, 'a lost lease');
    }
    status(
      await stores.recordings.beginDeletion(scope, recording.id, intentOf(second), mine.event()),
      'begun',
      'the holder',
    );
  }),

  define('begin.never_claimed', 'refuses what was never claimed', async (tools) => {
    const { stores, scope, mine } = tools;
    const recording = await drive(tools).expired();
    for (const token of ['', '0', '1']) {
      const intent = { ...deletionReason, token, factsRevision: 0, rulesVersion: rules, now: due };
      same(
        await stores.recordings.beginDeletion(scope, recording.id, intent, mine.event()),
        { status: 'lease_lost' },
        `token ${token}`,
      );
    }
  }),

  define('deleting.converges', 'offers what is deleting until it is finished, whatever came between', async (tools) => {
    const { stores, scope, mine, reader } = tools;
    const driver = drive(tools);
    const recording = await driver.expired({}, { patient: 'p' });
    const first = await driver.removing(recording);
    // The worker dies. Meanwhile there are a fact, a hold on the patient, new rules; and the clock of retention was set back.
    await tools.advance(5 * minute);
    await driver.noted('p');
    await driver.placed({ patient: 'p' });
    const options = { ...lease, id: recording.id };
    const claims = await stores.recordings.claimExpired(
      scope,
      new Date('2027-01-01T00:00:00.000Z'),
      'rules-9',
      options,
    );
    const second = at(claims, 0, 'a claim of what is deleting');
    holds(
      BigInt(second.token) > BigInt(first.token) && second.attempts === 2,
      'not a second attempt under a greater token',
    );
    const before = await reader.countEvents();
    status(
      await stores.recordings.beginDeletion(scope, recording.id, intentOf(second), mine.event()),
      'begun',
      'again',
    );
    const lost = await stores.recordings.beginDeletion(scope, recording.id, intentOf(first), mine.event());
    same(lost, { status: 'lease_lost' }, 'the first worker');
    holds((await reader.countEvents()) === before, 'an event of a second beginning');
    const old = await stores.recordings.finishDeletion(
      scope,
      recording.id,
      first.token,
      mine.tombstone(),
      mine.event(),
    );
    same(old, { status: 'lease_lost' }, 'the first worker finishes');
    const done = await stores.recordings.finishDeletion(
      scope,
      recording.id,
      second.token,
      mine.tombstone(),
      mine.event(),
    );
    status(done, 'finished', 'the second worker finishes');
  }),

  define('finish', 'writes one tombstone with its event and drops the references to media', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const available = await driver.moved(await driver.inState('available'), {
      media: { ref: 'CJ1', contentType: 'video/mp4' },
      endedAt: '2026-01-15T09:30:00.000Z',
    });
    const recording = await driver.warned(await driver.decided(available));
    const { token } = await driver.begun(recording);
    const said = { providerNote: 'Twilio keeps nothing', mediaExpired: true, mediaMissing: true };
    const tombstone = mine.tombstone(said);
    const event = mine.event({ action: 'recording.delete', kind: 'delete' });
    const result = await stores.recordings.finishDeletion(scope, recording.id, token, tombstone, event);
    const deleted = status(result, 'finished', 'finish').recording;
    holds(deleted.state === 'deleted', `it is ${deleted.state}`);
    same(deleted.tombstone, tombstone, 'tombstone');
    holds(deleted.media === undefined && deleted.object === undefined, 'a reference to media stayed');
    same(
      [deleted.patient, deleted.sessionId, deleted.endedAt],
      [recording.patient, recording.sessionId, recording.endedAt],
      'the rest',
    );
    same(await driver.fresh(recording), deleted, 'read back');
    holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
    const before = await reader.countEvents();
    const again = await stores.recordings.finishDeletion(
      scope,
      recording.id,
      token,
      mine.tombstone({ reason: 'again' }),
      mine.event(),
    );
    same(again, { status: 'already_deleted' }, 'again');
    same((await driver.fresh(recording)).tombstone, tombstone, 'the first tombstone');
    holds((await reader.countEvents()) === before, 'a second event');
    same(
      await stores.recordings.claimExpired(scope, due, rules, { ...lease, id: recording.id }),
      [],
      'claimed when deleted',
    );
    const unknown = await stores.recordings.finishDeletion(scope, mine.ids.uuid(), token, tombstone, mine.event());
    same(unknown, { status: 'not_found' }, 'unknown');
  }),

  define('finish.not_begun', 'deletes nothing that was not begun', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const { token } = await driver.claimedExpired(recording);
    const event = mine.event();
    await rejects(
      stores.recordings.finishDeletion(scope, recording.id, token, mine.tombstone(), event),
      'invalid_transition',
      'not begun',
    );
    await driver.untouched(recording, event, 'not begun');
  }),

  define('finish.at_once', 'makes one tombstone of two workers', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const { token } = await driver.begun(recording);
    const before = await reader.countEvents();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        stores.recordings.finishDeletion(scope, recording.id, token, mine.tombstone(), mine.event()),
      ),
    );
    holds(answers.filter(({ status }) => status === 'finished').length === 1, 'not exactly one finished');
    holds(
      answers.every(({ status }) => status === 'finished' || status === 'already_deleted'),
      'another answer',
    );
    holds((await reader.countEvents()) === before + 1, 'not exactly one event');
  }),

  define('expired.two_sweeps', 'gives every row to one of several sweeps that claim at once', async (tools) => {
    const { stores, scope } = tools;
    const driver = drive(tools);
    const wanted: string[] = [];
    for (let i = 0; i < 9; i++) wanted.push((await driver.expired()).id);
    const claims = await Promise.all(
      Array.from({ length: 5 }, () => stores.recordings.claimExpired(scope, due, rules, { limit: 4, leaseMs: 60_000 })),
    );
    const found = claims.flatMap(claimedIds);
    holds(new Set(found).size === found.length, 'a row was given to two sweeps');
    const rest = await stores.recordings.claimExpired(scope, due, rules, { limit: 100, leaseMs: 60_000 });
    same([...found, ...claimedIds(rest)].toSorted(), wanted.toSorted(), 'each row once');
  }),
];
