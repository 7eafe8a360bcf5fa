import { type LogCommit, type SealedEvent, sealEvent, sha256, toHex } from '@medzen/core';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { startPostgres } from '../../../../test/start-postgres.ts';
import { installSql, pgWire, sqlStores } from '../index.ts';

const scope = { tenant: 'clinic-a' };

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());

function event(given: { readonly reason?: string } = {}): SealedEvent {
  return sealEvent({
    tenant: scope.tenant,
    action: 'recording.view',
    kind: 'read',
    outcome: 'success',
    actor: { id: 'provider-1', type: 'user' },
    patient: 'patient-1',
    source: {},
    ...given,
  });
}

/** A batch as a sequencer would commit it, with a root that only has to be another each time. */
async function nextCommit(log: ReturnType<typeof sqlStores>['log'], limit: number): Promise<LogCommit | undefined> {
  const head = await log.head();
  const batch = await log.readBatch(limit);
  if (batch.length === 0) return undefined;
  const leafHashes = batch.map(({ body }) => sha256(Uint8Array.of(0), body));
  return {
    expectedSize: head.size,
    expectedRoot: head.root,
    eventIds: batch.map(({ id }) => id),
    leafHashes,
    tiles: [],
    root: sha256(head.root, ...leafHashes),
    checkpoint: `size ${head.size + batch.length}`,
  };
}

async function drain(log: ReturnType<typeof sqlStores>['log'], limit: number): Promise<number> {
  let conflicts = 0;
  for (;;) {
    const commit = await nextCommit(log, limit);
    if (commit === undefined) return conflicts;
    if ((await log.commitBatch(commit)).status === 'conflict') conflicts++;
  }
}

describe('the audit log under sixteen connections', () => {
  test('gives every event of sixteen writers exactly one leaf, with two sequencers at work', async () => {
    const pool = db.open({ max: 18 });
    const { audit, log } = sqlStores(pgWire(pool));
    const written: string[] = [];
    let writing = true;
    const sequencing = [1, 2].map(async () => {
      while (writing) await drain(log, 37);
    });
    await Promise.all(
      Array.from({ length: 16 }, async (_, writer) => {
        for (let i = 0; i < 12; i++) {
          const events = Array.from({ length: writer % 3 === 0 ? 20 : 1 }, () => event());
          await audit.append(scope, events);
          written.push(...events.map(({ id }) => id));
        }
      }),
    );
    writing = false;
    await Promise.all(sequencing);
    await drain(log, 1000);

    const { size } = await log.head();
    const leaves = await log.readLeaves(0, 10_000);
    expect(leaves.map(({ index }) => index)).toEqual(Array.from({ length: size }, (_, i) => i));
    expect(leaves.map(({ eventId }) => eventId).sort()).toEqual(written.sort());
    expect(await log.lag()).toEqual({ pending: 0, lost: 0, oldestMs: 0 });
  });

  test('lets one of two commits that race win, and tells the other', async () => {
    const { audit, log } = sqlStores(pgWire(db.pool));
    for (let round = 0; round < 10; round++) {
      await audit.append(scope, [event(), event()]);
      const commit = await nextCommit(log, 100);
      if (commit === undefined) throw new Error('There must be a batch');
      const other = { ...commit, root: sha256(commit.root), checkpoint: 'other' };
      const answers = await Promise.all([log.commitBatch(commit), log.commitBatch(other)]);
      expect(answers.map(({ status }) => status).sort()).toEqual(['committed', 'conflict']);
    }
  });

  test('neither loses nor waits for an event whose transaction commits late', async () => {
    const root = pgWire(db.pool);
    const { audit, log } = sqlStores(root);
    const client = await db.connect();
    await client.query('BEGIN');
    const late = event();
    expect(await sqlStores(pgWire(client, { root })).audit.append(scope, [late])).toEqual({ status: 'pending-commit' });
    const early = Array.from({ length: 300 }, () => event());
    await audit.append(scope, early);
    await drain(log, 50);
    expect(await log.leafOf(late.id)).toBeUndefined();
    for (const { id } of early) expect(await log.leafOf(id)).toBeTypeOf('number');
    await client.query('COMMIT');
    await drain(log, 50);
    expect(await log.leafOf(late.id)).toBe((await log.head()).size - 1);
  });

  test('stores one of two bodies that race for an id, and says so to the other', async () => {
    const { audit } = sqlStores(pgWire(db.pool));
    for (let round = 0; round < 20; round++) {
      const mine = event({ reason: 'mine' });
      const text = new TextDecoder().decode(mine.body).replace('"mine"', '"ours"');
      const theirs: SealedEvent = { id: mine.id, body: new TextEncoder().encode(text) };
      // A few together take the way for many, which expects no conflict.
      const rest = Array.from({ length: round % 2 === 0 ? 0 : 20 }, () => event());
      const answers = await Promise.allSettled([
        audit.append(scope, [mine, ...rest]),
        audit.append(scope, [theirs]),
        audit.append(scope, [mine]),
      ]);
      const { rows } = await db.pool.query('SELECT body FROM medzen.audit_event WHERE id = $1', [mine.id]);
      expect(rows).toHaveLength(1);
      const kept = new TextDecoder().decode(rows[0]?.body).includes('"mine"') ? mine : theirs;
      const expected = kept === mine ? ['fulfilled', 'rejected', 'fulfilled'] : ['rejected', 'fulfilled', 'rejected'];
      expect(answers.map(({ status }) => status)).toEqual(expected);
      for (const answer of answers)
        if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'audit_conflict' });
    }
  });

  test('lets batches with events in common, in opposite orders, both come through', async () => {
    const { audit } = sqlStores(pgWire(db.pool));
    for (let round = 0; round < 10; round++) {
      const events = Array.from({ length: 40 }, () => event());
      const answers = await Promise.all([
        audit.append(scope, events),
        audit.append(scope, events.toReversed()),
        audit.append(scope, events.slice(10, 25)),
      ]);
      expect(answers).toEqual(answers.map(() => ({ status: 'durable' })));
    }
  });
});

describe('what the queue notes to be quick', () => {
  test('finds everything again after a restore into a server that counts its transactions anew', async () => {
    const { audit, log } = sqlStores(pgWire(db.pool));
    await audit.append(scope, [event()]);
    await drain(log, 1000);
    // As a dump would bring it: a transaction id far ahead of this server's, noted by another server.
    await db.pool.query(
      "UPDATE medzen.audit_head SET pending_from = '9000000000', server_started = server_started - interval '1 day'",
    );
    const after = event();
    await audit.append(scope, [after]);
    expect((await log.readBatch(10)).map(({ id }) => id)).toEqual([after.id]);
    await drain(log, 10);
    expect(await log.leafOf(after.id)).toBeTypeOf('number');
  });

  test('finds what was written elsewhere and brought back to this server by a dump', async () => {
    const { audit, log } = sqlStores(pgWire(db.pool));
    await audit.append(scope, [event()]);
    await drain(log, 1000);
    const elsewhere = event();
    await audit.append(scope, [elsewhere]);
    // As the dump of another server would bring it, to which this database had moved: nothing was sequenced there, so the note is
    // still this server's; but that server's transactions have smaller ids.
    const client = await db.connect();
    await client.query(`BEGIN; SET LOCAL session_replication_role = replica;
      UPDATE medzen.audit_pending SET xid = '3'; UPDATE medzen.audit_event SET xid = '3' WHERE id = '${elsewhere.id}';
      CREATE TEMP TABLE dumped ON COMMIT DROP AS TABLE medzen.audit_head;
      DELETE FROM medzen.audit_head; INSERT INTO medzen.audit_head TABLE dumped; COMMIT`);
    expect((await log.readBatch(10)).map(({ id }) => id)).toEqual([elsewhere.id]);
    await drain(log, 10);
    expect(await log.leafOf(elsewhere.id)).toBeTypeOf('number');
  });

  test('can be made again from the leaves', async () => {
    const { audit, log } = sqlStores(pgWire(db.pool));
    const lost = [event(), event()];
    await audit.append(scope, lost);
    await db.pool.query('DELETE FROM medzen.audit_pending');
    expect(await log.readBatch(10)).toEqual([]);
    const { rows } = await db.pool.query('SELECT medzen.requeue_events()::int AS n');
    expect(rows).toEqual([{ n: 2 }]);
    expect((await log.readBatch(10)).map(({ id }) => id).sort()).toEqual(lost.map(({ id }) => id).sort());
    await drain(log, 10);
  });

  // The oldest open transaction of the whole server holds the mark back, so this one has a server to itself.
  test('does not read what was sequenced, however much that is', async () => {
    const server = await startPostgres();
    const client = new pg.Client(server.url);
    onTestFinished(async () => {
      await client.end();
      await server.stop();
    });
    await client.connect();
    await installSql(client);
    const { audit, log } = sqlStores(pgWire(client));
    for (let i = 0; i < 20; i++)
      await audit.append(
        scope,
        Array.from({ length: 500 }, () => event()),
      );
    const blocksRead = async (): Promise<number> => {
      await drain(log, 10_000);
      await audit.append(scope, [event()]);
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT q.event_id FROM medzen.audit_pending q
         WHERE q.xid >= (SELECT medzen.pending_from()) ORDER BY q.xid, q.event_id LIMIT 100`,
      );
      const plan = rows[0]?.['QUERY PLAN'][0].Plan;
      return (plan?.['Shared Hit Blocks'] ?? 0) + (plan?.['Shared Read Blocks'] ?? 0);
    };
    // Polled, as an autovacuum holds the mark back too, and ends.
    await expect.poll(blocksRead, { timeout: 45_000, interval: 250 }).toBeLessThan(60);
  });
});

describe('the hash of a leaf', () => {
  test('is computed by the database from the stored bytes', async () => {
    const { audit } = sqlStores(pgWire(db.pool));
    const sealed = event();
    await audit.append(scope, [sealed]);
    const { rows } = await db.pool.query(
      "SELECT encode(leaf_hash, 'hex') AS hash FROM medzen.audit_event WHERE id = $1",
      [sealed.id],
    );
    expect(rows).toEqual([{ hash: toHex(sha256(Uint8Array.of(0), sealed.body)) }]);
  });
});
