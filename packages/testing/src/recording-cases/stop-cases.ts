import type { Claim } from '@medzen/core';
import { alteredEvent } from '../altered-event.ts';
import { at, holds, present, rejects, same, status } from '../assertions.ts';
import {
  claimedIds,
  define,
  drive,
  idsOf,
  lease,
  minute,
  type RecordingCase,
  type RecordingTools,
  states,
} from './recording-driver.ts';

async function stops(tools: RecordingTools, id?: string): Promise<readonly Claim[]> {
  return tools.stores.recordings.claimStops(tools.scope, { ...lease, ...(id === undefined ? {} : { id }) });
}

/** What a withdrawal asks of the recordings that run. */
export const stopCases: readonly RecordingCase[] = [
  define('stop.marked', 'asks for the stop of what runs, in the transaction of the withdrawal', async (tools) => {
    const { clock } = tools;
    const driver = drive(tools);
    const recording = await driver.started();
    same(await stops(tools), [], 'before the withdrawal');
    const consent = await driver.withdrawn(recording);
    const stopRequest = { at: clock.now().toISOString(), consent };
    const marked = await driver.fresh(recording);
    same(marked, { ...recording, stopRequest }, 'the row, whose revision stays');
    const [claim] = await stops(tools);
    same(claim?.recording, marked, 'claimed');
    holds(claim?.attempts === 1, 'not the first attempt');
    await tools.advance(1000);
    await driver.withdrawn(recording, 'provider-1');
    same((await driver.fresh(recording)).stopRequest, stopRequest, 'after another withdrawal');
  }),

  define('stop.rotates', 'offers a stop that failed behind those that have waited longer since', async (tools) => {
    const { recordings } = tools.stores;
    const driver = drive(tools);
    const failing = await driver.started();
    await driver.withdrawn(failing);
    await tools.advance(1000);
    const behind = await driver.started();
    await driver.withdrawn(behind);
    const claimed = async (): Promise<Claim> =>
      at(await recordings.claimStops(tools.scope, { ...lease, limit: 1 }), 0, 'claim');
    for (let attempts = 1; attempts <= 4; attempts++) {
      const [claim] = await stops(tools, failing.id);
      holds(claim?.attempts === attempts, `attempt ${attempts}`);
      await recordings.releaseClaim(tools.scope, failing.id, claim?.token ?? '', 'provider_unavailable');
    }
    await tools.advance(5 * minute);
    same((await claimed()).recording.id, behind.id, 'the one behind it');
    same((await claimed()).recording.id, failing.id, 'then the one that failed, five minutes after it did');
  }),

  define(
    'stop.whose',
    'asks it of the recordings of the session in which the participant takes part, and of no other',
    async (tools) => {
      const { stores, scope, mine } = tools;
      const driver = drive(tools);
      const elsewhere = await driver.started();
      const recording = await driver.started();
      await driver.withdrawn(recording, 'a-stranger');
      const given = mine.consent({ sessionId: recording.sessionId });
      await stores.consents.record(scope, given, mine.event());
      same(await stops(tools), [], 'for a stranger, or for a consent');
      await driver.withdrawn(recording, 'provider-1');
      same(claimedIds(await stops(tools)), [recording.id], 'for a participant');
      holds((await driver.fresh(elsewhere)).stopRequest === undefined, 'another session was marked');
    },
  ),

  define(
    'stop.given_unlisted',
    'asks it also when somebody takes back what they had given and is not listed, once they had',
    async (tools) => {
      const { stores, scope, mine } = tools;
      const driver = drive(tools);
      const recording = await driver.started();
      const guest = { sessionId: recording.sessionId, participant: 'guest-1' };
      await stores.consents.record(scope, mine.consent({ ...guest, sessionId: 'session-other' }), mine.event());
      await driver.withdrawn(recording, 'guest-1');
      same(await stops(tools), [], 'what was given elsewhere');
      await stores.consents.record(scope, mine.consent(guest), mine.event());
      const consent = await driver.withdrawn(recording, 'guest-1');
      const [claim] = await stops(tools);
      same(claim?.recording.stopRequest?.consent, consent, 'what was given here');
    },
  ),

  define('stop.states', 'asks it of what may still run, and offers it no longer once that has ended', async (tools) => {
    const driver = drive(tools);
    const running: string[] = [];
    for (const state of states) {
      const recording = await driver.inState(state, { sessionId: 'session-1' });
      if (state === 'starting' || state === 'recording') {
        running.push((await driver.moved(recording, { to: 'failed' })).id);
        await driver.started({ sessionId: `other-${state}` });
      }
      if (state === 'failed') running.push(recording.id);
    }
    const over = await driver.inState('failed', { sessionId: 'session-1' });
    await driver.moved(over, { endedAt: '2026-01-15T09:30:00.000Z' });
    const made = await driver.inState('failed', { sessionId: 'session-1' });
    await driver.moved(made, { media: { ref: 'CJ1', contentType: 'video/mp4' } });
    const last = await driver.started({ sessionId: 'session-1' });
    running.push(last.id);
    await driver.withdrawn(last);
    await tools.stores.consents.record(tools.scope, tools.mine.consent({ sessionId: 'session-1' }), tools.mine.event());
    const claims = await stops(tools);
    same(claimedIds(claims).toSorted(), running.toSorted(), 'a consent given since takes nothing back');
    for (const { recording, token } of claims) {
      const to = recording.state === 'starting' ? ({ to: 'processing' } as const) : {};
      await driver.moved(recording, { ...to, endedAt: tools.clock.now().toISOString(), token });
    }
    await tools.advance(60 * minute);
    same(await stops(tools), [], 'what has ended');
    holds((await driver.fresh(last)).stopRequest !== undefined, 'the request is not kept');
  }),

  define('stop.refused', 'asks nothing when the withdrawal is refused or repeated', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.started();
    const consent = mine.consent({ sessionId: recording.sessionId, decision: 'withdrawn' });
    const taken = mine.event();
    await stores.audit.append(scope, [taken]);
    await rejects(
      stores.consents.record(scope, consent, alteredEvent(taken, { reason: 'another' })),
      'audit_conflict',
      'an event id that is taken',
    );
    same(await driver.fresh(recording), recording, 'the recording');
    await stores.consents.record(scope, consent, mine.event());
    await driver.moved(await driver.fresh(recording), { to: 'processing' });
    await tools.stores.consents.record(scope, mine.consent({ sessionId: recording.sessionId }), mine.event());
    const later = await driver.started({ sessionId: recording.sessionId });
    same(await stores.consents.record(scope, consent, mine.event()), { status: 'repeated' }, 'a late retry');
    holds((await driver.fresh(later)).stopRequest === undefined, 'a retry stops what was started with new consent');
  }),

  define('stop.order', 'offers the oldest request first, and each to one of several workers', async (tools) => {
    const driver = drive(tools);
    const asked: string[] = [];
    const made = [await driver.started(), await driver.started(), await driver.started(), await driver.started()];
    for (const recording of made.toReversed()) {
      await driver.withdrawn(recording);
      asked.push(recording.id);
      await tools.advance(1000);
    }
    const claim = (limit: number) => tools.stores.recordings.claimStops(tools.scope, { limit, leaseMs: 60_000 });
    same(claimedIds(await claim(2)), asked.slice(0, 2), 'the oldest two');
    const rest = (await Promise.all([claim(2), claim(2), claim(2)])).flatMap(claimedIds);
    same(rest.toSorted(), asked.slice(2).toSorted(), 'the others once');
    same(idsOf((await tools.stores.recordings.list(tools.scope, { state: 'starting' })).recordings).length, 4, 'rows');
  }),

  define('stop.back_off', 'offers what failed again after five minutes at most', async (tools) => {
    const driver = drive(tools);
    const { id, sessionId } = await driver.started();
    await driver.withdrawn({ sessionId });
    for (const [index, wait] of [1, 4, 5, 5, 5].entries()) {
      const { token, attempts } = at(await stops(tools), 0, `attempt ${index + 1}`);
      holds(attempts === index + 1, `attempt ${index + 1} counts as ${attempts}`);
      // Given back or not: a worker that died is waited for as long, from the end of its lease.
      if (index % 2 === 0) await tools.stores.recordings.releaseClaim(tools.scope, id, token, 'provider_unavailable');
      else await tools.advance(lease.leaseMs);
      await tools.advance(wait * minute - 1000);
      same(await stops(tools), [], `a second before ${wait} minutes`);
      await tools.advance(2000);
    }
  }),

  define('stop.by_id', 'claims one by its id, past its back-off but never past its lease', async (tools) => {
    const driver = drive(tools);
    const first = await driver.started();
    const second = await driver.started();
    same(await stops(tools, second.id), [], 'nobody asked');
    for (const recording of [first, second]) await driver.withdrawn(recording);
    same(claimedIds(await stops(tools, second.id)), [second.id], 'by id');
    same(await stops(tools, second.id), [], 'during the lease');
    await tools.advance(lease.leaseMs + 1000);
    same(claimedIds(await stops(tools, second.id)), [second.id], 'during the back-off');
    same(claimedIds(await stops(tools)), [first.id], 'the other');
    same(await stops(tools, tools.mine.ids.uuid()), [], 'unknown');
  }),

  define(
    'stop.fenced',
    'ends the claim with the move, and refuses a worker whose lease was given away',
    async (tools) => {
      const { stores, scope, mine, clock } = tools;
      const driver = drive(tools);
      const recording = await driver.started();
      await driver.withdrawn(recording);
      const first = at(await stops(tools), 0, 'the first');
      await tools.advance(10 * minute);
      const second = at(await stops(tools), 0, 'the second');
      holds(BigInt(second.token) > BigInt(first.token), 'the token is not greater');
      const change = { expectedRevision: recording.revision, to: 'processing', at: clock.now().toISOString() } as const;
      const late = await stores.recordings.change(scope, recording.id, { ...change, token: first.token }, mine.event());
      status(late, 'lease_lost', 'the first worker');
      await driver.moved(second.recording, { to: 'uploading', token: second.token });
      const transfer = at(await stores.recordings.claimTransfers(scope, lease), 0, 'the transfer');
      holds(transfer.attempts === 1, 'the stop counted for the transfer');
    },
  ),

  define(
    'stop.start_meets_withdrawal',
    'lets no recording run without a request when a start and a withdrawal meet',
    async (tools) => {
      const { stores, scope, mine } = tools;
      for (let round = 0; round < 5; round++) {
        const row = mine.newRecording();
        await stores.consents.record(scope, mine.consent({ sessionId: row.sessionId }), mine.event());
        const withdrawal = mine.consent({ sessionId: row.sessionId, decision: 'withdrawn' });
        const [started] = await Promise.all([
          stores.recordings.start(scope, row, ['patient-1'], mine.event()),
          stores.consents.record(scope, withdrawal, mine.event()),
        ]);
        if (started.status === 'consent_required') continue;
        const recording = present(await stores.recordings.get(scope, row.id), 'recording');
        same(recording.stopRequest?.consent, withdrawal.id, 'what started before the withdrawal');
      }
    },
  ),

  define(
    'stop.rolled_back',
    'forgets the request with the withdrawal when the host rolls back',
    async (tools) => {
      const { scope, mine } = tools;
      const recording = await drive(tools).started();
      const open = await present(tools.transaction, 'transaction')();
      const consent = mine.consent({ sessionId: recording.sessionId, decision: 'withdrawn' });
      await open.stores.consents.record(scope, consent, mine.event());
      holds((await open.stores.recordings.get(scope, recording.id))?.stopRequest !== undefined, 'not marked inside');
      await open.rollback();
      same(await drive(tools).fresh(recording), recording, 'after the rollback');
    },
    ['host-transaction'],
  ),
];
