import type {
  Claim,
  LegalHold,
  NewRecording,
  Recording,
  RecordingChange,
  RecordingState,
  SealedEvent,
  StoredDecision,
} from '@medzen/core';
import { at, holds, present, same, status } from '../assertions.ts';
import type { ContractCase } from '../contract.ts';
import { type CaseSamples, caseDefiner, type DefineCase } from '../define-case.ts';
import { deletionReason } from '../samples.ts';
import type { RecordingStoreContext } from '../store-context.ts';

export type RecordingCase = ContractCase<RecordingStoreContext>;
export type RecordingTools = RecordingStoreContext & CaseSamples;

/** Defines a case of this suite. */
export const define: DefineCase<RecordingStoreContext> = caseDefiner('recording');

/** The rules version of sample decisions. */
export const rules = 'rules-1';
/** A day on which sample decisions have run out. */
export const due: Date = new Date('2034-01-01T00:00:00.000Z');
/** A lease that is short beside every back-off. */
export const lease = { limit: 10, leaseMs: 1000 } as const;

export const minute = 60_000;

/** Every state. */
export const states: readonly RecordingState[] = [
  'starting',
  'recording',
  'processing',
  'uploading',
  'available',
  'archived',
  'deleting',
  'deleted',
  'failed',
];

/** Shorthands for the steps that most cases begin with. Each fails unless the store does what it must. */
export interface Driver {
  /** Starts a recording for which nobody's consent is asked. */
  started(given?: Partial<NewRecording>): Promise<Recording>;
  /** Changes it from its present revision; fails unless it changed. */
  moved(recording: Recording, change?: Partial<RecordingChange>): Promise<Recording>;
  /** A recording in this state, brought there by allowed steps. */
  inState(state: RecordingState, given?: Partial<NewRecording>): Promise<Recording>;
  /** Stores a decision on it. */
  decided(recording: Recording, given?: Partial<StoredDecision>): Promise<Recording>;
  /** Records the warning of its deadline. */
  warned(recording: Recording): Promise<Recording>;
  /** An `available` recording whose grace ended before `due`, and of which people were warned in time. */
  expired(decision?: Partial<StoredDecision>, given?: Partial<NewRecording>): Promise<Recording>;
  /** Claims it, and only it, for deletion. */
  claimedExpired(recording: Recording): Promise<Claim>;
  /** Claims it and begins its deletion. */
  begun(recording: Recording): Promise<Claim>;
  /** Claims it, begins its deletion and notes one version as removed: from here there is no way back. */
  removing(recording: Recording): Promise<Claim>;
  placed(target: LegalHold['target']): Promise<LegalHold>;
  noted(patient: string): Promise<number>;
  /** Has a participant take consent back, and gives the record's id. */
  withdrawn(recording: Pick<Recording, 'sessionId'>, participant?: string): Promise<string>;
  /** What the store has now. */
  fresh(recording: Recording): Promise<Recording>;
  /** Fails unless the recording is as it was and the event was not written. */
  untouched(recording: Recording, event: SealedEvent, message: string): Promise<void>;
}

/** The steps, over one case's tools. */
export function drive(tools: RecordingTools): Driver {
  const { stores, scope, clock, mine, reader } = tools;
  const store = stores.recordings;
  const now = (): string => clock.now().toISOString();

  const driver: Driver = {
    started: async (given) => {
      const result = await store.start(scope, mine.newRecording(given), [], mine.event({ action: 'recording.start' }));
      return status(result, 'started', 'start').recording;
    },
    moved: async (recording, change = {}) => {
      const ending = change.to === 'deleting' ? { deletion: { by: 'admin-1', reason: 'Nothing was recorded' } } : {};
      const given = { expectedRevision: recording.revision, at: now(), ...ending, ...change };
      const result = await store.change(scope, recording.id, given, mine.event({ action: 'recording.status' }));
      return status(result, 'changed', `${recording.state} to ${change.to ?? 'the same state'}`).recording;
    },
    inState: async (state, given) => {
      if (state === 'deleting' || state === 'deleted') {
        const recording = await driver.expired({}, given);
        const { token } = await driver.begun(recording);
        if (state === 'deleting') {
          await store.releaseClaim(scope, recording.id, token);
          return driver.fresh(recording);
        }
        const finished = await store.finishDeletion(scope, recording.id, token, mine.tombstone(), mine.event());
        return status(finished, 'finished', 'finish').recording;
      }
      let recording = await driver.started(given);
      for (const to of roads[state]) {
        const members = to === 'available' ? { object: mine.object() } : {};
        recording = await driver.moved(recording, { to, ...members });
      }
      return recording;
    },
    decided: async (recording, given) => {
      const result = await store.saveDecision(scope, recording.id, mine.decision(given), mine.event());
      return status(result, 'saved', 'decision').recording;
    },
    warned: async (recording) => {
      const deadline = present(recording.decision?.graceUntil, 'deadline');
      const result = await store.recordWarning(scope, recording.id, deadline, mine.event());
      status(result, 'recorded', 'warning');
      return driver.fresh(recording);
    },
    expired: async (decision, given) =>
      driver.warned(await driver.decided(await driver.inState('available', given), decision)),
    claimedExpired: async (recording) => {
      const claims = await store.claimExpired(scope, due, rules, { ...lease, id: recording.id });
      holds(claims.length === 1, `${claims.length} claims of one expired recording`);
      const claim = at(claims, 0, 'claim');
      holds(claim.recording.id === recording.id, 'another recording was claimed');
      return claim;
    },
    begun: async (recording) => {
      const claim = await driver.claimedExpired(recording);
      const intent = intentOf(claim);
      status(await store.beginDeletion(scope, recording.id, intent, mine.event()), 'begun', 'begin');
      return claim;
    },
    removing: async (recording) => {
      const claim = await driver.begun(recording);
      const removal = { ...removalOf(claim), removing: [{ ref: 'media', size: 7 }] };
      status(await store.noteRemoval(scope, recording.id, removal), 'noted', 'removal');
      return claim;
    },
    placed: async (target) => {
      const hold = mine.hold(target);
      status(await store.placeHold(scope, hold, mine.event({ action: 'hold.place' })), 'placed', 'hold');
      return hold;
    },
    noted: async (patient) => {
      const result = await store.noteFact(scope, mine.fact({ patient }), mine.event({ action: 'retention.fact' }));
      return status(result, 'noted', 'fact').revision;
    },
    withdrawn: async ({ sessionId }, participant = 'patient-1') => {
      const consent = mine.consent({ sessionId, participant, decision: 'withdrawn' });
      status(await stores.consents.record(scope, consent, mine.event()), 'recorded', 'withdrawal');
      return consent.id;
    },
    fresh: async (recording) => present(await store.get(scope, recording.id), 'recording'),
    untouched: async (recording, event, message) => {
      same(await driver.fresh(recording), recording, `${message}: the recording changed`);
      holds((await reader.eventsFor(event.id)).length === 0, `${message}: the event was written`);
    },
  };
  return driver;
}

const roads: Readonly<Record<Exclude<RecordingState, 'deleting' | 'deleted'>, readonly RecordingState[]>> = {
  starting: [],
  recording: ['recording'],
  processing: ['processing'],
  uploading: ['uploading'],
  available: ['uploading', 'available'],
  archived: ['uploading', 'available', 'archived'],
  failed: ['failed'],
};

/** The intent to delete what was claimed, on the decision that it was claimed with. */
export function intentOf(claim: Claim): typeof deletionReason & {
  token: string;
  factsRevision: number;
  rulesVersion: string;
  now: Date;
} {
  const factsRevision = claim.recording.decision?.factsRevision ?? 0;
  return { ...deletionReason, token: claim.token, factsRevision, rulesVersion: rules, now: due };
}

/** What every note of a removal has, for what was claimed. */
export function removalOf(claim: Claim): { token: string; factsRevision: number; rulesVersion: string } {
  const { token, factsRevision, rulesVersion } = intentOf(claim);
  return { token, factsRevision, rulesVersion };
}

/** Ids, in order. */
export function idsOf(recordings: readonly { readonly id: string }[]): readonly string[] {
  return recordings.map(({ id }) => id);
}

/** Ids of what was claimed, in order. */
export function claimedIds(claims: readonly Claim[]): readonly string[] {
  return claims.map(({ recording }) => recording.id);
}
