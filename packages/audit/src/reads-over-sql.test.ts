import type { AuditFacts, CallContext } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import { afterAll, describe, expect, test } from 'vitest';
import { freshDatabase } from '../../../test/postgres.ts';
import { pgContexts } from '../../../test/sql-contexts.ts';
import { accessReport } from './access-report.ts';
import { accountingOfDisclosures } from './accounting-of-disclosures.ts';
import { createAuditLog } from './audit-log.ts';
import { monthlySummary } from './monthly-summary.ts';
import { createReview } from './review.ts';
import { reviewRules } from './review-rules.ts';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';
import { tail } from './tail.ts';

const signer = createSigner({ origin: 'example.org/audit', privateKey: new Uint8Array(32).fill(7) });
const glass: AuditFacts = {
  action: 'note.edit',
  kind: 'update',
  outcome: 'success',
  patient: 'p1',
  actor: { id: 'u1', type: 'user' },
  source: {},
  purpose: 'BTG',
  reason: 'No pulse',
};

describe('what reads the log, over Postgres', async () => {
  const contexts = await pgContexts();
  afterAll(() => contexts.close());

  test('misses no event of a transaction that commits late, in a review or a tail', async () => {
    const context = await contexts.create();
    const { stores, scope, transaction } = context;
    if (transaction === undefined) throw new Error('These contexts open transactions');
    const audit = createAuditLog({ store: stores.audit });
    const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer });
    const review = createReview({ ...stores, rules: reviewRules() });
    const shipped: string[] = [];
    const ship = async (): Promise<void> => {
      const { size } = await stores.log.head();
      if ((await stores.cursors.read('siem')) === size) return;
      for await (const { events, to } of tail(stores, { name: 'siem', batch: 2 })) {
        shipped.push(...events.map(({ event }) => event.id));
        if (to === size) break; // not asked past: comes again
      }
    };
    const host = await transaction();
    const late = await createAuditLog({ store: host.stores.audit }).record(glass, { scope });
    const early = [await audit.record(glass, { scope }), await audit.record(glass, { scope })];
    await sequencer.tick();
    await Promise.all([review.scan(), ship()]);
    await host.commit();
    await sequencer.tick();
    await Promise.all([review.scan(), review.scan(), ship()]);
    const ids = [...early, late].map(({ id }) => id);
    expect((await review.list(scope)).reviews.map(({ eventId }) => eventId)).toEqual(ids);
    expect([...new Set(shipped)]).toEqual(ids);
    await context.dispose?.();
  });

  test('signs off with an event in one transaction, and counts and accounts for what was recorded', async () => {
    const context = await contexts.create();
    const { stores, scope, clock, reader } = context;
    const audit = createAuditLog({ store: stores.audit, clock });
    const disclosure = { recipient: { name: 'County court' }, description: 'Visit note', basis: 'Court order 26-CV-1' };
    await audit.record({ ...glass, disclosure }, { scope });
    await createSequencer({ memory: 'unguarded', store: stores.log, signer }).tick();
    const review = createReview({ ...stores, rules: reviewRules(), clock });
    await review.scan();
    const [open] = (await review.list(scope)).reviews;
    const officer: CallContext = {
      scope,
      actor: { id: 'officer-1', type: 'user', roles: [], tenant: scope.tenant },
      source: {},
    };
    const before = await reader.countEvents();
    const signed = await review.signOff(officer, { id: open?.id ?? '', outcome: 'appropriate' });
    expect(signed.status).toBe('signed');
    expect(await reader.countEvents()).toBe(before + 1);

    const { lines } = await monthlySummary(stores.audit, scope, { clock });
    expect(lines).toMatchObject([{ actor: 'u1', accesses: 1, patients: 1 }]);
    const requestedOn = clock.now().toISOString().slice(0, 10);
    const { report } = await accountingOfDisclosures(audit, scope, 'p1', { requestedOn, zone: 'UTC', clock });
    expect(report.disclosures).toMatchObject([{ date: requestedOn, recipient: { name: 'County court' } }]);
    await context.dispose?.();
  });

  test('reports who saw a record, those included who wrote to it in bulk', async () => {
    const db = await freshDatabase();
    const audit = createAuditLog({ store: sqlStores(pgWire(db.pool)).audit });
    await audit.record(glass, { scope: { tenant: 'default' } });
    await db.pool.query(`CREATE SCHEMA host; CREATE TABLE host.job (id int PRIMARY KEY, patient text);
      SELECT medzen.audit_table('host.job', 'patient', 'statement')`);
    await db.pool.query(`BEGIN; SET LOCAL medzen.actor = 'nightly';
      INSERT INTO host.job SELECT g, 'p' || g % 3 FROM generate_series(1, 6) g; COMMIT`);
    const { people, total } = await accessReport(audit, { tenant: 'default' }, 'p1', { from: new Date('2026-01-01') });
    expect(people.map(({ actor }) => actor.id).toSorted()).toEqual(['nightly', 'u1']);
    expect(total).toBe(2);
    await db.drop();
  });
});
