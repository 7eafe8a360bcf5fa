import { setTimeout as sleep } from 'node:timers/promises';
import type { SealedEvent } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import type { Samples } from '@medzen/testing';
import type pg from 'pg';

/** What the writers were told. */
export interface ChaosLedger {
  /** Events whose transaction was committed. */
  readonly written: Set<string>;
  /** Events whose transaction, or the part of it that held them, was rolled back. */
  readonly unwritten: Set<string>;
  /** Transactions by what became of them. */
  readonly transactions: Map<string, number>;
  /** What nobody expected. */
  readonly errors: string[];
}

/** One of those who write, with a connection of its own. */
export interface ChaosWriter {
  readonly client: pg.Client;
  readonly name: string;
  readonly samples: Samples;
  readonly random: () => number;
  readonly ledger: ChaosLedger;
  /** Each transaction of the host may commit late, or not at all. */
  readonly late: boolean;
}

const scope = { tenant: 'default' };

/** Writes a few events in one of the ways that hosts have. @param most - events, ≥ 1 */
export async function writeSome(writer: ChaosWriter, most: number): Promise<void> {
  const { client, samples, random, ledger, late } = writer;
  const some = (): SealedEvent[] =>
    Array.from({ length: Math.max(1, Math.min(most, Math.ceil(random() * 40))) }, () => samples.event());
  const { audit } = sqlStores(pgWire(client));
  const became = (how: string, events: readonly SealedEvent[], there: boolean): void => {
    ledger.transactions.set(how, (ledger.transactions.get(how) ?? 0) + 1);
    for (const { id } of events) (there ? ledger.written : ledger.unwritten).add(id);
  };

  const kind = random();
  const events = some();
  if (!late || kind < 0.4) {
    await audit.append(scope, events);
    if (random() < 0.05) await audit.append(scope, events); // a retry
    became('at once', events, true);
    return;
  }
  await client.query('BEGIN');
  const inside = sqlStores(pgWire(client, { root: pgWire(client) })).audit;
  await inside.append(scope, events);
  await sleep(random() < 0.02 ? 1500 * random() : 40 * random()); // others commit, and are sequenced, in between
  if (kind < 0.6) {
    await client.query('COMMIT');
    became('committed late', events, true);
  } else if (kind < 0.8) {
    await client.query('ROLLBACK');
    became('rolled back', events, false);
  } else if (kind < 0.9) {
    const undone = some();
    await client.query('SAVEPOINT here');
    await inside.append(scope, undone);
    await client.query('ROLLBACK TO here');
    await client.query('COMMIT');
    became('rolled back in part', undone, false);
    became('committed late', events, true);
  } else {
    const [name, commits] = [`chaos-${writer.name}`, kind < 0.95];
    // Fewer places for prepared transactions than writers: one that finds none was rolled back.
    const prepared = await client.query(`PREPARE TRANSACTION '${name}'`).then(
      () => true,
      () => false,
    );
    await sleep(60 * random());
    if (prepared) await client.query(`${commits ? 'COMMIT' : 'ROLLBACK'} PREPARED '${name}'`);
    const there = prepared && commits;
    became(there ? 'prepared and committed' : 'prepared and rolled back', events, there);
  }
}
