import { createSequencer, createSigner, type Sequencer } from '@medzen/audit';
import type { Claim, Recording, Stores } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import { createSamples, deletionReason, type Samples } from '@medzen/testing';
import type pg from 'pg';

export const scope = { tenant: 'clinic-a' } as const;
export const rules = 'rules-1';
/** The instant at which everything is due. */
export const late: Date = new Date('2040-01-01T00:00:00.000Z');
export const limit = { key: 'login', rate: 2, periodMs: 86_400_000, burst: 2, cost: 1 } as const;
export const signer: ReturnType<typeof createSigner> = createSigner({
  origin: 'restored.example.org/audit',
  privateKey: new Uint8Array(32).fill(5),
});

/** Stores and a sequencer over logins of a host, none of them the owner. */
export interface Clinic {
  readonly stores: Stores;
  readonly samples: Samples;
  readonly sequencer: Sequencer;
  /** Appends so many events in a transaction each. @returns their ids */
  write(count: number): Promise<readonly string[]>;
  /** Ticks until nothing is left. @returns the checkpoint */
  sequence(): Promise<string>;
}

/**
 * @param app - a login with the role medzen_app
 * @param log - a login with the role medzen_sequencer
 * @param trusted - the last checkpoint known to be good
 */
export function openClinic(app: pg.Client, log: pg.Client, trusted?: string): Clinic {
  const stores = { ...sqlStores(pgWire(app)), log: sqlStores(pgWire(log)).log };
  const samples = createSamples({ scope, clock: { now: () => new Date() } });
  const sequencer = createSequencer({
    memory: 'unguarded',
    store: stores.log,
    signer,
    batchSize: 4,
    ...(trusted === undefined ? {} : { trusted }),
  });
  return {
    stores,
    samples,
    sequencer,
    async write(count) {
      const events = Array.from({ length: count }, () => samples.event());
      for (const event of events) await stores.audit.append(scope, [event]);
      return events.map(({ id }) => id);
    },
    async sequence() {
      for (;;) {
        const result = await sequencer.tick();
        if (result.status === 'idle' && result.checkpoint !== undefined) return result.checkpoint;
      }
    },
  };
}

/** What the clinic was about when it was dumped. */
export interface Unfinished {
  /** In transfer, by a worker whose lease ends within a second. */
  readonly ending: Claim;
  /** In transfer, by a worker whose lease has an hour to go. */
  readonly running: Claim;
  /** Half deleted. */
  readonly deleting: Recording;
  /** Due, but held: by itself, and by its patient. */
  readonly held: readonly Recording[];
  readonly session: string;
}

/** Brings recordings to where each of them is about to become something else. */
export async function beginEverything({ stores, samples }: Clinic): Promise<Unfinished> {
  const { recordings, consents, limits } = stores;
  const session = 'session-1';
  for (const participant of ['patient-1', 'provider-1'])
    await consents.record(scope, samples.consent({ sessionId: session, participant }), samples.event());
  const made = async (patient: string, available: boolean): Promise<Recording> => {
    const started = await recordings.start(scope, samples.newRecording({ patient }), [], samples.event());
    if (started.status !== 'started') throw new Error(started.status);
    const { id } = started.recording;
    const at = new Date().toISOString();
    await recordings.change(scope, id, { expectedRevision: 1, to: 'uploading', at }, samples.event());
    if (available) {
      const object = samples.object();
      await recordings.change(scope, id, { expectedRevision: 2, to: 'available', at, object }, samples.event());
      const decision = samples.decision();
      await recordings.saveDecision(scope, id, decision, samples.event());
      await recordings.recordWarning(scope, id, decision.graceUntil ?? '', samples.event());
    }
    return started.recording;
  };
  const claimed = async (leaseMs: number): Promise<Claim> => {
    const { id } = await made('patient-1', false);
    const [claim] = await recordings.claimTransfers(scope, { limit: 1, leaseMs, id });
    if (claim === undefined) throw new Error('not claimed');
    return claim;
  };
  const doomed = await made('patient-1', true);
  const [deletion] = await recordings.claimExpired(scope, late, rules, { limit: 1, leaseMs: 1000, id: doomed.id });
  const intent = { ...deletionReason, token: deletion?.token ?? '', factsRevision: 0, rulesVersion: rules, now: late };
  await recordings.beginDeletion(scope, doomed.id, intent, samples.event());
  const held = [await made('patient-1', true), await made('patient-9', true)];
  await recordings.placeHold(scope, samples.hold({ recordingId: held[0]?.id ?? '' }), samples.event());
  await recordings.placeHold(scope, samples.hold({ patient: 'patient-9' }), samples.event());
  await limits.consume(scope, [{ ...limit, cost: 2 }]);
  return { ending: await claimed(1000), running: await claimed(3_600_000), deleting: doomed, held, session };
}
