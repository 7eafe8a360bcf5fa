import { holds, rejects, same, status } from '../assertions.ts';
import {
  claimedIds,
  define,
  drive,
  due,
  idsOf,
  intentOf,
  lease,
  type RecordingCase,
  removalOf,
  rules,
} from './recording-driver.ts';

const keep = { until: '2040-06-01T00:00:00.000Z', reason: 'A complaint to the board' } as const;
const later = { until: '2045-06-01T00:00:00.000Z', reason: 'The complaint goes on' } as const;

/** The floor of a single recording, and what no rule gives a date. */
export const keepCases: readonly RecordingCase[] = [
  define('keep.at_start', 'keeps the floor that a recording was started with', async (tools) => {
    const { stores, scope, mine } = tools;
    const recording = await drive(tools).started({ keepUntil: keep });
    same(recording.keepUntil, keep, 'answered');
    same((await stores.recordings.get(scope, recording.id))?.keepUntil, keep, 'read back');
    const far = { until: '9000-01-01T00:00:00.000Z', reason: 'for ever' };
    const row = mine.newRecording({ keepUntil: far });
    await rejects(stores.recordings.start(scope, row, [], mine.event()), 'invalid_input', 'a floor in the year 9000');
    holds((await stores.recordings.get(scope, row.id)) === undefined, 'a refused start left a row');
  }),

  define('keep.extended', 'moves a floor later with its event, and never earlier', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.inState('available');
    const event = mine.event({ action: 'retention.keep' });
    const set = status(await stores.recordings.extendKeep(scope, recording.id, keep, event), 'extended', 'set');
    same(set.recording.keepUntil, keep, 'set');
    holds(set.recording.revision > recording.revision, 'the revision did not grow');
    holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
    status(await stores.recordings.extendKeep(scope, recording.id, later, mine.event()), 'extended', 'moved');
    const before = await driver.fresh(recording);
    const unwritten = mine.event();
    for (const [given, answer] of [
      [later, 'repeated'],
      [keep, 'shorter'],
    ] as const)
      status(await stores.recordings.extendKeep(scope, recording.id, given, unwritten), answer, answer);
    await driver.untouched(before, unwritten, 'not moved later');
    same(
      await stores.recordings.extendKeep(scope, mine.ids.uuid(), keep, unwritten),
      { status: 'not_found' },
      'unknown',
    );
    for (const wrong of [
      { ...later, until: '9000-01-01T00:00:00.000Z' },
      { ...later, reason: '' },
    ])
      await rejects(stores.recordings.extendKeep(scope, recording.id, wrong, unwritten), 'invalid_input', 'bounds');
    await driver.untouched(before, unwritten, 'out of bounds');
  }),

  define('keep.drops_decision', 'drops the decision and warning made without it', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    await stores.recordings.extendKeep(scope, recording.id, keep, mine.event());
    const after = await driver.fresh(recording);
    holds(after.decision === undefined && after.deletableAt === undefined, 'a decision is left');
    same(idsOf(await stores.recordings.staleDecisions(scope, rules, 10)), [recording.id], 'to be decided again');
    same(await stores.recordings.claimExpired(scope, due, rules, lease), [], 'claimed');
  }),

  define('keep.stands', 'neither claims nor deletes before the floor, whatever was decided', async (tools) => {
    const { stores, scope } = tools;
    // A client that does not know of floors decides without it.
    const kept = await drive(tools).expired({}, { keepUntil: keep });
    const free = await drive(tools).expired({}, { keepUntil: { ...keep, until: due.toISOString() } });
    same(claimedIds(await stores.recordings.claimExpired(scope, due, rules, lease)), [free.id], 'claimed');
    same(await stores.recordings.claimExpired(scope, due, rules, { ...lease, id: kept.id }), [], 'claimed by id');
  }),

  define('keep.between', 'stops a deletion that was claimed and not begun', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const claim = await driver.claimedExpired(recording);
    await stores.recordings.extendKeep(scope, recording.id, keep, mine.event());
    const kept = await driver.fresh(recording);
    const event = mine.event();
    const answer = await stores.recordings.beginDeletion(scope, recording.id, intentOf(claim), event);
    holds(answer.status === 'stale' || answer.status === 'not_due', `it answered ${answer.status}`);
    await driver.untouched(kept, event, 'a floor in between');
  }),

  define('keep.too_late', 'answers too_late once something was removed, and writes nothing', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    for (const state of ['deleting', 'deleted'] as const) {
      const recording =
        state === 'deleted' ? await driver.inState(state) : (await driver.removing(await driver.expired())).recording;
      const before = await driver.fresh(recording);
      const event = mine.event();
      status(await stores.recordings.extendKeep(scope, recording.id, keep, event), 'too_late', state);
      await driver.untouched(before, event, state);
    }
  }),

  define('keep.begun', 'stops a deletion that was begun and removed nothing, which can be canceled', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.expired();
    const claim = await driver.begun(recording);
    status(await stores.recordings.extendKeep(scope, recording.id, keep, mine.event()), 'extended', 'the floor');
    for (const removal of [{ removing: [{ ref: 'media', size: 7 }] }, { provider: true }]) {
      const given = { ...removalOf(claim), ...removal };
      same(await stores.recordings.noteRemoval(scope, recording.id, given), { status: 'stale' }, 'a removal');
    }
    const cancel = { token: claim.token, at: '2033-05-02T00:00:00.000Z', failureCode: 'stale' };
    const result = await stores.recordings.cancelDeletion(scope, recording.id, cancel, mine.event());
    const kept = status(result, 'canceled', 'cancel').recording;
    same([kept.state, kept.keepUntil], [recording.state, keep], 'where it was, with the floor');
  }),

  define(
    'keep.decided_again',
    'stops the first removal also when another worker has decided with it',
    async (tools) => {
      const { stores, scope, mine } = tools;
      const driver = drive(tools);
      const recording = await driver.expired();
      const claim = await driver.begun(recording);
      status(await stores.recordings.extendKeep(scope, recording.id, keep, mine.event()), 'extended', 'the floor');
      const again = await stores.recordings.saveDecision(scope, recording.id, mine.decision(), mine.event());
      status(again, 'saved', 'another worker');
      for (const removal of [{ removing: [{ ref: 'media', size: 7 }] }, { provider: true }]) {
        const given = { ...removalOf(claim), ...removal };
        same(await stores.recordings.noteRemoval(scope, recording.id, given), { status: 'stale' }, 'a removal');
      }
      const { deletion } = await driver.fresh(recording);
      same([deletion?.versions, deletion?.providerAsked ?? false], [0, false], 'noted');
    },
  ),

  define('undecided', 'lists and counts what no rule gives a date, the oldest first', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const { retainUntil: _r, warnAt: _w, graceUntil: _g, ...dateless } = mine.decision({ ruleIds: [] });
    const decide = async (undated: 'unknown' | 'claim' | 'unjudged', startedAt: string) => {
      const recording = await driver.inState('available', { startedAt });
      await stores.recordings.saveDecision(scope, recording.id, { ...dateless, undated }, mine.event());
      return driver.fresh(recording);
    };
    same(await stores.recordings.undecided(scope, 10), { count: 0, recordings: [] }, 'none');
    const younger = await decide('unjudged', '2026-01-02T00:00:00.000Z');
    const older = await decide('unknown', '2026-01-01T00:00:00.000Z');
    await decide('claim', '2026-01-01T00:00:00.000Z');
    await driver.decided(await driver.inState('available'));
    same(await stores.recordings.undecided(scope, 10), { count: 2, recordings: [older, younger] }, 'both');
    same(await stores.recordings.undecided(scope, 1), { count: 2, recordings: [older] }, 'the limit');
    for (const limit of [0, 1001, 1.5])
      await rejects(stores.recordings.undecided(scope, limit), 'invalid_input', `a limit of ${limit}`);
    await driver.decided(older);
    same(await stores.recordings.undecided(scope, 10), { count: 1, recordings: [younger] }, 'decided by now');
  }),
];
