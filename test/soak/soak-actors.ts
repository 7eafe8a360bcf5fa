import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim, Scope, Stores } from '@medzen/core';
import { deletionReason, type Samples } from '@medzen/testing';
import type pg from 'pg';
import type { SoakLedger } from './soak-ledger.ts';

/** What one worker works with: a connection of its own. */
interface SoakWorker {
  readonly client: pg.Client;
  readonly stores: Stores;
  readonly ledger: SoakLedger;
  readonly samples: Samples;
  readonly scope: Scope;
  readonly random: () => number;
}

/** One round of a worker's day, at whose end no claim of it is left. */
export type SoakActor = (worker: SoakWorker) => Promise<void>;

const rules = 'rules-1';
const lease = { limit: 3, leaseMs: 3_600_000 };
/** The instant that those who delete believe in: everything is due. */
const late = new Date('2040-01-01T00:00:00.000Z');
const people = ['patient-1', 'provider-1'];

function patientOf({ random }: SoakWorker): string {
  return `patient-${1 + Math.floor(random() * 6)}`;
}

/** Consents, starts, and brings a recording to where it can be transferred; looks at it in between, as others do. */
const doctor: SoakActor = async (worker) => {
  const { stores, ledger, samples, scope, random } = worker;
  const row = samples.newRecording({ patient: patientOf(worker), sessionId: `session-${Math.floor(random() * 40)}` });
  for (const participant of people) {
    const [consent, event] = [samples.consent({ sessionId: row.sessionId, participant }), samples.event()];
    ledger.answered('consent', await stores.consents.record(scope, consent, event), event, 'recorded');
  }
  const event = samples.event();
  const started = ledger.answered('start', await stores.recordings.start(scope, row, people, event), event, 'started');
  if (started.status === 'consent_required') return;
  const { id } = started.recording;
  for (const to of ['processing', 'uploading'] as const) {
    const found = await stores.recordings.get(scope, id);
    if (found === undefined) ledger.violations.add(`${id} is gone`);
    const change = { expectedRevision: found?.revision ?? 0, to, at: new Date().toISOString() };
    const note = samples.event();
    const move = () => stores.recordings.change(scope, id, change, note);
    ledger.answered('change', await ledger.moving(id, move), note, 'changed');
  }
  const view = samples.event();
  ledger.answered('access', await stores.recordings.noteAccess(scope, id, 'view', view), view, 'noted');
};

/** Claims transfers and finishes most; gives others back. */
const mover: SoakActor = async (worker) => {
  const { stores, ledger, samples, scope, random } = worker;
  for (const claim of await claims(worker, stores.recordings.claimTransfers(scope, lease))) {
    const { id, revision } = claim.recording;
    if (random() < 0.2) {
      await giveBack(worker, claim);
      continue;
    }
    ledger.letGo(claim);
    const change = {
      expectedRevision: revision,
      to: 'available' as const,
      at: new Date().toISOString(),
      object: samples.object(),
      token: claim.token,
    };
    const event = samples.event();
    ledger.answered('transfer', await stores.recordings.change(scope, id, change, event), event, 'changed');
  }
};

/** Starts, takes consent back, and stops what the withdrawal asks for, whoever's it was; a part of it by a worker that gives up. */
const leaver: SoakActor = async (worker) => {
  const { stores, ledger, samples, scope, random } = worker;
  const row = samples.newRecording({ patient: patientOf(worker), sessionId: `session-${Math.floor(random() * 40)}` });
  const word = (decision: 'given' | 'withdrawn') => samples.consent({ sessionId: row.sessionId, decision });
  const [given, startEvent] = [samples.event(), samples.event()];
  ledger.answered('consent', await stores.consents.record(scope, word('given'), given), given, 'recorded');
  const started = await stores.recordings.start(scope, row, ['patient-1'], startEvent);
  ledger.answered('start', started, startEvent, 'started');
  const taken = samples.event();
  ledger.answered('consent', await stores.consents.record(scope, word('withdrawn'), taken), taken, 'recorded');
  if (started.status === 'started') {
    const marked = await stores.recordings.get(scope, row.id);
    if (marked?.state === 'recording' && marked.stopRequest === undefined)
      ledger.violations.add(`${row.id} runs on after a withdrawal`);
  }
  for (const claim of await claims(worker, stores.recordings.claimStops(scope, lease))) {
    const { id, revision, state } = claim.recording;
    if (random() < 0.2) {
      await giveBack(worker, claim);
      continue;
    }
    ledger.letGo(claim);
    const at = new Date().toISOString();
    const to = state === 'recording' ? ({ to: 'processing' } as const) : {};
    const change = { expectedRevision: revision, at, endedAt: at, token: claim.token, ...to };
    const event = samples.event();
    ledger.answered('stop', await stores.recordings.change(scope, id, change, event), event, 'changed');
  }
};

/** Decides what was not decided or has gone stale, and now and then learns of a new fact. */
const decider: SoakActor = async (worker) => {
  const { stores, ledger, samples, scope, random } = worker;
  if (random() < 0.3) {
    const [fact, event] = [samples.fact({ patient: patientOf(worker) }), samples.event()];
    ledger.answered('fact', await stores.recordings.noteFact(scope, fact, event), event, 'noted');
  }
  for (const { id, patient } of await stores.recordings.staleDecisions(scope, rules, 20)) {
    const { revision } = await stores.recordings.facts(scope, patient);
    const event = samples.event();
    const decision = samples.decision({ factsRevision: revision });
    const saved = await stores.recordings.saveDecision(scope, id, decision, event);
    ledger.answered('decide', saved, event, 'restored');
    const warning = samples.event();
    const warned = await stores.recordings.recordWarning(scope, id, decision.graceUntil ?? '', warning);
    ledger.answered('warn', warned, warning, 'recorded');
  }
};

/** Claims what may be deleted, and deletes it unless something came in between. */
const sweeper: SoakActor = async (worker) => {
  const { stores, ledger, samples, scope, random } = worker;
  for (const claim of await claims(worker, stores.recordings.claimExpired(scope, late, rules, lease))) {
    const { id, decision } = claim.recording;
    const held = ledger.holdsOn(claim.recording);
    const intent = {
      ...deletionReason,
      token: claim.token,
      factsRevision: decision?.factsRevision ?? 0,
      rulesVersion: rules,
      now: late,
    };
    const event = samples.event();
    const begun = await stores.recordings.beginDeletion(scope, id, intent, event);
    if (claim.recording.state === 'deleting' && begun.status === 'begun')
      ledger.answers.set('resumed', (ledger.answers.get('resumed') ?? 0) + 1);
    ledger.answered('begin', begun, event, claim.recording.state === 'deleting' ? 'never' : 'begun');
    if (begun.status === 'begun' && claim.recording.state !== 'deleting' && ledger.stillHeld(held))
      ledger.violations.add(`the deletion of ${id} began under a hold`);
    if (begun.status !== 'begun' || random() < 0.1) {
      await giveBack(worker, claim);
      continue;
    }
    ledger.letGo(claim);
    const [tombstone, last] = [samples.tombstone(), samples.event()];
    const finished = await stores.recordings.finishDeletion(scope, id, claim.token, tombstone, last);
    ledger.answered('finish', finished, last, 'finished');
  }
};

/** Places holds on recordings and on patients, and releases some. */
const counsel: SoakActor = async (worker) => {
  const { stores, ledger, samples, scope, random } = worker;
  const { recordings } = await stores.recordings.list(scope, { limit: 50 });
  const chosen = recordings[Math.floor(random() * recordings.length)];
  const target: { recordingId: string } | { patient: string } =
    chosen === undefined || random() < 0.2 ? { patient: patientOf(worker) } : { recordingId: chosen.id };
  const [hold, event] = [samples.hold(target), samples.event()];
  const placed = ledger.answered('hold', await stores.recordings.placeHold(scope, hold, event), event, 'placed');
  if (placed.status === 'placed') ledger.placed(hold);
  await sleep(20);
  for (let n = 0; n < 2; n++) {
    const holdId = random() < 0.6 ? ledger.takeHold(random()) : undefined;
    if (holdId === undefined) continue;
    const [at, last] = [new Date().toISOString(), samples.event()];
    ledger.answered(
      'release',
      await stores.recordings.releaseHold(scope, holdId, 'counsel-2', at, last),
      last,
      'released',
    );
  }
};

/** The host's own transactions: a row and its event, committed late or rolled back. */
const host: SoakActor = async ({ client, stores, ledger, samples, scope, random }) => {
  const events = Array.from({ length: 1 + Math.floor(random() * 20) }, () => samples.event());
  await client.query('BEGIN');
  for (const { id } of events) await client.query('INSERT INTO host_note (event) VALUES ($1)', [id]);
  await stores.audit.append(scope, events);
  await sleep(random() < 0.1 ? 400 : random() * 40);
  const commits = random() < 0.6;
  await client.query(commits ? 'COMMIT' : 'ROLLBACK');
  const ended = commits ? 'host committed' : 'host rolled back';
  ledger.answers.set(ended, (ledger.answers.get(ended) ?? 0) + 1);
  for (const { id } of events) {
    (commits ? ledger.written : ledger.unwritten).add(id);
    if (commits) ledger.hostRows.add(id);
  }
};

/** Asks at the same moment as its like: two wide limits in either order, and one unit of a key that is new every time. */
const limiter: SoakActor = async ({ stores, ledger, scope, random }) => {
  const moment = Math.ceil(performance.now() / 50) * 50;
  await sleep(moment - performance.now());
  const wide = ['c', 'd'].map((key) => ({ key, rate: 100_000, periodMs: 1000, burst: 10_000, cost: 1 }));
  const narrow = [{ key: `moment-${moment}`, rate: 1, periodMs: 86_400_000, burst: 1, cost: 1 }];
  for (const requests of [narrow, random() < 0.5 ? wide : wide.toReversed()])
    ledger.consumed(requests, await stores.limits.consume(scope, requests));
  if (random() < 0.02) await stores.limits.cleanup(100);
};

/** Appends and searches. */
const reader: SoakActor = async (worker) => {
  const { stores, ledger, samples, scope } = worker;
  const events = Array.from({ length: 30 }, () => samples.event({ patient: patientOf(worker) }));
  await stores.audit.append(scope, events);
  for (const { id } of events) ledger.written.add(id);
  const { events: page } = await stores.audit.search(scope, { patient: patientOf(worker), limit: 50 });
  if (page.some(({ id }, i) => i > 0 && id >= (page[i - 1]?.id ?? ''))) ledger.violations.add('a page out of order');
  await stores.recordings.list(scope, { patient: patientOf(worker), limit: 20 });
};

async function claims({ ledger }: SoakWorker, asked: Promise<readonly Claim[]>): Promise<readonly Claim[]> {
  const given = await asked;
  for (const claim of given) ledger.claimed(claim);
  if (given.length === 0) await sleep(10);
  return given;
}

async function giveBack({ stores, ledger, scope }: SoakWorker, claim: Claim): Promise<void> {
  ledger.letGo(claim);
  await stores.recordings.releaseClaim(scope, claim.recording.id, claim.token);
}

/** Who works, and how many of each: 29, and the sequencers make it 32. */
export const soakActors: readonly (readonly [SoakActor, number])[] = [
  [doctor, 6],
  [leaver, 1],
  [mover, 4],
  [decider, 3],
  [sweeper, 4],
  [counsel, 2],
  [host, 3],
  [limiter, 4],
  [reader, 2],
];
