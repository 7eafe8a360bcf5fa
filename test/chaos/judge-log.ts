import { openCheckpoint, verifyConsistency, verifyLog } from '@medzen/audit';
import { equalBytes, sha256, toHex } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import type pg from 'pg';
import type { ChaosLedger } from './chaos-writer.ts';
import { plainTree } from './plain-tree.ts';

/** One statement about the log: it holds when there are no details. */
export interface ChaosCheck {
  readonly name: string;
  readonly details: readonly string[];
}

/** A head as somebody saw it while the sequencers worked. */
export interface SeenHead {
  readonly size: string;
  readonly root: Uint8Array;
  readonly checkpoint: string | null;
}

/** Holds the log against what writers were told and watchers saw, and against RFC 6962. @param given.owner - a connection that may read all */
export async function judgeLog(given: {
  readonly owner: pg.Client;
  readonly ledger: ChaosLedger;
  readonly heads: readonly SeenHead[];
  readonly verifierKey: string;
}): Promise<{ readonly checks: readonly ChaosCheck[]; readonly figures: readonly (readonly [string, string])[] }> {
  const { owner, ledger, heads, verifierKey } = given;
  // One picture of all three: the server may still be at what one of the killed had sent it.
  await owner.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const { rows: events } = await owner.query<{ id: string; body: Buffer }>(
    'SELECT id::text, body FROM medzen.audit_event',
  );
  const { rows: leaves } = await owner.query<{ at: string; id: string }>(
    'SELECT leaf_index::text AS at, event_id::text AS id FROM medzen.audit_leaf ORDER BY leaf_index',
  );
  const { rows: signed } = await owner.query<SeenHead>(
    'SELECT c.size::text, c.root, c.checkpoint FROM medzen.audit_checkpoint c ORDER BY c.size',
  );
  const bodies = new Map(events.map(({ id, body }) => [id, body]));
  await owner.query('COMMIT');
  const tree = plainTree(leaves.map(({ id }) => sha256(Uint8Array.of(0), bodies.get(id) ?? new Uint8Array())));

  const roots = new Map<string, string>();
  const forks: string[] = [];
  const invalid: string[] = [];
  for (const { size, root, checkpoint } of [...heads, ...signed]) {
    if (size === '0') continue;
    const before = roots.get(size) ?? toHex(root);
    if (before !== toHex(root)) forks.push(`size ${size}`);
    roots.set(size, before);
    const opened = await openCheckpoint(checkpoint ?? '', [verifierKey]);
    if (!opened.ok || String(opened.size) !== size || !equalBytes(opened.root, root)) invalid.push(`size ${size}`);
  }
  const points = signed.map(({ size, root }) => ({ size: Number(size), root: Uint8Array.from(root) }));
  const strangers = points.filter(({ size, root }) => size > leaves.length || !equalBytes(tree.root(size), root));
  const inconsistent: string[] = [];
  let pairs = 0;
  for (const [at, { size: size2, root: root2 }] of points.entries()) {
    for (const { size: size1, root: root1 } of points.slice(0, at)) {
      pairs++;
      if (
        size2 > leaves.length ||
        !verifyConsistency({ size1, root1, size2, root2, proof: tree.consistencyProof(size1, size2) })
      )
        inconsistent.push(`${size1} and ${size2}`);
    }
  }
  const { log } = sqlStores(pgWire(owner));
  const verdict = await verifyLog({ store: log, verifierKeys: [verifierKey] });
  const lag = await log.lag();
  const distinct = new Set(leaves.map(({ id }) => id));
  const checks: ChaosCheck[] = [
    { name: 'every event that was committed is there', details: missing(ledger.written, bodies) },
    { name: 'no event is there that was rolled back', details: [...ledger.unwritten].filter((id) => bodies.has(id)) },
    { name: 'nor any other', details: missing(new Set(bodies.keys()), ledger.written) },
    {
      name: 'every event is in the tree exactly once',
      details: [
        ...missing(new Set(bodies.keys()), distinct),
        ...missing(distinct, bodies),
        ...(distinct.size === leaves.length ? [] : [`${leaves.length} leaves of ${distinct.size} events`]),
      ],
    },
    {
      name: 'the leaves have no gap',
      details: leaves.flatMap(({ at }, i) => (at === String(i) ? [] : [`${at} at ${i}`])),
    },
    { name: 'no two checkpoints of one size have different roots, stored or seen', details: forks },
    { name: 'every checkpoint, stored or seen, is signed and says what its row says', details: invalid },
    {
      name: 'every checkpoint is the root over the first leaves, as RFC 6962 defines it',
      details: strangers.map(({ size }) => `size ${size}`),
    },
    { name: 'consistency is proved between every two checkpoints', details: inconsistent },
    {
      name: 'the last checkpoint covers every event, and the log verifies with its tiles',
      details:
        verdict.ok && verdict.size === bodies.size && lag.pending === 0
          ? []
          : [JSON.stringify(verdict.ok ? { size: verdict.size, ...lag } : verdict.findings)],
    },
  ];
  return {
    checks: checks.map(({ name, details }) => ({ name, details: details.slice(0, 10) })),
    figures: [
      ['events', String(bodies.size)],
      ['checkpoints', String(points.length)],
      ['heads seen meanwhile', String(heads.length)],
      ['pairs of checkpoints proved consistent', String(pairs - inconsistent.length)],
    ],
  };
}

function missing(wanted: ReadonlySet<string>, there: { has(id: string): boolean }): readonly string[] {
  return [...wanted].filter((id) => !there.has(id));
}
