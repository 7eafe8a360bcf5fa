import { createSequencer, createSigner, verifyLog } from '@medzen/audit';
import { type Scope, systemClock } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import { createSamples, fakeNumbers } from '@medzen/testing';
import pg from 'pg';
import { type SoakActor, soakActors } from './soak-actors.ts';
import { type SoakLedger, soakLedger } from './soak-ledger.ts';

/** How long, and where. */
export interface SoakOptions {
  /** Of a database with the migrations, as its owner. */
  readonly url: string;
  /** At least; up to ten times as long, on a machine so slow that some part has not come to pass by then. */
  readonly seconds: number;
  /** Decides which worker does what; the order of things is the server's. */
  readonly seed?: number;
}

/** What it came to. */
export interface SoakReport {
  /** One a statement: empty details when it holds. */
  readonly checks: readonly { readonly name: string; readonly details: readonly string[] }[];
  /** Calls by their answers. */
  readonly answers: ReadonlyMap<string, number>;
  readonly events: number;
}

const sequencers = 3;

/** Each has to be given at least once, or the run says nothing about that part. */
const parts: readonly string[] = [
  'consent recorded',
  'start started',
  'change changed',
  'transfer changed',
  'stop changed',
  'decide saved',
  'begin begun',
  'host committed',
  'host rolled back',
  'finish finished',
  'hold placed',
  'release released',
  'consume allowed',
  'consume refused',
];
const signer = createSigner({ origin: 'soak.example.org/audit', privateKey: new Uint8Array(32).fill(11) });

/**
 * Has 32 connections do everything at once for a while (one tenant, six patients, so that they meet), then holds the database
 * against what each was told.
 */
export async function runSoak({ url, seconds, seed = 1 }: SoakOptions): Promise<SoakReport> {
  const ledger = soakLedger();
  const opened: pg.Client[] = [];
  const open = async (role: string): Promise<pg.Client> => {
    // Nobody may wait for five seconds: what a deadlock is to two, a queue that does not move is to many.
    const options = `-c role=${role} -c lock_timeout=5000`;
    const client = new pg.Client({ connectionString: url, options });
    client.on('error', (error) => ledger.threw(error));
    opened.push(client);
    await client.connect();
    return client;
  };
  const owner = new pg.Client(url);
  await owner.connect();
  try {
    await owner.query('CREATE TABLE host_note (event uuid PRIMARY KEY); GRANT INSERT ON host_note TO medzen_app');
    const begun = performance.now();
    const goesOn = (): boolean => {
      const spent = (performance.now() - begun) / 1000;
      return spent < seconds || (spent < 10 * seconds && idleParts(ledger).length > 0);
    };
    const working = soakActors
      .flatMap(([actor, many]) => Array.from({ length: many }, () => actor))
      .map(async (actor, n) => work(actor, n, await open('medzen_app'), ledger, seed, goesOn));
    const stopped = new AbortController();
    const sequencing = Array.from({ length: sequencers }, async () => {
      const store = sqlStores(pgWire(await open('medzen_sequencer'))).log;
      const sequencer = createSequencer({ memory: 'unguarded', store, signer, batchSize: 64 });
      return sequencer.run({ intervalMs: 10, signal: stopped.signal }).catch((error: unknown) => ledger.threw(error));
    });
    await Promise.all(working);
    stopped.abort();
    await Promise.all(sequencing);
    return await judge(owner, ledger);
  } finally {
    await Promise.allSettled([owner, ...opened].map((client) => client.end()));
  }
}

async function work(
  actor: SoakActor,
  n: number,
  client: pg.Client,
  ledger: SoakLedger,
  seed: number,
  goesOn: () => boolean,
): Promise<void> {
  const scope: Scope = { tenant: 'clinic-a' };
  const samples = createSamples({ scope, clock: systemClock });
  const worker = {
    client,
    stores: sqlStores(pgWire(client)),
    ledger,
    samples,
    scope,
    random: fakeNumbers(seed * 1000 + n),
  };
  while (goesOn())
    await actor(worker).catch(async (error: unknown) => {
      ledger.threw(error);
      await client.query('ROLLBACK').catch(() => undefined); // a connection that was lost has been counted already
    });
}

async function judge(owner: pg.Client, ledger: SoakLedger): Promise<SoakReport> {
  const { log } = sqlStores(pgWire(owner));
  const sequencer = createSequencer({ memory: 'unguarded', store: log, signer });
  while ((await sequencer.tick()).status !== 'idle');
  const texts = async (sql: string): Promise<readonly string[]> => {
    const { rows } = await owner.query<{ text: string }>(sql);
    return rows.map(({ text }) => text);
  };
  const events = new Set(await texts('SELECT id::text AS text FROM medzen.audit_event'));
  const leaves = await texts('SELECT event_id::text AS text FROM medzen.audit_leaf');
  const hostRows = new Set(await texts('SELECT event::text AS text FROM host_note'));
  const verdict = await verifyLog({ store: log, verifierKeys: [signer.verifierKey] });
  const deadlocks = await texts(
    'SELECT deadlocks::text AS text FROM pg_stat_database WHERE datname = current_database()',
  );
  const idle = idleParts(ledger);
  const overspent = [...ledger.spent].filter(([key, units]) => key.startsWith('moment-') && units > 1);
  const checks = [
    { name: 'no deadlock, no lock waited for longer than five seconds, no other error', details: told(ledger.errors) },
    { name: 'the server counted no deadlock', details: deadlocks.filter((n) => n !== '0') },
    { name: 'every part of it was worked through', details: idle },
    { name: 'no claim was owned twice at once, and no deletion began under a hold', details: [...ledger.violations] },
    { name: 'what was answered for is there', details: missing(ledger.written, events) },
    { name: 'what was refused or rolled back is not', details: [...ledger.unwritten].filter((id) => events.has(id)) },
    { name: 'nothing else is there', details: missing(events, ledger.written) },
    {
      name: "the host's rows and their events share their fate",
      details: [...missing(ledger.hostRows, hostRows), ...missing(hostRows, ledger.hostRows)],
    },
    {
      name: 'every event is exactly once in the tree',
      details:
        leaves.length === events.size
          ? missing(events, new Set(leaves))
          : [`${leaves.length} leaves of ${events.size} events`],
    },
    {
      name: 'the log verifies',
      details: verdict.ok && verdict.unsequenced === 0 && verdict.size === events.size ? [] : [JSON.stringify(verdict)],
    },
    {
      name: 'no recording is both held and deleted',
      details: await texts(`SELECT r.id::text AS text FROM medzen.recording r JOIN medzen.legal_hold h
        ON h.tenant = r.tenant AND h.recording_id = r.id AND h.released_at IS NULL WHERE r.state IN ('deleting', 'deleted')`),
    },
    {
      name: 'no recording runs on, unmarked, after a withdrawal',
      details: await texts(`SELECT r.id::text AS text FROM medzen.recording r
        JOIN medzen.recording_participant p ON p.tenant = r.tenant AND p.recording_id = r.id
        JOIN medzen.consent c ON c.tenant = r.tenant AND c.session_id = r.session_id AND c.participant = p.participant
        WHERE r.state = 'recording' AND r.stop_requested_at IS NULL AND c.decision = 'withdrawn' AND NOT EXISTS (
          SELECT FROM medzen.consent n WHERE n.tenant = c.tenant AND n.session_id = c.session_id
            AND n.participant = c.participant AND n.ordinal > c.ordinal)`),
    },
    { name: 'no rate limit was overspent', details: overspent.map(([key, units]) => `${key}: ${units}`) },
  ];
  return { checks, answers: ledger.answers, events: events.size };
}

function idleParts(ledger: SoakLedger): readonly string[] {
  return parts.filter((answer) => !ledger.answers.has(answer));
}

function told(counts: ReadonlyMap<string, number>): readonly string[] {
  return Array.from(counts, ([what, often]) => `${what} (${often}×)`);
}

function missing(wanted: ReadonlySet<string>, there: ReadonlySet<string>): readonly string[] {
  return [...wanted].filter((id) => !there.has(id));
}
