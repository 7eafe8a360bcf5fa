import type { AuditFacts } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import { afterAll, describe, expect, test } from 'vitest';
import { freshDatabase } from '../../../test/postgres.ts';
import { pgContexts, pgliteContexts, type SqlContexts } from '../../../test/sql-contexts.ts';
import { createAuditLog } from './audit-log.ts';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';
import { verifyLog } from './verify-log.ts';

const signer = createSigner({ origin: 'example.org/audit', privateKey: new Uint8Array(32).fill(7) });
const verifierKeys = [signer.verifierKey];
const view: AuditFacts = {
  action: 'note.view',
  kind: 'read',
  outcome: 'success',
  patient: 'p1',
  actor: { id: 'u1', type: 'user' },
  source: {},
};
const change: AuditFacts = { ...view, action: 'note.edit', kind: 'update' };

async function using<T>(
  contexts: SqlContexts,
  run: (context: Awaited<ReturnType<SqlContexts['create']>>) => Promise<T>,
) {
  const context = await contexts.create();
  try {
    return await run(context);
  } finally {
    await context.dispose?.();
  }
}

describe.each([
  ['pg', await pgContexts()],
  ['PGlite', await pgliteContexts()],
] as const)('the log over %s', (name, contexts) => {
  afterAll(() => contexts.close());

  test('is recorded, sequenced and verified; a byte changed as the owner of the database is found and named', async () => {
    await using(contexts, async ({ stores, scope, damage }) => {
      const audit = createAuditLog({ store: stores.audit });
      const { ids } = await audit.recordMany(Array<AuditFacts>(600).fill(view), { scope });
      const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer, batchSize: 250 });
      for (let status = ''; status !== 'idle'; ) status = (await sequencer.tick()).status;
      const sound = await verifyLog({ store: stores.log, verifierKeys });
      expect(sound).toMatchObject({ ok: true, size: 600, unsequenced: 0 });

      const altered = ids[300] ?? '';
      const index = await stores.log.leafOf(altered);
      const [leaf] = await stores.log.readLeaves(index ?? -1, 1);
      const body = leaf?.body?.slice() ?? new Uint8Array();
      body[40] = (body[40] ?? 0) ^ 1;
      await damage?.(altered, body);
      const checkpoint = sound.ok ? sound.checkpoint : undefined;
      const verdict = await verifyLog({
        store: stores.log,
        verifierKeys,
        ...(checkpoint === undefined ? {} : { checkpoint }),
      });
      expect(verdict).toMatchObject({
        ok: false,
        total: 1,
        findings: [{ kind: 'event_altered', index, eventId: altered }],
      });
      await damage?.(altered, undefined);
      expect(await verifyLog({ store: stores.log, verifierKeys })).toMatchObject({
        findings: [{ kind: 'event_missing', index, count: 1, eventId: altered }],
      });
    });
  });

  test('keeps a change in the fate of its transaction, and a read out of it', async () => {
    await using(contexts, async ({ stores, scope, transaction }) => {
      if (transaction === undefined) throw new Error('These contexts open transactions');
      const host = await transaction();
      const inside = createAuditLog({ store: host.stores.audit });
      expect(await inside.record(change, { scope })).toMatchObject({ status: 'pending-commit' });
      const reading = inside.audited({ ...view, kind: 'read' }, { scope }, () => 'the note');
      if (name === 'PGlite') await expect(reading).rejects.toMatchObject({ code: 'wire_busy' });
      else expect(await reading).toBe('the note');
      await host.rollback();
      const { events } = await createAuditLog({ store: stores.audit }).search(scope, {});
      expect(events.map(({ action }) => action)).toEqual(name === 'PGlite' ? [] : ['note.view']);
    });
  });
});

describe('an owner of the database who leaves every body alone', async () => {
  const db = await freshDatabase({ install: true });
  const contexts = await pgContexts();
  afterAll(async () => {
    await contexts.close();
    await db.drop();
  });

  test.each([
    ["patient = 'p2'", "hides an access from the patient's report"],
    ["actor = 'u2'", 'puts it under the name of somebody else'],
    ["tenant = 'other'", 'gives it to another tenant'],
    ["at = at - interval '40 days'", 'dates it back'],
    ["action = 'note.edit'", 'calls it something else'],
    ["outcome = 'denied'", 'turns it into a refusal'],
    ['stray = true', 'puts it where searches by time do not look'],
  ])('is found out: %s', async (assignment) => {
    const stores = sqlStores(pgWire(db.pool));
    const audit = createAuditLog({ store: stores.audit });
    const { ids } = await audit.recordMany(Array<AuditFacts>(300).fill(view), { scope: { tenant: 'default' } });
    const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer });
    while ((await sequencer.tick()).status !== 'idle');
    const eventId = ids[7] ?? '';
    const client = await db.pool.connect();
    await client.query('SET session_replication_role = replica');
    await client.query(
      `CREATE TEMP TABLE before AS SELECT tenant, at, actor, action, patient, outcome, stray FROM medzen.audit_event WHERE id = '${eventId}'`,
    );
    await client.query(`UPDATE medzen.audit_event SET ${assignment} WHERE id = $1`, [eventId]);
    const index = await stores.log.leafOf(eventId);
    const verdict = await verifyLog({ store: stores.log, verifierKeys });
    await client.query(
      `UPDATE medzen.audit_event SET (tenant, at, actor, action, patient, outcome, stray) = (SELECT b.* FROM before b) WHERE id = $1`,
      [eventId],
    );
    client.release(true);
    expect(verdict).toMatchObject({ ok: false, total: 1, findings: [{ kind: 'event_misfiled', index, eventId }] });
    expect(await verifyLog({ store: stores.log, verifierKeys })).toMatchObject({ ok: true });
  });

  test('is found out who removes events before they are in the tree', async () => {
    await using(contexts, async ({ stores, scope, damage }) => {
      const audit = createAuditLog({ store: stores.audit });
      const { ids } = await audit.recordMany(Array<AuditFacts>(3).fill(view), { scope });
      await damage?.(ids[0] ?? '', undefined);
      await createSequencer({ memory: 'unguarded', store: stores.log, signer }).tick();
      expect(await verifyLog({ store: stores.log, verifierKeys })).toMatchObject({
        ok: false,
        size: 2,
        findings: [{ kind: 'pending_lost', count: 1 }],
      });
    });
  });
});

describe('sequencers over one Postgres', async () => {
  const contexts = await pgContexts();
  afterAll(() => contexts.close());

  test('four at once, while others write, make each event exactly one leaf', async () => {
    await using(contexts, async ({ stores, scope }) => {
      const audit = createAuditLog({ store: stores.audit });
      const writing = Array.from({ length: 4 }, async () => {
        for (let i = 0; i < 15; i++) await audit.recordMany(Array<AuditFacts>(5).fill(view), { scope });
      });
      let written = false;
      const statuses = new Set<string>();
      const ticking = Array.from({ length: 4 }, async () => {
        const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer, batchSize: 20 });
        for (let idle = 0; idle < 2; ) {
          const { status } = await sequencer.tick();
          statuses.add(status);
          idle = status === 'idle' && written ? idle + 1 : 0;
        }
      });
      await Promise.all(writing);
      written = true;
      await Promise.all(ticking);
      expect(statuses).toContain('committed');
      expect(await verifyLog({ store: stores.log, verifierKeys })).toMatchObject({
        ok: true,
        size: 300,
        unsequenced: 0,
        lost: 0,
        rebases: [],
      });
      const leaves = await stores.log.readLeaves(0, 1000);
      expect(new Set(leaves.map(({ eventId }) => eventId)).size).toBe(300);
    });
  });

  test('give no result of a read, and no verdict, while the database is out of reach', async () => {
    await using(contexts, async ({ stores, scope, outage }) => {
      if (outage === undefined) throw new Error('These contexts cut the connection');
      const audit = createAuditLog({ store: stores.audit });
      await audit.record(view, { scope });
      const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer });
      await sequencer.tick();
      const mend = await outage();
      const down = { code: 'store_unavailable', retryable: true };
      await expect(audit.audited({ ...view, kind: 'read' }, { scope }, () => 'note')).rejects.toMatchObject(down);
      await expect(sequencer.tick()).rejects.toMatchObject(down);
      await expect(verifyLog({ store: stores.log, verifierKeys })).rejects.toMatchObject(down);
      await mend();
      expect(await sequencer.tick()).toMatchObject({ status: 'idle', size: 1 });
    });
  });
});
