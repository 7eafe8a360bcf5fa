import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  auditStoreCases,
  brokenAuditStores,
  brokenConsentStores,
  type ConsentStoreContext,
  consentStoreCases,
  fakeClock,
  registerBroken,
  registerCases,
} from '@medzen/testing';
import { describe, expect, test } from 'vitest';
import { openSqlite } from './open-sqlite.ts';
import { sqliteAudit } from './sqlite-audit.ts';
import { sqliteConsents } from './sqlite-consents.ts';

/** Everything fresh for one case: an empty file, the stores, and ways past them. */
function createContext(): ConsentStoreContext {
  const dir = mkdtempSync(join(tmpdir(), 'sqlite-store-'));
  const file = join(dir, 'clinic.db');
  const db = openSqlite(file);
  const owner = new DatabaseSync(file); // a connection that the stores know nothing of
  const clock = fakeClock();
  const stores = { audit: sqliteAudit(db), consents: sqliteConsents(db) };
  return {
    stores,
    scope: { tenant: 'clinic-a' },
    otherScope: { tenant: 'clinic-b' },
    clock,
    advance: async (ms) => clock.advance(ms), // these stores have no clock of their own
    reader: {
      countEvents: async () => Number(owner.prepare('SELECT count(*) AS n FROM audit_event').get()?.n),
      eventsFor: async (id) =>
        owner
          .prepare('SELECT body FROM audit_event WHERE id = ?')
          .all(id)
          .map(({ body }) => body as Uint8Array), // a BLOB
    },
    transaction: async () => {
      db.exec('BEGIN IMMEDIATE');
      return { stores, commit: async () => db.exec('COMMIT'), rollback: async () => db.exec('ROLLBACK') };
    },
    outage: async () => {
      owner.exec('BEGIN EXCLUSIVE'); // another process has locked the file
      return async () => owner.exec('ROLLBACK');
    },
    dispose: async () => {
      owner.close();
      db.close();
      rmSync(dir, { recursive: true });
    },
  };
}

describe('the store over node:sqlite', () => {
  const options = { test, skip: test.skip, capabilities: ['host-transaction', 'outage'], createContext };
  const registered = [registerCases(auditStoreCases, options), registerCases(consentStoreCases, options)];
  const unseen = [
    ...registerBroken(auditStoreCases, brokenAuditStores, options),
    ...registerBroken(consentStoreCases, brokenConsentStores, options),
  ];

  test('leaves out only what needs a second connection', () => {
    const skipped = registered.flatMap((suite) => suite.skipped);
    expect(skipped.map(({ id }) => id)).toEqual([
      'audit.append.two_at_once',
      'audit.append.conflict_at_once',
      'audit.append.independent',
    ]);
    expect(new Set(skipped.flatMap(({ missing }) => missing))).toEqual(new Set(['concurrency']));
    expect(unseen).toEqual([]);
  });
});
