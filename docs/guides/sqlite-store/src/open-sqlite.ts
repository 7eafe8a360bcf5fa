import { DatabaseSync } from 'node:sqlite';

/**
 * One table a port, and triggers that keep the log from being changed: what the port promises must not hang on the good
 * behaviour of the code above it.
 */
const schema = `
CREATE TABLE IF NOT EXISTS audit_event (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  outcome TEXT NOT NULL,
  purpose TEXT,
  patient TEXT,
  target_type TEXT,
  target_id TEXT,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS audit_event_of_tenant ON audit_event (tenant, id);
CREATE INDEX IF NOT EXISTS audit_event_of_patient ON audit_event (tenant, patient, id);
CREATE TRIGGER IF NOT EXISTS audit_event_stays BEFORE UPDATE ON audit_event
  BEGIN SELECT RAISE(ABORT, 'audit events are not changed'); END;
CREATE TRIGGER IF NOT EXISTS audit_event_remains BEFORE DELETE ON audit_event
  BEGIN SELECT RAISE(ABORT, 'audit events are not removed'); END;

CREATE TABLE IF NOT EXISTS consent (
  recorded INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  participant TEXT NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (tenant, id)
) STRICT;
CREATE INDEX IF NOT EXISTS consent_of_session ON consent (tenant, session_id, participant, recorded);
`;

/**
 * Opens a database file, and makes the tables when they are not there.
 *
 * @param path - a file on a local disk
 */
export function openSqlite(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 0 });
  db.exec(`PRAGMA synchronous = FULL;${schema}`); // what is answered as stored survives a power cut
  return db;
}
