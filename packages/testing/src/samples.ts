import {
  type AccessRequest,
  type AuditEventDraft,
  accessRequestDays,
  type Clock,
  type ConsentRecord,
  type Ids,
  type LegalHold,
  type NewRecording,
  type Random,
  type RetentionFact,
  type Scope,
  type SealedEvent,
  type StoredDecision,
  type StoredObject,
  sealEvent,
  systemRandom,
  type Tombstone,
} from '@medzen/core';
import { fakeClock } from './fake-clock.ts';
import { fakeIds } from './fake-ids.ts';

/** Why a sample deletion begins: what an intent of `beginDeletion` has beside the claim and the decision. */
export const deletionReason: {
  readonly by: string;
  readonly reason: string;
  readonly ruleIds: readonly string[];
  readonly citations: readonly string[];
} = {
  by: 'sweep',
  reason: 'Retention has ended',
  ruleIds: ['us-ga-psychologist'],
  citations: ['Ga. Comp. R. & Regs. 510-5-.04(2)'],
};

/** Builders of plausible data of one tenant. Every call makes something new; given members replace the builder's. */
export interface Samples {
  readonly ids: Ids;
  /** A sealed event of the tenant. */
  event(draft?: Partial<AuditEventDraft>): SealedEvent;
  newRecording(given?: Partial<NewRecording>): NewRecording;
  /** A consent given in full. */
  consent(given?: Partial<ConsentRecord>): ConsentRecord;
  fact(given?: Partial<RetentionFact>): RetentionFact;
  hold(target: LegalHold['target'], given?: Partial<LegalHold>): LegalHold;
  /** A request that is due in 30 days. */
  accessRequest(target: AccessRequest['target'], given?: Partial<AccessRequest>): AccessRequest;
  /** A decision of rules version `rules-1` on no facts, kept until 2033. */
  decision(given?: Partial<StoredDecision>): StoredDecision;
  object(given?: Partial<StoredObject>): StoredObject;
  tombstone(given?: Partial<Tombstone>): Tombstone;
}

/** Where samples take tenant, time and randomness from. */
export interface SampleDeps {
  readonly scope?: Scope;
  readonly clock?: Clock;
  /** Real randomness when absent, so that two cases never meet in one database. */
  readonly random?: Random;
}

/**
 * Builders of sample data for one tenant.
 *
 * @param deps - tenant `default`, a fake clock and real randomness when absent
 * @example
 * ```ts
 * import { createSamples } from '@medzen/testing';
 * const samples = createSamples();
 * const event = samples.event({ action: 'recording.view', patient: 'patient-1' });
 * event.body.length > 0; // true
 * ```
 */
export function createSamples(deps: SampleDeps = {}): Samples {
  const tenant = deps.scope?.tenant ?? 'default';
  const clock = deps.clock ?? fakeClock();
  const random = deps.random ?? systemRandom;
  const ids = fakeIds(clock, random);
  const now = (): string => clock.now().toISOString();
  return {
    ids,
    event: (draft = {}) => sealEvent({ ...sampleDraft, tenant, ...draft }, { clock, ids, random }),
    newRecording: (given = {}) => {
      const id = given.id ?? ids.uuid();
      return {
        id,
        sessionId: `session-${id}`,
        patient: 'patient-1',
        participants: [
          { id: 'patient-1', role: 'patient', location: 'US-GA' },
          { id: 'provider-1', role: 'provider' },
        ],
        provider: 'twilio',
        providerRef: `RM${id.replaceAll('-', '')}`,
        startedAt: now(),
        objectPrefix: `${tenant}/2026/01/${id}/`,
        retentionClass: { jurisdiction: 'US-GA', providerClass: 'psychologist', zone: 'America/New_York' },
        storage: { store: 's3', bucket: 'recordings', region: 'us-east-1' },
        providerAccount: 'AC1',
        ...given,
      };
    },
    consent: (given = {}) => ({
      id: ids.uuid(),
      sessionId: 'session-1',
      participant: 'patient-1',
      decision: 'given',
      acknowledgements: { recording: true, storage: true, access: true, retention: true },
      textVersion: '2026-01',
      textSha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      language: 'en-US',
      method: 'click',
      location: 'US-GA',
      ip: '192.0.2.7',
      userAgent: 'Mozilla/5.0',
      at: now(),
      ...given,
    }),
    fact: (given = {}) => ({
      id: ids.uuid(),
      patient: 'patient-1',
      type: 'treatment',
      date: '2026-01-15',
      zone: 'America/New_York',
      ...given,
    }),
    hold: (target, given = {}) => ({
      id: ids.uuid(),
      target,
      matter: 'Doe v. Clinic, 26-CV-1',
      reason: 'Litigation is expected',
      placedBy: 'counsel-1',
      placedAt: now(),
      ...given,
    }),
    accessRequest: (target, given = {}) => ({
      id: ids.uuid(),
      target,
      requestedBy: 'patient-1',
      receivedAt: now(),
      dueAt: new Date(clock.now().getTime() + accessRequestDays * 86_400_000).toISOString(),
      openedBy: 'records-1',
      ...given,
    }),
    decision: (given = {}) => ({
      rulesVersion: 'rules-1',
      factsRevision: 0,
      decidedAt: now(),
      retainUntil: '2033-01-16T05:00:00.000Z',
      warnAt: '2033-03-17T05:00:00.000Z',
      graceUntil: '2033-04-16T05:00:00.000Z',
      ruleIds: ['us-ga-psychologist'],
      ...given,
    }),
    object: (given = {}) => ({
      key: `${tenant}/2026/01/recording/media.mp4`,
      versionId: 'v1',
      size: 1_234_567,
      sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      contentType: 'video/mp4',
      encryption: 'aws:kms',
      ...given,
    }),
    tombstone: (given = {}) => ({
      deletedAt: now(),
      deletedBy: 'sweep',
      reason: 'Retention has ended',
      ruleIds: ['us-ga-psychologist'],
      citations: ['Ga. Comp. R. & Regs. 510-5-.04(2)'],
      versionsDeleted: 2,
      bytesDeleted: 1_234_567,
      sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      provedEmptyAt: now(),
      ...given,
    }),
  };
}

/** A recording viewed by its provider. */
const sampleDraft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  actor: { id: 'provider-1', type: 'user', role: 'provider' },
  patient: 'patient-1',
  target: { type: 'recording', id: 'recording-1' },
  purpose: 'TREAT',
  source: { ip: '192.0.2.7', requestId: 'request-1' },
};
