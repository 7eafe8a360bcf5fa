import type { DatabaseSync } from 'node:sqlite';
import { type ConsentRecord, type ConsentStore, canonicalize, MedzenError } from '@medzen/core';
import { asMedzenError, inTransaction } from './in-transaction.ts';
import { insertEvents } from './sqlite-audit.ts';

/** The port `ConsentStore`. */
export function sqliteConsents(db: DatabaseSync): ConsentStore {
  return {
    record: async (scope, consent, event) =>
      inTransaction(db, () => {
        const body = canonicalize(consent);
        const known = db.prepare('SELECT body FROM consent WHERE tenant = ? AND id = ?').get(scope.tenant, consent.id);
        if (known?.body === body) return { status: 'repeated' }; // a retry: nothing is written, nothing is superseded
        if (known !== undefined) throw new MedzenError('conflict', 'A consent with this id and other content exists');
        db.prepare('INSERT INTO consent (tenant, id, session_id, participant, body) VALUES (?, ?, ?, ?, ?)').run(
          ...[scope.tenant, consent.id, consent.sessionId, consent.participant, body],
        );
        insertEvents(db, scope, [event]); // when this throws, the consent goes with it
        return { status: 'recorded' };
      }),

    current: async (scope, sessionId) =>
      asMedzenError(() => {
        // With max(), SQLite takes the other columns from the row that has it: https://www.sqlite.org/lang_select.html#bareagg
        const rows = db
          .prepare(
            `SELECT body, max(recorded) FROM consent WHERE tenant = ? AND session_id = ?
             GROUP BY participant ORDER BY participant`,
          )
          .all(scope.tenant, sessionId);
        return rows.map(({ body }) => JSON.parse(String(body)) as ConsentRecord); // as `record` wrote it
      }),
  };
}
