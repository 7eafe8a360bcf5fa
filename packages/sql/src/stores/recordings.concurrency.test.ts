import type { Recording, RecordingStore, Scope, Stores, Wire } from '@medzen/core';
import { createSamples, deletionReason, type Samples } from '@medzen/testing';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../../test/postgres.ts';
import { pgWire } from '../index.ts';
import { consentStore } from './consents.ts';
import { recordingStore } from './recordings.ts';

/** What only several connections of a real server can show. */

const now = new Date('2040-01-01T00:00:00.000Z');
const lease = { limit: 100, leaseMs: 60_000 };

type Both = Pick<Stores, 'consents' | 'recordings'>;
const bothOver = (wire: Wire): Both => ({ consents: consentStore(wire), recordings: recordingStore(wire) });

let db: FreshDatabase;
let stores: Both;
let recordings: RecordingStore;
let scope: Scope;
let samples: Samples;
let tenants = 0;

beforeAll(async () => {
  db = await freshDatabase();
  stores = bothOver(pgWire(db.open({ max: 20 })));
  recordings = stores.recordings;
});
afterAll(() => db.drop());

/** Each test has a tenant of its own, and so an empty store. */
function freshTenant(): void {
  scope = { tenant: `tenant-${++tenants}` };
  samples = createSamples({ scope });
}

async function counted(sql: string): Promise<number> {
  const { rows } = await db.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${sql}`, [scope.tenant]);
  return rows[0]?.n ?? -1;
}

/** A recording that may be deleted at `now`. */
async function expired(patient: string): Promise<Recording> {
  const started = await recordings.start(scope, samples.newRecording({ patient }), [], samples.event());
  if (started.status !== 'started') throw new Error(started.status);
  const { id } = started.recording;
  const at = started.recording.startedAt;
  const moves = [{ to: 'uploading' }, { to: 'available', object: samples.object() }] as const;
  for (const [step, move] of moves.entries())
    await recordings.change(scope, id, { expectedRevision: step + 1, at, ...move }, samples.event());
  const { revision } = await recordings.facts(scope, patient);
  const decision = samples.decision({ factsRevision: revision });
  const saved = await recordings.saveDecision(scope, id, decision, samples.event());
  if (saved.status !== 'saved') throw new Error(saved.status);
  await recordings.recordWarning(scope, id, decision.graceUntil ?? '', samples.event());
  return saved.recording;
}

describe('claims', () => {
  test('give no row to two workers at once, and miss none', async () => {
    freshTenant();
    const made = await Promise.all(Array.from({ length: 60 }, (_, n) => expired(`patient-${n}`)));
    const claimed = await Promise.all(
      Array.from({ length: 12 }, () => recordings.claimExpired(scope, now, 'rules-1', { ...lease, limit: 10 })),
    );
    const late = await recordings.claimExpired(scope, now, 'rules-1', lease); // rows that others had locked for a moment
    const ids = [...claimed.flat(), ...late].map((claim) => claim.recording.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(made.map(({ id }) => id).toSorted());
  });

  test('that have run out lose to a newer token', async () => {
    freshTenant();
    const { id } = await expired('patient-1');
    const [first] = await recordings.claimExpired(scope, now, 'rules-1', lease);
    await db.pool.query(
      "UPDATE medzen.recording SET claim_until = '-infinity', claim_after = '-infinity' WHERE tenant = $1",
      [scope.tenant],
    );
    const [second] = await recordings.claimExpired(scope, now, 'rules-1', lease);
    expect(BigInt(second?.token ?? 0)).toBeGreaterThan(BigInt(first?.token ?? 0));
    expect(second?.attempts).toBe(2);
    const intent = { ...deletionReason, factsRevision: 0, rulesVersion: 'rules-1', now };
    const lost = await recordings.beginDeletion(scope, id, { ...intent, token: first?.token ?? '' }, samples.event());
    expect(lost.status).toBe('lease_lost');
    const won = await recordings.beginDeletion(scope, id, { ...intent, token: second?.token ?? '' }, samples.event());
    expect(won.status).toBe('begun');
    const late = await recordings.finishDeletion(scope, id, first?.token ?? '', samples.tombstone(), samples.event());
    expect(late.status).toBe('lease_lost');
  });

  test('end in one tombstone when two workers finish the same deletion', async () => {
    freshTenant();
    const { id } = await expired('patient-1');
    const [claim] = await recordings.claimExpired(scope, now, 'rules-1', lease);
    const token = claim?.token ?? '';
    const intent = { ...deletionReason, token, factsRevision: 0, rulesVersion: 'rules-1', now };
    await recordings.beginDeletion(scope, id, intent, samples.event());
    const before = await counted('medzen.audit_event WHERE tenant = $1');
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        recordings.finishDeletion(scope, id, token, samples.tombstone(), samples.event()),
      ),
    );
    expect(answers.filter(({ status }) => status === 'finished')).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 'already_deleted')).toHaveLength(7);
    expect(await counted('medzen.audit_event WHERE tenant = $1')).toBe(before + 1);
  });
});

describe('the first removal of a deletion', () => {
  /** Both sides of the race at once, over and over; gives how often each pair of answers came. */
  async function race(
    rounds: number,
    rival: (recording: Recording) => Promise<{ readonly status: string }>,
  ): Promise<Map<string, number>> {
    const pairs = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      const recording = await expired(`patient-${round}`);
      const [claim] = await recordings.claimExpired(scope, now, 'rules-1', { ...lease, id: recording.id });
      if (claim === undefined) throw new Error('not claimed');
      const intent = { ...deletionReason, token: claim.token, factsRevision: 0, rulesVersion: 'rules-1', now };
      const began = await recordings.beginDeletion(scope, recording.id, intent, samples.event());
      expect(began.status).toBe('begun');
      const removal = { ...intent, removing: [{ ref: 'media', size: 7 }] };
      const remove = (): Promise<{ readonly status: string }> => recordings.noteRemoval(scope, recording.id, removal);
      const [removed, answered] =
        round % 2 === 0
          ? await Promise.all([remove(), rival(recording)])
          : (await Promise.all([rival(recording), remove()])).toReversed();
      const pair = `${removed?.status} ${answered?.status}`;
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    }
    return pairs;
  }

  test('and a hold on the recording never both succeed', async () => {
    freshTenant();
    const pairs = await race(60, ({ id }) =>
      recordings.placeHold(scope, samples.hold({ recordingId: id }), samples.event()),
    );
    expect([...pairs.keys()].toSorted().filter((pair) => pair !== 'noted too_late' && pair !== 'held placed')).toEqual(
      [],
    );
    expect(await counted('medzen.recording WHERE tenant = $1 AND removed_versions > 0 AND hold_count > 0')).toBe(0);
  });

  test('and a hold on the patient: either the hold covers the recording, or something of it was removed before', async () => {
    freshTenant();
    const pairs = await race(60, ({ patient }) =>
      recordings.placeHold(scope, samples.hold({ patient }), samples.event()),
    );
    expect([...pairs.keys()].toSorted().filter((pair) => pair !== 'noted placed' && pair !== 'held placed')).toEqual(
      [],
    );
    const removed = await counted('medzen.recording WHERE tenant = $1 AND removed_versions > 0');
    expect(removed).toBe(pairs.get('noted placed') ?? 0);
    const held = await recordings.claimExpired(scope, now, 'rules-1', { ...lease, limit: 1000 });
    expect(held.filter(({ recording }) => recording.state !== 'deleting')).toEqual([]);
  });

  test('and a new fact: a deletion that begins after the fact is refused as stale', async () => {
    freshTenant();
    const pairs = await race(60, ({ patient }) =>
      recordings.noteFact(scope, samples.fact({ patient }), samples.event()),
    );
    expect([...pairs.keys()].toSorted().filter((pair) => pair !== 'noted noted' && pair !== 'stale noted')).toEqual([]);
  });

  test('waits for a fact whose transaction is still open, and then sees it', async () => {
    freshTenant();
    const { id, patient } = await expired('patient-1');
    const [claim] = await recordings.claimExpired(scope, now, 'rules-1', lease);
    const intent = { ...deletionReason, token: claim?.token ?? '', factsRevision: 0, rulesVersion: 'rules-1', now };
    const answer = await whileOpen(
      (inside) => inside.recordings.noteFact(scope, samples.fact({ patient }), samples.event()),
      () => recordings.beginDeletion(scope, id, intent, samples.event()),
    );
    expect(answer.status).toBe('stale');
  });

  test('waits for a hold whose transaction is still open, and then sees it', async () => {
    freshTenant();
    const { id, patient } = await expired('patient-1');
    const [claim] = await recordings.claimExpired(scope, now, 'rules-1', lease);
    const intent = { ...deletionReason, token: claim?.token ?? '', factsRevision: 0, rulesVersion: 'rules-1', now };
    const answer = await whileOpen(
      (inside) => inside.recordings.placeHold(scope, samples.hold({ patient }), samples.event()),
      () => recordings.beginDeletion(scope, id, intent, samples.event()),
    );
    expect(answer.status).toBe('held');
  });

  test('a recording that starts while a hold on its patient commits is under the hold', async () => {
    freshTenant();
    await expired('patient-1');
    const row = samples.newRecording({ patient: 'patient-1' });
    const answer = await whileOpen(
      (inside) => inside.recordings.placeHold(scope, samples.hold({ patient: 'patient-1' }), samples.event()),
      () => recordings.start(scope, row, [], samples.event()),
    );
    expect(answer).toMatchObject({ status: 'started', recording: { holds: 1 } });
  });

  test('a hold in a REPEATABLE READ transaction is told to begin again when a recording started meanwhile', async () => {
    freshTenant();
    await expired('patient-1');
    await inTransaction('REPEATABLE READ', async (inside, client) => {
      await client.query('SELECT 1');
      await recordings.start(scope, samples.newRecording({ patient: 'patient-1' }), [], samples.event());
      const hold = inside.recordings.placeHold(scope, samples.hold({ patient: 'patient-1' }), samples.event());
      await expect(hold).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
      await client.query('ROLLBACK');
    });
  });
});

describe('a start', () => {
  test('of the same session, sixteen at once, makes one recording', async () => {
    freshTenant();
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, n) =>
        recordings.start(
          scope,
          samples.newRecording({ sessionId: 'session-1', patient: `patient-${n}` }),
          [],
          samples.event(),
        ),
      ),
    );
    expect(answers.filter(({ status }) => status === 'started')).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 'already_recording')).toHaveLength(15);
    expect(await counted('medzen.recording WHERE tenant = $1')).toBe(1);
    expect(await counted('medzen.recording_participant WHERE tenant = $1')).toBe(2);
    expect(await counted('medzen.retention_subject WHERE tenant = $1')).toBe(1);
    expect(await counted('medzen.audit_event WHERE tenant = $1')).toBe(1);
  });

  test('waits for a withdrawal whose transaction is still open, and is refused', async () => {
    freshTenant();
    await stores.consents.record(scope, samples.consent(), samples.event());
    const withdrawn = samples.consent({ decision: 'withdrawn' });
    const row = samples.newRecording({ sessionId: 'session-1' });
    const answer = await whileOpen(
      (inside) => inside.consents.record(scope, withdrawn, samples.event()),
      () => recordings.start(scope, row, ['patient-1'], samples.event()),
    );
    expect(answer).toEqual({ status: 'consent_required', missing: ['patient-1'] });
  });

  test('in a REPEATABLE READ transaction does not rely on a consent that was withdrawn meanwhile', async () => {
    freshTenant();
    await stores.consents.record(scope, samples.consent(), samples.event());
    await inTransaction('REPEATABLE READ', async (inside, client) => {
      await client.query('SELECT 1');
      await stores.consents.record(scope, samples.consent({ decision: 'withdrawn' }), samples.event());
      const row = samples.newRecording({ sessionId: 'session-1' });
      const start = inside.recordings.start(scope, row, ['patient-1'], samples.event());
      await expect(start).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
      await client.query('ROLLBACK');
    });
  });

  test('and a withdrawal in a REPEATABLE READ transaction that does not see it: that must begin again', async () => {
    freshTenant();
    await stores.consents.record(scope, samples.consent(), samples.event());
    await inTransaction('REPEATABLE READ', async (inside, client) => {
      await client.query('SELECT 1 FROM medzen.consent');
      const row = samples.newRecording({ sessionId: 'session-1' });
      await recordings.start(scope, row, ['patient-1'], samples.event());
      const withdrawal = inside.consents.record(scope, samples.consent({ decision: 'withdrawn' }), samples.event());
      await expect(withdrawal).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
      await client.query('ROLLBACK');
    });
  });

  test('holds up a withdrawal until it has committed, so that whoever withdraws then finds the recording to stop', async () => {
    freshTenant();
    await stores.consents.record(scope, samples.consent(), samples.event());
    const row = samples.newRecording({ sessionId: 'session-1' });
    const withdrawn = samples.consent({ decision: 'withdrawn' });
    const found = await whileOpen(
      (inside) => inside.recordings.start(scope, row, ['patient-1'], samples.event()),
      async () => {
        await stores.consents.record(scope, withdrawn, samples.event());
        return recordings.list(scope, { sessionId: 'session-1', state: 'starting' });
      },
    );
    expect(found.recordings.map(({ id }) => id)).toEqual([row.id]);
  });

  test('holds up the first word of a session as well', async () => {
    freshTenant();
    const row = samples.newRecording({ sessionId: 'session-1' });
    const withdrawn = samples.consent({ decision: 'withdrawn' });
    const marked = await whileOpen(
      (inside) => inside.recordings.start(scope, row, [], samples.event()),
      async () => {
        await stores.consents.record(scope, withdrawn, samples.event());
        return recordings.get(scope, row.id);
      },
    );
    expect(marked?.stopRequest?.consent).toBe(withdrawn.id);
  });

  test('and a withdrawal, over and over at once, come out one after the other', async () => {
    freshTenant();
    for (let round = 0; round < 30; round++) {
      const sessionId = `session-${round}`;
      await stores.consents.record(scope, samples.consent({ sessionId }), samples.event());
      const row = samples.newRecording({ sessionId });
      const withdraw = async (): Promise<boolean> => {
        const withdrawn = samples.consent({ sessionId, decision: 'withdrawn' });
        await stores.consents.record(scope, withdrawn, samples.event());
        return (await recordings.get(scope, row.id)) !== undefined;
      };
      const [start, foundAfterwards] = await Promise.all([
        recordings.start(scope, row, ['patient-1'], samples.event()),
        withdraw(),
      ]);
      expect(foundAfterwards).toBe(start.status === 'started');
    }
  });
});

test('the same notification, sixteen at once, changes a recording once', async () => {
  freshTenant();
  const started = await recordings.start(scope, samples.newRecording(), [], samples.event());
  if (started.status !== 'started') throw new Error(started.status);
  const { id, startedAt } = started.recording;
  const answers = await Promise.all(
    Array.from({ length: 16 }, () =>
      recordings.change(
        scope,
        id,
        { expectedRevision: 1, to: 'processing', at: startedAt, dedupeKey: 'CA1:recording-completed' },
        samples.event(),
      ),
    ),
  );
  expect(answers.filter(({ status }) => status === 'changed')).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 'repeated')).toHaveLength(15);
  expect((await recordings.get(scope, id))?.revision).toBe(2);
  expect(await counted('medzen.audit_event WHERE tenant = $1')).toBe(2);
});

test('the same hold and the same fact, eight at once, count once', async () => {
  freshTenant();
  const { id, patient } = await expired('patient-1');
  const holds = [samples.hold({ recordingId: id }), samples.hold({ patient })];
  const fact = samples.fact({ patient });
  const before = await counted('medzen.audit_event WHERE tenant = $1');
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => [
      ...holds.map((hold) => recordings.placeHold(scope, hold, samples.event())),
      recordings.noteFact(scope, fact, samples.event()),
    ]).flat(),
  );
  expect(answers.filter(({ status }) => status === 'placed')).toHaveLength(16);
  expect(answers.filter(({ status }) => status === 'noted')).toHaveLength(1);
  expect(await recordings.get(scope, id)).toMatchObject({ holds: 2 });
  expect((await recordings.facts(scope, patient)).revision).toBe(1);
  expect(await counted('medzen.audit_event WHERE tenant = $1')).toBe(before + 3);
  const releases = await Promise.all(
    Array.from({ length: 8 }, () =>
      holds.map((hold) => recordings.releaseHold(scope, hold.id, 'counsel-2', hold.placedAt, samples.event())),
    ).flat(),
  );
  expect(releases.filter(({ status }) => status === 'released')).toHaveLength(2);
  expect(await recordings.get(scope, id)).toMatchObject({ holds: 0 });
});

test('accesses noted at once are all counted, each with its event', async () => {
  freshTenant();
  const { id } = await expired('patient-1');
  const before = await counted('medzen.audit_event WHERE tenant = $1');
  await Promise.all(Array.from({ length: 20 }, () => recordings.noteAccess(scope, id, 'view', samples.event())));
  expect((await recordings.get(scope, id))?.views).toBe(20);
  expect(await counted('medzen.audit_event WHERE tenant = $1')).toBe(before + 20);
});

describe("in the host's transaction", () => {
  test('a rollback leaves neither row nor event, and the event of an access stays', async () => {
    freshTenant();
    const { id } = await expired('patient-1');
    const row = samples.newRecording();
    const started = samples.event();
    const accessed = samples.event();
    await inTransaction('READ COMMITTED', async (inside, client) => {
      const answer = await inside.recordings.start(scope, row, [], started);
      expect(answer.status).toBe('started');
      const noted = await inside.recordings.noteAccess(scope, id, 'download', accessed);
      expect(noted.status).toBe('noted');
      await client.query('ROLLBACK');
    });
    expect(await recordings.get(scope, row.id)).toBeUndefined();
    expect((await recordings.get(scope, id))?.downloads).toBe(1);
    const { rows } = await db.pool.query('SELECT id FROM medzen.audit_event WHERE id = ANY ($1)', [
      [started.id, accessed.id],
    ]);
    expect(rows).toEqual([{ id: accessed.id }]);
  });

  test('an access to a recording that this very transaction has locked fails instead of waiting for ever', async () => {
    freshTenant();
    const { id, revision, startedAt } = await expired('patient-1');
    await db.pool.query("ALTER FUNCTION medzen.note_access SET lock_timeout = '200ms'");
    await inTransaction('READ COMMITTED', async (inside, client) => {
      await inside.recordings.change(scope, id, { expectedRevision: revision, at: startedAt }, samples.event());
      const noted = inside.recordings.noteAccess(scope, id, 'view', samples.event());
      await expect(noted).rejects.toMatchObject({ code: 'store_unavailable' });
      await client.query('COMMIT');
    });
    expect((await recordings.get(scope, id))?.views).toBe(0);
  });
});

async function inTransaction(
  isolation: string,
  work: (inside: Both, client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = await db.connect();
  await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
  await work(bothOver(pgWire(client, { root: pgWire(db.pool) })), client);
  await client.end();
}

/** Starts `second` while the transaction of `first` is open; commits once Postgres says that `second` waits for a lock. */
async function whileOpen<T>(first: (inside: Both) => Promise<unknown>, second: () => Promise<T>): Promise<T> {
  let answer: Promise<T> | undefined;
  await inTransaction('READ COMMITTED', async (inside, client) => {
    await first(inside);
    const { rows: own } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    answer = second();
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    answer.then(settle, settle);
    for (let waiting = 0; waiting === 0 && !settled; ) {
      const { rows } = await db.pool.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))',
        [own[0]?.pid],
      );
      waiting = rows[0]?.n ?? 0;
    }
    await client.query('COMMIT');
  });
  if (answer === undefined) throw new Error('not started');
  return answer;
}
