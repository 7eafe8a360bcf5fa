import { setTimeout as sleep } from 'node:timers/promises';
import { createSigner } from '@medzen/audit';
import { systemClock, toHex } from '@medzen/core';
import { createSamples, fakeNumbers } from '@medzen/testing';
import pg from 'pg';
import { startSequencers } from './chaos-sequencers.ts';
import { type ChaosLedger, type ChaosWriter, writeSome } from './chaos-writer.ts';
import { type ChaosCheck, judgeLog, type SeenHead } from './judge-log.ts';

/** How much, and where. */
export interface ChaosOptions {
  /** Of a database with the migrations and nothing else, as its superuser. */
  readonly url: string;
  /** Events to be committed, at least. */
  readonly events: number;
  readonly kills: number;
  /** Whether writers also use transactions of the host, which commit late, or roll back whole or in part. */
  readonly late: boolean;
  readonly writers?: number;
  readonly batchSize?: number;
  /** Decides what writers do and who is killed when; the order of things is the machine's. */
  readonly seed?: number;
}

/** What came of it. */
export interface ChaosReport {
  /** One a statement: empty details when it holds. */
  readonly checks: readonly ChaosCheck[];
  /** For people to read: name and value. */
  readonly figures: readonly (readonly [string, string])[];
}

const seed32 = new Uint8Array(32).fill(13);
const signer = createSigner({ origin: 'chaos.example.org/audit', privateKey: seed32 });
/** Of the log that the sequencers sign. */
export const chaosVerifierKey: string = signer.verifierKey;

/**
 * Writers write while two sequencers run, in processes that are killed with SIGKILL at random moments; then the log is held against what
 * the writers were told, and against RFC 6962.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { url, events, kills, late, writers = 16, batchSize = 500, seed = 1 } = options;
  const ledger: ChaosLedger = { written: new Set(), unwritten: new Set(), transactions: new Map(), errors: [] };
  const random = fakeNumbers(seed);
  const owner = new pg.Client(url);
  await owner.connect();
  const opened: pg.Client[] = [owner];
  const start = performance.now();
  const args = [url, signer.origin, toHex(seed32), String(batchSize)];
  const sequencers = startSequencers(2, args);
  const cutOff = new Map<string, number>();
  const heads: SeenHead[] = [];
  let killed = 0;
  try {
    const working = Array.from({ length: writers }, async (_, n) => {
      const client = new pg.Client({ connectionString: url, options: '-c role=medzen_app' });
      client.on('error', (error) => ledger.errors.push(error.message));
      opened.push(client);
      await client.connect();
      const samples = createSamples({ scope: { tenant: 'default' }, clock: systemClock });
      const own = fakeNumbers(seed * 1000 + n);
      const writer: ChaosWriter = { client, name: String(n), samples, random: own, ledger, late };
      while (ledger.written.size < events && ledger.errors.length === 0) {
        // Kills come all along the way, so whoever is two of them ahead waits.
        if (ledger.written.size > (events * (killed + 2)) / kills && sequencers.ended.length === 0) await sleep(2);
        else
          await writeSome(writer, events - ledger.written.size).catch((error: unknown) => {
            ledger.errors.push(error instanceof Error ? error.message : String(error));
          });
      }
    });
    let writing = true;
    // Heads as somebody sees them who looks in now and then.
    const watching = (async () => {
      while (writing) {
        const { rows } = await owner.query<SeenHead>('SELECT size::text, root, checkpoint FROM medzen.audit_head');
        for (const head of rows) if (head.size !== heads.at(-1)?.size) heads.push(head);
        await sleep(20);
      }
    })();
    const killing = (async () => {
      while (killed < kills && ledger.errors.length === 0 && sequencers.ended.length === 0) {
        const due = (events * (killed + random())) / kills;
        while (ledger.written.size < due && ledger.errors.length === 0) await sleep(2);
        const doing = await sequencers.kill(random(), 40 * random());
        cutOff.set(doing, (cutOff.get(doing) ?? 0) + 1);
        killed++;
      }
    })();
    await Promise.all([...working, killing]);
    const wrote = performance.now();
    // Those that are left finish what is there.
    const pending = async (): Promise<number> =>
      (await owner.query('SELECT FROM medzen.audit_pending LIMIT 1')).rowCount ?? 0;
    while (sequencers.ended.length === 0 && performance.now() < wrote + 120_000 && (await pending()) > 0)
      await sleep(50);
    writing = false;
    await watching;
    await sequencers.stop();
    const done = performance.now();
    const judged = await judgeLog({ owner, ledger, heads, verifierKey: chaosVerifierKey });
    return {
      checks: [
        { name: 'no writer met an error', details: ledger.errors.slice(0, 5) },
        {
          name: `${kills} sequencers were killed, and none ended by itself`,
          details: [...sequencers.ended, ...(killed === kills ? [] : [`${killed} were killed`])],
        },
        ...judged.checks,
      ],
      figures: [
        ['writers wrote for', `${((wrote - start) / 1000).toFixed(1)} s`],
        ['the last leaf came after', `${((done - wrote) / 1000).toFixed(1)} s more`],
        ['judged in', `${((performance.now() - done) / 1000).toFixed(1)} s`],
        ...counted('killed while', cutOff),
        ...counted('transactions', ledger.transactions),
        ['events rolled back', String(ledger.unwritten.size)],
        ...judged.figures,
      ],
    };
  } finally {
    await sequencers.stop();
    await Promise.allSettled(opened.map((client) => client.end()));
  }
}

function counted(what: string, counts: ReadonlyMap<string, number>): (readonly [string, string])[] {
  return [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, n]) => [`${what}: ${key}`, String(n)]);
}
