import { type RecordingChange, type RecordingState, recordingTransitions } from '@medzen/core';
import { holds, present, rejects, same, status } from '../assertions.ts';
import { define, drive, lease, type RecordingCase, states } from './recording-driver.ts';

/** What `change` allows: the table, but for the roads that only a deletion, its end or its cancellation may take. */
function changeable(from: RecordingState, to: RecordingState): boolean {
  if (from === 'deleting' || to === 'deleted' || (to === 'deleting' && from !== 'failed')) return false;
  return recordingTransitions[from].includes(to);
}

/** `change`: the table of transitions, compare and swap, notifications told twice. */
export const changeCases: readonly RecordingCase[] = [
  define('change.table', 'moves exactly as the table of transitions says, for all 81 pairs', async (tools) => {
    const { stores, scope, mine, clock } = tools;
    const driver = drive(tools);
    for (const from of states) {
      let recording = await driver.inState(from);
      for (const to of states.filter((state) => !changeable(from, state))) {
        const event = mine.event();
        const ending = to === 'deleting' ? { deletion: { by: 'admin-1', reason: 'r' } } : {};
        const change = { expectedRevision: recording.revision, to, at: clock.now().toISOString(), ...ending };
        const result = await stores.recordings.change(scope, recording.id, change, event);
        same(status(result, 'invalid_transition', `${from} to ${to}`).recording, recording, `${from} to ${to}`);
        await driver.untouched(recording, event, `${from} to ${to}`);
      }
      for (const to of states.filter((state) => changeable(from, state))) {
        const changed = await driver.moved(recording, { to });
        holds(changed.state === to, `${from} to ${to} ended in ${changed.state}`);
        recording = await driver.inState(from);
      }
    }
  }),

  define(
    'change.one_live',
    'brings no failed recording back while another of its session or reference is live',
    async (tools) => {
      const { stores, scope, mine, clock } = tools;
      const driver = drive(tools);
      const failed = await driver.inState('failed', { sessionId: 'session-1', providerRef: 'RM1' });
      const back = (): RecordingChange => ({
        expectedRevision: failed.revision,
        to: 'recording',
        at: clock.now().toISOString(),
      });
      for (const given of [
        { sessionId: 'session-1', providerRef: 'RM2' },
        { sessionId: 'session-2', providerRef: 'RM1' },
      ]) {
        let other = await driver.started(given);
        for (const to of ['recording', 'failed'] as const) {
          const event = mine.event();
          const result = await stores.recordings.change(scope, failed.id, back(), event);
          same(status(result, 'invalid_transition', `another is ${other.state}`).recording, failed, 'the recording');
          await driver.untouched(failed, event, `another is ${other.state}`);
          other = await driver.moved(other, { to });
        }
      }
      holds((await driver.moved(failed, back())).state === 'recording', 'none is live any more');
    },
  ),

  define('change.members', 'sets what is given and leaves the rest', async (tools) => {
    const { reader, stores, scope, mine, clock, advance } = tools;
    const driver = drive(tools);
    const first = await driver.started();
    await advance(1500);
    const at = clock.now().toISOString();
    const media = { ref: 'CJ1', contentType: 'video/mp4', size: 12 };
    const change: RecordingChange = {
      expectedRevision: first.revision,
      to: 'processing',
      at,
      endedAt: at,
      durationSeconds: 61.5,
      media,
    };
    const event = mine.event();
    const second = status(
      await stores.recordings.change(scope, first.id, change, event),
      'changed',
      'change',
    ).recording;
    same(
      second,
      {
        ...first,
        state: 'processing',
        stateAt: at,
        endedAt: at,
        durationSeconds: 61.5,
        media,
        revision: first.revision + 1,
      },
      'after the first change',
    );
    holds((await reader.eventsFor(event.id)).length === 1, 'not exactly one event');
    await advance(1000);
    const object = mine.object();
    const third = await driver.moved(second, { object });
    same(third, { ...second, object, revision: second.revision + 1 }, 'without a move');
    same(await driver.fresh(first), third, 'read back');
  }),

  define('change.captured', 'keeps when the provider began, and decides anew from it', async (tools) => {
    const { stores, scope, mine, clock } = tools;
    const driver = drive(tools);
    const failed = await driver.warned(await driver.decided(await driver.inState('failed')));
    holds(failed.deletableAt !== undefined, 'it is not warned of');
    const capturedAt = new Date(clock.now().getTime() - 1000).toISOString();
    const after = await driver.moved(failed, { capturedAt });
    const { decision: _d, deletableAt: _e, ...rest } = failed;
    same(after, { ...rest, capturedAt, revision: failed.revision + 1 }, 'the rest');
    same(await driver.fresh(failed), after, 'read back');
    const again = await driver.moved(after, { durationSeconds: 3 });
    same(again.capturedAt, capturedAt, 'it stays');
    const ahead = { expectedRevision: again.revision, at: clock.now().toISOString() };
    const late = { ...ahead, capturedAt: new Date(clock.now().getTime() + 60_000).toISOString() };
    const event = mine.event();
    await rejects(
      stores.recordings.change(scope, failed.id, late, event),
      'invalid_input',
      "ahead of the store's clock",
    );
    await driver.untouched(again, event, 'ahead');
    const home = await driver.moved(await driver.inState('available'), { object: mine.object() });
    const change = { expectedRevision: home.revision, at: clock.now().toISOString(), capturedAt };
    status(await stores.recordings.change(scope, home.id, change, event), 'invalid_transition', 'once it is stored');
    await driver.untouched(home, event, 'stored');
  }),

  define('change.failure', 'keeps a failure until it is cleared', async (tools) => {
    const { clock } = tools;
    const driver = drive(tools);
    const failure = { code: 'checksum_mismatch', at: clock.now().toISOString(), attempts: 3 };
    const failed = await driver.moved(await driver.inState('uploading'), { to: 'failed', failure });
    same(failed.failure, failure, 'failure');
    const retried = await driver.moved(failed, { to: 'uploading' });
    same(retried.failure, failure, 'a change that says nothing of it');
    const cleared = await driver.moved(retried, { failure: null });
    holds(cleared.failure === undefined, 'it was not cleared');
  }),

  define(
    'change.not_found',
    'answers not_found for what is not there',
    async ({ stores, scope, reader, mine, clock }) => {
      const change = { expectedRevision: 1, to: 'processing', at: clock.now().toISOString() } as const;
      same(
        await stores.recordings.change(scope, mine.ids.uuid(), change, mine.event()),
        { status: 'not_found' },
        'answer',
      );
      holds((await reader.countEvents()) === 0, 'an event was written');
    },
  ),

  define('change.conflict', 'refuses a change computed from an earlier revision, and writes nothing', async (tools) => {
    const { stores, scope, mine, clock } = tools;
    const driver = drive(tools);
    const first = await driver.started();
    const second = await driver.moved(first, { to: 'processing' });
    for (const expectedRevision of [first.revision, second.revision + 1]) {
      const event = mine.event();
      const change = { expectedRevision, to: 'uploading', at: clock.now().toISOString() } as const;
      const result = await stores.recordings.change(scope, first.id, change, event);
      same(status(result, 'conflict', 'stale').recording, second, 'the present row');
      await driver.untouched(second, event, 'a stale change');
    }
  }),

  define('change.dedupe', 'takes a notification once', async (tools) => {
    const { stores, scope, mine, clock } = tools;
    const driver = drive(tools);
    const first = await driver.started();
    const second = await driver.moved(first, { to: 'processing', dedupeKey: 'RM1/completed' });
    const change = {
      expectedRevision: second.revision,
      to: 'uploading',
      at: clock.now().toISOString(),
      dedupeKey: 'RM1/completed',
    } as const;
    const event = mine.event();
    const result = await stores.recordings.change(scope, first.id, change, event);
    same(status(result, 'repeated', 'the same key').recording, second, 'the present row');
    await driver.untouched(second, event, 'a repeated notification');
    await driver.moved(second, { to: 'uploading', dedupeKey: 'x'.repeat(512) });
  }),

  define('change.dedupe_after_refusal', 'does not take a refused notification for one it has seen', async (tools) => {
    const { stores, scope, mine, clock } = tools;
    const driver = drive(tools);
    const first = await driver.started();
    const at = clock.now().toISOString();
    const dedupeKey = 'key';
    const early = { expectedRevision: first.revision, to: 'available', at, dedupeKey } as const;
    status(await stores.recordings.change(scope, first.id, early, mine.event()), 'invalid_transition', 'too early');
    const stale = { expectedRevision: first.revision - 1, to: 'processing', at, dedupeKey } as const;
    status(await stores.recordings.change(scope, first.id, stale, mine.event()), 'conflict', 'stale');
    await driver.moved(first, { to: 'processing', dedupeKey });
  }),

  define('change.order', 'checks not_found, repeated, lease, revision and transition, in this order', async (tools) => {
    const { stores, scope, mine, clock } = tools;
    const driver = drive(tools);
    const recording = await driver.moved(await driver.inState('uploading'), { dedupeKey: 'seen' });
    await stores.recordings.claimTransfers(scope, lease);
    const at = clock.now().toISOString();
    const wrong = {
      expectedRevision: recording.revision + 7,
      to: 'deleted',
      at,
      token: '0',
      dedupeKey: 'seen',
    } as const;
    const ask = async (change: RecordingChange, id = recording.id): Promise<string> =>
      (await stores.recordings.change(scope, id, change, mine.event())).status;
    same(await ask(wrong, mine.ids.uuid()), 'not_found', 'everything wrong, and no such row');
    same(await ask(wrong), 'repeated', 'everything wrong');
    same(await ask({ ...wrong, dedupeKey: 'new' }), 'lease_lost', 'lease, revision and transition wrong');
    const { token: _, ...withoutToken } = { ...wrong, dedupeKey: 'new' };
    same(await ask(withoutToken), 'conflict', 'revision and transition wrong');
    same(
      await ask({ ...withoutToken, expectedRevision: recording.revision }),
      'invalid_transition',
      'transition wrong',
    );
  }),

  define('change.fenced', 'refuses a worker whose lease was given to another', async (tools) => {
    const { stores, scope, mine, clock, advance } = tools;
    const driver = drive(tools);
    const recording = await driver.inState('uploading');
    const [first] = await stores.recordings.claimTransfers(scope, lease);
    await advance(5 * 60_000);
    const [second] = await stores.recordings.claimTransfers(scope, lease);
    const change = {
      expectedRevision: recording.revision,
      to: 'available',
      at: clock.now().toISOString(),
      object: mine.object(),
    } as const;
    for (const token of [first?.token ?? '', '999999999', '0']) {
      const event = mine.event();
      const result = await stores.recordings.change(scope, recording.id, { ...change, token }, event);
      status(result, 'lease_lost', `token ${token}`);
      await driver.untouched(recording, event, 'a lost lease');
    }
    const result = await stores.recordings.change(
      scope,
      recording.id,
      { ...change, token: second?.token ?? '' },
      mine.event(),
    );
    const done = status(result, 'changed', 'the holder').recording;
    const late = { expectedRevision: done.revision, at: clock.now().toISOString(), token: second?.token ?? '' };
    status(
      await stores.recordings.change(scope, recording.id, late, mine.event()),
      'lease_lost',
      'the claim has ended',
    );
  }),

  define(
    'change.deleting_review',
    'ends a failed recording that never stored anything, and no other',
    async (tools) => {
      const { stores, scope, mine, clock } = tools;
      const driver = drive(tools);
      const refused = async (recording: Awaited<ReturnType<typeof driver.fresh>>, what: string): Promise<void> => {
        const event = mine.event();
        const deletion = { by: 'admin-1', reason: 'Nothing was recorded' };
        const at = clock.now().toISOString();
        const change = { expectedRevision: recording.revision, to: 'deleting', at, deletion } as const;
        status(await stores.recordings.change(scope, recording.id, change, event), 'invalid_transition', what);
        await driver.untouched(recording, event, what);
      };
      const withObject = await driver.moved(await driver.inState('failed'), { object: mine.object() });
      await refused(withObject, 'with an object');
      const held = await driver.inState('failed');
      await driver.placed({ recordingId: held.id });
      await refused(await driver.fresh(held), 'under a hold');
      const patientHeld = await driver.inState('failed', { patient: 'held' });
      await driver.placed({ patient: 'held' });
      await refused(await driver.fresh(patientHeld), 'under a hold on the patient');
      const ended = await driver.moved(await driver.inState('failed', { patient: 'free' }), { to: 'deleting' });
      holds(ended.state === 'deleting', 'it did not end');
      const { basis, startedBy, reason, versions } = present(ended.deletion, 'deletion');
      same([basis, startedBy, reason, versions], ['nothing_stored', 'admin-1', 'Nothing was recorded', 0], 'why');
      const asked = await driver.inState('failed', { patient: 'asks' });
      await stores.recordings.openAccessRequest(scope, mine.accessRequest({ patient: 'asks' }), mine.event());
      await refused(await driver.fresh(asked), 'under an access request');
    },
  ),

  define('change.at_once', 'lets one of several changes of a revision win', async (tools) => {
    const { stores, scope, mine, clock, reader } = tools;
    const recording = await drive(tools).started();
    const before = await reader.countEvents();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => {
        const change = {
          expectedRevision: recording.revision,
          to: 'processing',
          at: clock.now().toISOString(),
        } as const;
        return stores.recordings.change(scope, recording.id, change, mine.event());
      }),
    );
    const won = answers.filter((answer) => answer.status === 'changed').length;
    holds(won === 1, `${won} of 6 changes won`);
    holds(
      answers.every(({ status }) => status === 'changed' || status === 'conflict'),
      'another answer',
    );
    holds((await reader.countEvents()) === before + 1, 'not exactly one event');
  }),

  define('change.dedupe_at_once', 'takes a notification once that comes several times at once', async (tools) => {
    const { stores, scope, mine, clock, reader } = tools;
    const recording = await drive(tools).started();
    const before = await reader.countEvents();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => {
        const change = { expectedRevision: recording.revision, at: clock.now().toISOString(), dedupeKey: 'key' };
        return stores.recordings.change(scope, recording.id, change, mine.event());
      }),
    );
    holds(answers.filter(({ status }) => status === 'changed').length === 1, 'not exactly one was taken');
    holds((await reader.countEvents()) === before + 1, 'not exactly one event');
  }),
];
