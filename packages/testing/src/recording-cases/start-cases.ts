import type { ConsentRecord } from '@medzen/core';
import { holds, present, same, status } from '../assertions.ts';
import { define, drive, type RecordingCase, type RecordingTools } from './recording-driver.ts';

async function consents(tools: RecordingTools, ...given: readonly Partial<ConsentRecord>[]): Promise<void> {
  for (const one of given)
    await tools.stores.consents.record(tools.scope, tools.mine.consent({ sessionId: 's', ...one }), tools.mine.event());
}

/** `start`: consent at the moment of commit, one running recording a session. */
export const startCases: readonly RecordingCase[] = [
  define('start', 'keeps every member of the row and begins in state starting', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const row = mine.newRecording({
      participants: [
        { id: 'naïve “p”', role: 'guest' },
        { id: 'q', role: 'patient', location: 'US-GA' },
      ],
    });
    const event = mine.event({ action: 'recording.start', kind: 'create' });
    const { recording } = status(await stores.recordings.start(scope, row, [], event), 'started', 'start');
    const { revision, ...rest } = recording;
    const counts = { holds: 0, accessRequests: 0, views: 0, downloads: 0 };
    same(rest, { ...row, state: 'starting', stateAt: row.startedAt, ...counts }, 'recording');
    holds(Number.isInteger(revision), 'the revision is no whole number');
    same(await stores.recordings.get(scope, row.id), recording, 'read back');
    same(await reader.eventsFor(event.id), [event.body], 'event');
  }),

  define('start.consent_missing', 'refuses until everyone listed has consented, naming who has not', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const row = mine.newRecording({ sessionId: 's' });
    const people = ['provider-1', 'patient-1', 'guest-1'];
    await consents(tools, { participant: 'patient-1' });
    const event = mine.event();
    const refused = status(
      await stores.recordings.start(scope, row, people, event),
      'consent_required',
      'two are missing',
    );
    same(refused.missing.toSorted(), ['guest-1', 'provider-1'], 'missing');
    holds((await stores.recordings.get(scope, row.id)) === undefined, 'a refused start left a row');
    holds((await reader.eventsFor(event.id)).length === 0, 'a refused start wrote its event');
    await consents(tools, { participant: 'provider-1' }, { participant: 'guest-1' });
    status(await stores.recordings.start(scope, row, people, event), 'started', 'all have consented');
    holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
  }),

  define('start.consent_withdrawn', 'counts the latest consent only', async (tools) => {
    const { stores, scope, mine } = tools;
    const start = () => stores.recordings.start(scope, mine.newRecording({ sessionId: 's' }), ['p'], mine.event());
    await consents(tools, { participant: 'p' }, { participant: 'p', decision: 'withdrawn' });
    same(await start(), { status: 'consent_required', missing: ['p'] }, 'withdrawn');
    await consents(tools, { participant: 'p' });
    status(await start(), 'started', 'given again');
  }),

  define('start.consent_in_full', 'asks for all four acknowledgements', async (tools) => {
    const { stores, scope, mine } = tools;
    const all = { recording: true, storage: true, access: true, retention: true };
    for (const name of ['recording', 'storage', 'access', 'retention'] as const) {
      await consents(tools, { participant: 'p', acknowledgements: { ...all, [name]: false } });
      const result = await stores.recordings.start(scope, mine.newRecording({ sessionId: 's' }), ['p'], mine.event());
      same(result, { status: 'consent_required', missing: ['p'] }, `without ${name}`);
    }
  }),

  define('start.consent_elsewhere', "counts neither another session's consent nor another tenant's", async (tools) => {
    const { stores, scope, otherScope, mine, theirs } = tools;
    await consents(tools, { participant: 'p', sessionId: 'other' });
    await stores.consents.record(otherScope, theirs.consent({ participant: 'p', sessionId: 's' }), theirs.event());
    const result = await stores.recordings.start(scope, mine.newRecording({ sessionId: 's' }), ['p'], mine.event());
    same(result, { status: 'consent_required', missing: ['p'] }, 'consent given elsewhere');
  }),

  define(
    'start.session_taken',
    'answers with the recording that a session has running, and writes nothing',
    async (tools) => {
      const { stores, scope, reader, mine } = tools;
      const first = await drive(tools).started({ sessionId: 's' });
      const row = mine.newRecording({ sessionId: 's' });
      const event = mine.event();
      const result = await stores.recordings.start(scope, row, [], event);
      same(status(result, 'already_recording', 'second start').recording, first, 'the one that runs');
      holds((await stores.recordings.get(scope, row.id)) === undefined, 'a second row');
      holds((await reader.eventsFor(event.id)).length === 0, 'a second event');
    },
  ),

  define('start.ref_taken', "answers with the recording that runs under the provider's reference", async (tools) => {
    const { stores, scope, mine } = tools;
    const first = await drive(tools).started({ providerRef: 'RM1' });
    const result = await stores.recordings.start(scope, mine.newRecording({ providerRef: 'RM1' }), [], mine.event());
    same(status(result, 'already_recording', 'same reference').recording.id, first.id, 'the one that runs');
    await drive(tools).started({ providerRef: 'RM1', provider: 'livekit' });
  }),

  define('start.id_taken', 'answers with the recording of the same id, whatever its state', async (tools) => {
    const { stores, scope, mine } = tools;
    for (const state of ['starting', 'recording', 'failed', 'deleted'] as const) {
      const first = await drive(tools).inState(state);
      const result = await stores.recordings.start(scope, mine.newRecording({ id: first.id }), [], mine.event());
      same(status(result, 'already_recording', `id of one ${state}`).recording, first, 'the stored one');
    }
  }),

  define('start.again', 'starts again in the same session and room after a stop', async (tools) => {
    const { stores, scope, advance } = tools;
    const driver = drive(tools);
    const first = await driver.started({ sessionId: 's', providerRef: 'RM1' });
    await driver.moved(first, { to: 'processing' });
    await advance(1000);
    const second = await driver.started({ sessionId: 's', providerRef: 'RM1' });
    const found = await stores.recordings.findByProviderRef(scope, 'twilio', 'RM1');
    holds(found?.id === second.id, 'the provider reference does not find the latest');
  }),

  define('start.at_once', 'lets one of several starts of a session win', async (tools) => {
    const { stores, scope, reader, mine } = tools;
    const answers = await Promise.all(
      Array.from({ length: 6 }, () =>
        stores.recordings.start(scope, mine.newRecording({ sessionId: 's' }), [], mine.event()),
      ),
    );
    const won = answers.filter((answer) => answer.status === 'started');
    holds(won.length === 1, `${won.length} of 6 starts won`);
    holds(
      answers.every((answer) => answer.status !== 'consent_required'),
      'a start asked for consent',
    );
    const ids = new Set(answers.map((answer) => 'recording' in answer && answer.recording.id));
    holds(ids.size === 1, 'the others were not told of the winner');
    holds((await reader.countEvents()) === 1, 'not exactly one event');
  }),

  define('start.consent_race', 'never starts on a consent that was withdrawn before', async (tools) => {
    const { stores, scope, mine } = tools;
    for (let round = 0; round < 10; round++) {
      const sessionId = `race-${round}`;
      await stores.consents.record(scope, mine.consent({ sessionId, participant: 'p' }), mine.event());
      const row = mine.newRecording({ sessionId });
      const withdrawn = mine.consent({ sessionId, participant: 'p', decision: 'withdrawn' });
      const [, first] = await Promise.all([
        stores.consents.record(scope, withdrawn, mine.event()),
        stores.recordings.start(scope, row, ['p'], mine.event()),
      ]);
      const after = await stores.recordings.start(scope, mine.newRecording({ sessionId }), ['p'], mine.event());
      const wanted = first.status === 'started' ? 'already_recording' : 'consent_required';
      holds(after.status === wanted, `after ${first.status} a second start answered ${after.status}`);
    }
  }),

  define('start.held_patient', 'shows a hold that was on the patient before', async (tools) => {
    const driver = drive(tools);
    await driver.started({ patient: 'p' });
    await driver.placed({ patient: 'p' });
    const later = await driver.started({ patient: 'p' });
    holds(later.holds === 1, `a new recording of a held patient shows ${later.holds} holds`);
  }),

  define(
    'start.rolled_back',
    'leaves neither row nor event when the host rolls back',
    async (tools) => {
      const { scope, reader, mine, stores } = tools;
      const row = mine.newRecording();
      const event = mine.event();
      const open = await present(tools.transaction, 'transaction')();
      status(await open.stores.recordings.start(scope, row, [], event), 'started', 'inside');
      await open.rollback();
      holds((await stores.recordings.get(scope, row.id)) === undefined, 'the row stayed');
      holds((await reader.eventsFor(event.id)).length === 0, 'the event stayed');
      const again = await present(tools.transaction, 'transaction')();
      status(await again.stores.recordings.start(scope, row, [], event), 'started', 'inside again');
      await again.commit();
      holds((await stores.recordings.get(scope, row.id)) !== undefined, 'the row is missing');
      holds((await reader.eventsFor(event.id)).length === 1, 'the event is missing');
    },
    ['host-transaction'],
  ),
];
