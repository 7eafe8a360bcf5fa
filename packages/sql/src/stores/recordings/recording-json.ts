import type { AccessRequest, Claim, LegalHold, Recording, RetentionFact } from '@medzen/core';
import { flag, integer, list, number, oneOf, type Reader, shape, text } from '../read-json.ts';

/** Readers of what `medzen.recording_json` and its like write. */

const decision = shape(
  { rulesVersion: text, factsRevision: integer, decidedAt: text, ruleIds: list(text) },
  { retainUntil: text, warnAt: text, graceUntil: text, undated: oneOf('unknown', 'claim', 'unjudged') },
);

const storage = shape({ store: text, bucket: text }, { region: text, storageClass: text });

const tombstone = shape(
  {
    deletedAt: text,
    deletedBy: text,
    reason: text,
    ruleIds: list(text),
    citations: list(text),
    versionsDeleted: integer,
    bytesDeleted: number,
    provedEmptyAt: text,
  },
  {
    sha256: text,
    providerNote: text,
    storage,
    mediaMissing: flag,
    mediaExpired: flag,
    otherCopies: list(shape({ name: text }, { goneBy: text })),
  },
);

const lock = shape(
  { checkedAt: text },
  { lockedUntil: text, legalHold: flag, mode: oneOf('governance', 'compliance') },
);

const deletion = shape(
  {
    from: oneOf('available', 'archived', 'failed'),
    basis: oneOf('retention', 'nothing_stored'),
    startedAt: text,
    startedBy: text,
    reason: text,
    ruleIds: list(text),
    citations: list(text),
    versions: integer,
    bytes: number,
  },
  { providerAsked: flag },
);

export const recording: Reader<Recording> = shape(
  {
    id: text,
    sessionId: text,
    patient: text,
    participants: list(shape({ id: text, role: oneOf('patient', 'provider', 'guest') }, { location: text })),
    provider: text,
    providerRef: text,
    state: oneOf(
      'starting',
      'recording',
      'processing',
      'uploading',
      'available',
      'archived',
      'deleting',
      'deleted',
      'failed',
    ),
    stateAt: text,
    startedAt: text,
    objectPrefix: text,
    retentionClass: shape({ jurisdiction: text, providerClass: text, zone: text }),
    holds: integer,
    accessRequests: integer,
    views: integer,
    downloads: integer,
    revision: integer,
  },
  {
    capturedAt: text,
    endedAt: text,
    durationSeconds: number,
    media: shape({ ref: text, contentType: text }, { size: number, acceptedBy: text }),
    object: shape({ key: text, versionId: text, size: number, sha256: text, contentType: text }, { encryption: text }),
    keepUntil: shape({ until: text, reason: text }),
    storage,
    providerAccount: text,
    lock,
    deletion,
    decision,
    deletableAt: text,
    failure: shape({ code: text, at: text, attempts: integer }),
    stopRequest: shape({ at: text, consent: text }),
    tombstone,
  },
);

export const recordings: Reader<readonly Recording[]> = list(recording);

export const claims: Reader<readonly Claim[]> = list(shape({ recording, token: text, attempts: integer }));

export const facts: Reader<{ readonly facts: readonly RetentionFact[]; readonly revision: number }> = shape({
  facts: list(
    shape(
      {
        id: text,
        patient: text,
        type: oneOf(
          'treatment',
          'discharge',
          'therapy_ended',
          'birth',
          'death',
          'claim_opened',
          'claim_closed',
          'void',
        ),
        date: text,
        zone: text,
      },
      { voids: text },
    ),
  ),
  revision: integer,
});

const target: Reader<LegalHold['target']> = (value, path) => {
  const { recordingId, patient } = shape({}, { recordingId: text, patient: text })(value, path);
  return recordingId === undefined ? { patient: text(patient, `${path}/patient`) } : { recordingId };
};

export const legalHolds: Reader<readonly LegalHold[]> = list(
  shape(
    { id: text, target, matter: text, reason: text, placedBy: text, placedAt: text },
    { releasedBy: text, releasedAt: text },
  ),
);

export const accessRequests: Reader<readonly AccessRequest[]> = list(
  shape(
    { id: text, target, requestedBy: text, receivedAt: text, dueAt: text, openedBy: text },
    {
      extension: shape({ at: text, by: text, reason: text }),
      closed: shape({ at: text, by: text, outcome: oneOf('provided', 'denied', 'withdrawn') }),
    },
  ),
);
