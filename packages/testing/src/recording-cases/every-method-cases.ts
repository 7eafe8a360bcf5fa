import type { AccessRequest, SealedEvent } from '@medzen/core';
import { alteredEvent } from '../altered-event.ts';
import { holds, present, rejects, same, status } from '../assertions.ts';
import {
  define,
  drive,
  due,
  idsOf,
  intentOf,
  lease,
  type RecordingCase,
  type RecordingTools,
  removalOf,
  rules,
} from './recording-driver.ts';

/** A method that writes an event: brought to where it would succeed, so that only the event decides. */
interface Writer {
  readonly name: string;
  readonly success: string;
  prepare(tools: RecordingTools): Promise<(event: SealedEvent) => Promise<{ readonly status: string }>>;
}

const writers: readonly Writer[] = [
  {
    name: 'start',
    success: 'started',
    prepare: async ({ stores, scope, mine }) => {
      const row = mine.newRecording();
      return (event) => stores.recordings.start(scope, row, [], event);
    },
  },
  {
    name: 'change',
    success: 'changed',
    prepare: async (tools) => {
      const { id, revision } = await drive(tools).started();
      const change = {
        expectedRevision: revision,
        to: 'processing',
        at: tools.clock.now().toISOString(),
        dedupeKey: 'k',
      } as const;
      return (event) => tools.stores.recordings.change(tools.scope, id, change, event);
    },
  },
  {
    name: 'noteAccess',
    success: 'noted',
    prepare: async (tools) => {
      const { id } = await drive(tools).inState('available');
      return (event) => tools.stores.recordings.noteAccess(tools.scope, id, 'view', event);
    },
  },
  {
    name: 'noteFact',
    success: 'noted',
    prepare: async ({ stores, scope, mine }) => {
      const fact = mine.fact();
      return (event) => stores.recordings.noteFact(scope, fact, event);
    },
  },
  {
    name: 'saveDecision',
    success: 'restored',
    prepare: async (tools) => {
      const { id } = await drive(tools).inState('archived');
      const decision = tools.mine.decision();
      return (event) => tools.stores.recordings.saveDecision(tools.scope, id, decision, event);
    },
  },
  {
    name: 'extendKeep',
    success: 'extended',
    prepare: async (tools) => {
      const { id } = await drive(tools).inState('available');
      const keep = { until: '2040-06-01T00:00:00.000Z', reason: 'A complaint to the board' };
      return (event) => tools.stores.recordings.extendKeep(tools.scope, id, keep, event);
    },
  },
  {
    name: 'placeHold',
    success: 'placed',
    prepare: async (tools) => {
      const { id } = await drive(tools).inState('available');
      const hold = tools.mine.hold({ recordingId: id });
      return (event) => tools.stores.recordings.placeHold(tools.scope, hold, event);
    },
  },
  {
    name: 'releaseHold',
    success: 'released',
    prepare: async (tools) => {
      const { id } = await drive(tools).inState('available');
      const hold = await drive(tools).placed({ recordingId: id });
      const at = tools.clock.now().toISOString();
      return (event) => tools.stores.recordings.releaseHold(tools.scope, hold.id, 'counsel-2', at, event);
    },
  },
  {
    name: 'recordWarning',
    success: 'recorded',
    prepare: async (tools) => {
      const driver = drive(tools);
      const { id, decision } = await driver.decided(await driver.inState('available'));
      return (event) => tools.stores.recordings.recordWarning(tools.scope, id, decision?.graceUntil ?? '', event);
    },
  },
  {
    name: 'beginDeletion',
    success: 'begun',
    prepare: async (tools) => {
      const recording = await drive(tools).expired();
      const intent = intentOf(await drive(tools).claimedExpired(recording));
      return (event) => tools.stores.recordings.beginDeletion(tools.scope, recording.id, intent, event);
    },
  },
  {
    name: 'cancelDeletion',
    success: 'canceled',
    prepare: async (tools) => {
      const recording = await drive(tools).expired();
      const { token } = await drive(tools).begun(recording);
      const cancel = { token, at: tools.clock.now().toISOString(), failureCode: 'locked' };
      return (event) => tools.stores.recordings.cancelDeletion(tools.scope, recording.id, cancel, event);
    },
  },
  {
    name: 'openAccessRequest',
    success: 'opened',
    prepare: async (tools) => {
      const request = tools.mine.accessRequest({ patient: 'patient-1' });
      return (event) => tools.stores.recordings.openAccessRequest(tools.scope, request, event);
    },
  },
  {
    name: 'extendAccessRequest',
    success: 'extended',
    prepare: async (tools) => {
      const { id, dueAt } = await opened(tools);
      const extension = { at: dueAt, by: 'records-1', reason: 'Stored off site', dueAt: later(dueAt) };
      return (event) => tools.stores.recordings.extendAccessRequest(tools.scope, id, extension, event);
    },
  },
  {
    name: 'closeAccessRequest',
    success: 'closed',
    prepare: async (tools) => {
      const { id, dueAt } = await opened(tools);
      const closing = { at: dueAt, by: 'records-1', outcome: 'provided' } as const;
      return (event) => tools.stores.recordings.closeAccessRequest(tools.scope, id, closing, event);
    },
  },
  {
    name: 'finishDeletion',
    success: 'finished',
    prepare: async (tools) => {
      const recording = await drive(tools).expired();
      const { token } = await drive(tools).begun(recording);
      const tombstone = tools.mine.tombstone();
      return (event) => tools.stores.recordings.finishDeletion(tools.scope, recording.id, token, tombstone, event);
    },
  },
];

async function opened(tools: RecordingTools): Promise<AccessRequest> {
  const request = tools.mine.accessRequest({ patient: 'patient-1' });
  await tools.stores.recordings.openAccessRequest(tools.scope, request, tools.mine.event());
  return request;
}

function later(instant: string): string {
  return new Date(Date.parse(instant) + 86_400_000).toISOString();
}

/** What holds of every method that writes: one transaction, one tenant, no half answers. */
export const everyMethodCases: readonly RecordingCase[] = [
  ...writers.map(({ name, success, prepare }) =>
    define(`atomic.${name}`, `${name} writes its change and its event together, or neither`, async (tools) => {
      const { stores, scope, reader, mine, theirs } = tools;
      const call = await prepare(tools);
      const stored = mine.event();
      await stores.audit.append(scope, [stored]);
      const before = await reader.countEvents();
      await rejects(call(alteredEvent(stored, { reason: 'another' })), 'audit_conflict', 'an event id that is taken');
      await rejects(call(theirs.event()), 'invalid_input', "another tenant's event");
      await rejects(call({ id: mine.ids.uuid(), body: new Uint8Array([1]) }), 'invalid_input', 'no event');
      holds((await reader.countEvents()) === before, 'an event was written');
      const event = mine.event();
      // It succeeds as if for the first time: so nothing was changed before.
      same((await call(event)).status, success, 'with a good event');
      same(await reader.eventsFor(event.id), [event.body], 'its event');
      holds((await reader.countEvents()) === before + 1, 'not exactly one event');
    }),
  ),

  define(
    'tenant.methods',
    'neither shows, claims, changes, holds nor deletes what is another tenant’s',
    async (tools) => {
      const { stores, scope, otherScope, reader, mine, theirs, clock } = tools;
      const store = stores.recordings;
      const driver = drive(tools);
      const held = await driver.inState('available', { patient: 'p' });
      const hold = await driver.placed({ recordingId: held.id });
      const request = mine.accessRequest({ recordingId: held.id });
      await store.openAccessRequest(scope, request, mine.event());
      await driver.noted('p');
      const uploading = await driver.inState('uploading');
      const expired = await driver.expired();
      const claim = await driver.claimedExpired(expired);
      const deleting = await driver.inState('deleting');
      const unstopped = await driver.started();
      await driver.withdrawn(unstopped);
      const all = [held, uploading, expired, deleting, unstopped];
      const before = await Promise.all(all.map((recording) => driver.fresh(recording)));
      const events = await reader.countEvents();
      const other = otherScope;

      for (const { id } of all) {
        holds((await store.get(other, id)) === undefined, 'get');
        const change = { expectedRevision: 1, at: clock.now().toISOString() };
        same(await store.change(other, id, change, theirs.event()), { status: 'not_found' }, 'change');
        same(await store.noteAccess(other, id, 'view', theirs.event()), { status: 'not_found' }, 'noteAccess');
        same(
          await store.saveDecision(other, id, theirs.decision(), theirs.event()),
          { status: 'not_found' },
          'saveDecision',
        );
        same(
          await store.placeHold(other, theirs.hold({ recordingId: id }), theirs.event()),
          { status: 'not_found' },
          'placeHold',
        );
        const keep = { until: '2040-06-01T00:00:00.000Z', reason: 'r' };
        same(await store.extendKeep(other, id, keep, theirs.event()), { status: 'not_found' }, 'extendKeep');
        same(await store.holds(other, id), [], 'holds');
        same(
          await store.recordWarning(other, id, theirs.decision().graceUntil ?? '', theirs.event()),
          { status: 'not_found' },
          'recordWarning',
        );
        same(await store.claimTransfers(other, { ...lease, id }), [], 'claimTransfers by id');
        same(await store.claimStops(other, { ...lease, id }), [], 'claimStops by id');
        same(await store.claimReconciliations(other, { ...lease, id }), [], 'claimReconciliations by id');
        holds(!(await store.renewClaim(other, id, claim.token, 1000)), 'renewClaim');
        same(await store.claimExpired(other, due, rules, { ...lease, id }), [], 'claimExpired by id');
        same(
          await store.beginDeletion(other, id, intentOf(claim), theirs.event()),
          { status: 'not_found' },
          'beginDeletion',
        );
        same(
          await store.finishDeletion(other, id, claim.token, theirs.tombstone(), theirs.event()),
          { status: 'not_found' },
          'finishDeletion',
        );
        const removal = { ...removalOf(claim), kept: ['media'] };
        same(await store.noteRemoval(other, id, removal), { status: 'not_found' }, 'noteRemoval');
        same(await store.noteLock(other, id, claim.token, null), { status: 'not_found' }, 'noteLock');
        const cancel = { token: claim.token, at: clock.now().toISOString(), failureCode: 'locked' };
        same(await store.cancelDeletion(other, id, cancel, theirs.event()), { status: 'not_found' }, 'cancelDeletion');
        same(await store.renewClaim(other, id, claim.token, 60_000), false, 'renewClaim');
        same(await store.postpone(other, id, 'warning', 'timeout', due), undefined, 'postpone');
        same(
          await store.openAccessRequest(other, theirs.accessRequest({ recordingId: id }), theirs.event()),
          { status: 'not_found' },
          'openAccessRequest',
        );
        same(await store.accessRequests(other, { recordingId: id }), { requests: [] }, 'accessRequests by recording');
      }
      holds((await store.findByProviderRef(other, 'twilio', held.providerRef)) === undefined, 'findByProviderRef');
      same(await store.list(other, {}), { recordings: [] }, 'list');
      same(await store.list(other, { patient: 'p' }), { recordings: [] }, 'list by patient');
      same(await store.claimTransfers(other, lease), [], 'claimTransfers');
      same(await store.claimStops(other, lease), [], 'claimStops');
      same(await store.claimExpired(other, due, rules, lease), [], 'claimExpired');
      same(await store.facts(other, 'p'), { facts: [], revision: 0 }, 'facts');
      same(await store.staleDecisions(other, 'rules-2', 10), [], 'staleDecisions');
      same(await store.undecided(other, 10), { count: 0, recordings: [] }, 'undecided');
      same(await store.listHolds(other, {}), { holds: [] }, 'listHolds');
      same(await store.dueWarnings(other, due, 10), [], 'dueWarnings');
      same(await store.dueArchives(other, due, rules, 10), [], 'dueArchives');
      same(await store.claimReconciliations(other, lease), [], 'claimReconciliations');
      same(await store.dueDiscards(other, 'provider_copy_remains', due, 10), [], 'dueDiscards');
      same(await store.accessRequests(other, {}), { requests: [] }, 'accessRequests');
      same(await store.accessRequests(other, { id: request.id }), { requests: [] }, 'accessRequests by id');
      const closing = { at: clock.now().toISOString(), by: 'x', outcome: 'denied' } as const;
      same(
        await store.closeAccessRequest(other, request.id, closing, theirs.event()),
        { status: 'not_found' },
        'closeAccessRequest',
      );
      same(
        await store.extendAccessRequest(
          other,
          request.id,
          { ...closing, reason: 'r', dueAt: later(request.dueAt) },
          theirs.event(),
        ),
        { status: 'not_found' },
        'extendAccessRequest',
      );
      same(
        await store.releaseHold(other, hold.id, 'x', clock.now().toISOString(), theirs.event()),
        { status: 'not_found' },
        'releaseHold',
      );
      await store.releaseClaim(other, expired.id, claim.token);

      same(await Promise.all(all.map((recording) => driver.fresh(recording))), before, 'rows');
      holds((await reader.countEvents()) === events, 'an event was written');
      status(
        await store.beginDeletion(scope, expired.id, intentOf(claim), mine.event()),
        'begun',
        'the claim still stands',
      );
    },
  ),

  define('tenant.same_names', 'lets two tenants use the same ids, sessions, patients and references', async (tools) => {
    const { stores, scope, otherScope, mine, theirs } = tools;
    const store = stores.recordings;
    const driver = drive(tools);
    const own = await driver.expired({}, { sessionId: 's', patient: 'p', providerRef: 'RM1' });
    const row = { ...theirs.newRecording({ id: own.id }), sessionId: 's', patient: 'p', providerRef: 'RM1' };
    const { recording } = status(await store.start(otherScope, row, [], theirs.event()), 'started', 'the same id');
    const fact = mine.fact({ patient: 'p' });
    same(await store.noteFact(otherScope, fact, theirs.event()), { status: 'noted', revision: 1 }, 'their fact');
    same(await store.facts(scope, 'p'), { facts: [], revision: 0 }, 'my facts');
    const hold = mine.hold({ patient: 'p' });
    same(await store.placeHold(otherScope, hold, theirs.event()), { status: 'placed', tooLate: [] }, 'their hold');
    same(await driver.fresh(own), own, 'my recording');
    const claim = await driver.claimedExpired(own);
    status(
      await store.beginDeletion(scope, own.id, intentOf(claim), mine.event()),
      'begun',
      'neither fact nor hold of theirs',
    );
    status(await store.placeHold(scope, hold, mine.event()), 'placed', 'the same hold id');
    same(await store.noteFact(scope, fact, mine.event()), { status: 'noted', revision: 1 }, 'the same fact id');
    same(idsOf((await store.list(otherScope, {})).recordings), [recording.id], 'their list');
    holds((await store.get(otherScope, own.id))?.state === 'starting', 'their recording');
  }),

  define(
    'outage',
    'answers store_unavailable while it is down, and has written nothing',
    async (tools) => {
      const { stores, scope, reader, mine, clock } = tools;
      const driver = drive(tools);
      const recording = await driver.inState('available');
      const before = await reader.countEvents();
      const restore = await present(tools.outage, 'outage')();
      try {
        const change = { expectedRevision: recording.revision, to: 'archived', at: clock.now().toISOString() } as const;
        const calls: readonly (() => Promise<unknown>)[] = [
          () => stores.recordings.start(scope, mine.newRecording(), [], mine.event()),
          () => stores.recordings.get(scope, recording.id),
          () => stores.recordings.list(scope, {}),
          () => stores.recordings.change(scope, recording.id, change, mine.event()),
          () => stores.recordings.noteAccess(scope, recording.id, 'view', mine.event()),
          () => stores.recordings.claimTransfers(scope, lease),
          () => stores.recordings.claimStops(scope, lease),
          () => stores.recordings.placeHold(scope, mine.hold({ recordingId: recording.id }), mine.event()),
          () => stores.recordings.claimExpired(scope, due, rules, lease),
        ];
        for (const call of calls) {
          const error = await rejects(call(), 'store_unavailable', 'during the outage');
          holds(error.retryable, 'an outage is not marked as retryable');
        }
      } finally {
        await restore();
      }
      same(await driver.fresh(recording), recording, 'the recording');
      holds((await reader.countEvents()) === before, 'an event was written');
    },
    ['outage'],
  ),
];
