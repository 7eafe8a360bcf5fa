import { sha256 } from '@medzen/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../postgres.ts';
import { judgeLog } from './judge-log.ts';
import { plainTree } from './plain-tree.ts';
import { chaosVerifierKey, runChaos } from './run-chaos.ts';

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());

test('16 writers and two sequencers that are killed leave one log, with every event once; the judge is not blind', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const { checks } = await runChaos({ url: db.url, events: 3000, kills: 4, late: true, batchSize: 100, seed });
  expect(
    checks.filter(({ details }) => details.length > 0),
    `seed ${seed}`,
  ).toEqual([]);

  const owner = await db.connect();
  const { rows: heads } = await owner.query('SELECT size::text, root, checkpoint FROM medzen.audit_head');
  await owner.query(`SET session_replication_role = replica;
    DELETE FROM medzen.audit_leaf WHERE leaf_index = 7;
    DELETE FROM medzen.audit_event WHERE id = (SELECT event_id FROM medzen.audit_leaf WHERE leaf_index = 9);
    UPDATE medzen.audit_checkpoint SET root = sha256('') WHERE size = (SELECT max(size) FROM medzen.audit_checkpoint);
    SET session_replication_role = DEFAULT`);
  const { rows } = await owner.query<{ id: string }>('SELECT id::text FROM medzen.audit_event LIMIT 1');
  const [written, unwritten] = [new Set(['lost']), new Set(rows.map(({ id }) => id))];
  const ledger = { written, unwritten, transactions: new Map<string, number>(), errors: [] };
  const judged = await judgeLog({ owner, ledger, heads, verifierKey: chaosVerifierKey });
  expect(judged.checks.filter(({ details }) => details.length === 0)).toEqual([]);
});

test('a tree by the words of RFC 6962 is what they say', () => {
  const leaves = [1, 2, 3].map((n) => sha256(Uint8Array.of(0, n)));
  const [a, b, c] = leaves.map((hash) => Buffer.from(hash));
  const tree = plainTree(leaves);
  const left = sha256(Uint8Array.of(1), a ?? Buffer.of(), b ?? Buffer.of());
  expect(Buffer.from(tree.root(3))).toEqual(Buffer.from(sha256(Uint8Array.of(1), left, c ?? Buffer.of())));
  expect(tree.consistencyProof(2, 3)).toEqual([leaves[2]]);
});
