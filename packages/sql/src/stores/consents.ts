import type { ConsentStore, Wire } from '@medzen/core';
import { callJson, eventArgs } from './call-json.ts';
import { flag, list, oneOf, shape, text, verdict } from './read-json.ts';

const consent = shape(
  {
    id: text,
    sessionId: text,
    participant: text,
    decision: oneOf('given', 'withdrawn'),
    acknowledgements: shape({ recording: flag, storage: flag, access: flag, retention: flag }),
    textVersion: text,
    textSha256: text,
    language: text,
    method: oneOf('click', 'written', 'verbal', 'signature'),
    at: text,
  },
  { location: text, ip: text, userAgent: text },
);

/** Consents, in `medzen.consent`. */
export function consentStore(wire: Wire): ConsentStore {
  return {
    record: ({ tenant }, record, event) =>
      callJson(
        wire,
        'record_consent',
        {
          tenant,
          id: record.id,
          session_id: record.sessionId,
          participant: record.participant,
          decision: record.decision,
          acknowledged_recording: record.acknowledgements.recording,
          acknowledged_storage: record.acknowledgements.storage,
          acknowledged_access: record.acknowledgements.access,
          acknowledged_retention: record.acknowledgements.retention,
          text_version: record.textVersion,
          text_sha256: record.textSha256,
          language: record.language,
          method: record.method,
          at: record.at,
          location: record.location ?? null,
          ip: record.ip ?? null,
          user_agent: record.userAgent ?? null,
          ...eventArgs(event),
        },
        verdict({ recorded: {}, repeated: {} }),
      ),
    current: ({ tenant }, sessionId) =>
      callJson(wire, 'list_consents', { tenant, session_id: sessionId }, list(consent)),
  };
}
