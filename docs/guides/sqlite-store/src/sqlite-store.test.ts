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
  createSamples,
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

describe('what the suites cannot know', () => {
  const scope = { tenant: 'default' };

  test('a refusal inside a transaction of the host undoes its own work, and leaves the rest to the host', async () => {
    const db = openSqlite(':memory:');
    const [audit, consents] = [sqliteAudit(db), sqliteConsents(db)];
    const { consent, event } = createSamples();
    const [kept, stored] = [consent(), event()];
    await audit.append(scope, [stored]);
    db.exec('BEGIN');
    await consents.record(scope, kept, event());
    const wrong = { id: stored.id, body: event().body }; // is noticed after the consent's own row was written
    await expect(consents.record(scope, consent({ participant: 'b' }), wrong)).rejects.toMatchObject({
      code: 'invalid_input',
    });
    db.exec('COMMIT');
    expect(await consents.current(scope, kept.sessionId)).toEqual([kept]);
    expect((await audit.search(scope, {})).events).toHaveLength(2);
    db.close();
  });

  test('an event is neither changed nor removed, whatever code asks for it', async () => {
    const db = openSqlite(':memory:');
    const { event } = createSamples();
    await sqliteAudit(db).append(scope, [event()]);
    expect(() => db.exec("UPDATE audit_event SET actor = 'nobody'")).toThrow('not changed');
    expect(() => db.exec('DELETE FROM audit_event')).toThrow('not removed');
    db.close();
  });
});
