import { type ConsentRecord, type ConsentStore, canonicalize, MedzenError, type Scope } from '@medzen/core';
import type { EventTable } from './memory-audit.ts';

/** The consents of all tenants. */
export interface ConsentTable {
  readonly port: ConsentStore;
  /** The record of each participant that was recorded last. */
  latest(scope: Scope, sessionId: string): ReadonlyMap<string, ConsentRecord>;
}

/**
 * @param events - where the events of changes go
 * @param withdrawn - called with each withdrawal, and what the participant had said before it, in its critical section; must not throw
 */
export function createConsentTable(
  events: EventTable,
  withdrawn: (scope: Scope, consent: ConsentRecord, before: ConsentRecord | undefined) => void,
): ConsentTable {
  const byId = new Map<string, ConsentRecord>();
  const sessions = new Map<string, Map<string, ConsentRecord>>();
  const keyOf = (scope: Scope, id: string): string => `${scope.tenant}:${id}`;
  const latest = (scope: Scope, sessionId: string): ReadonlyMap<string, ConsentRecord> =>
    sessions.get(keyOf(scope, sessionId)) ?? new Map();

  return {
    latest,
    port: {
      record: async (scope, consent, event) => {
        const known = byId.get(keyOf(scope, consent.id));
        if (known !== undefined) {
          if (canonicalize(known) === canonicalize(consent)) return { status: 'repeated' };
          throw new MedzenError('conflict', 'A consent with this id and other content exists');
        }
        const row = structuredClone(consent);
        events.plan(scope, [event])();
        byId.set(keyOf(scope, row.id), row);
        const session = keyOf(scope, row.sessionId);
        const participants = sessions.get(session) ?? new Map<string, ConsentRecord>();
        const before = participants.get(row.participant);
        participants.set(row.participant, row);
        sessions.set(session, participants);
        if (row.decision === 'withdrawn') withdrawn(scope, row, before);
        return { status: 'recorded' };
      },
      current: async (scope, sessionId) =>
        [...latest(scope, sessionId).values()]
          .sort((a, b) => (a.participant < b.participant ? -1 : 1))
          .map((record) => structuredClone(record)),
    },
  };
}
