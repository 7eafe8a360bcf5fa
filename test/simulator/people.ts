import { type CallContext, isMedzenError, type Recording, sealEvent, uuidv7 } from '@medzen/core';
import type { StartInput } from '@medzen/recording';
import { count } from './faults.ts';
import type { Ending } from './scheduler.ts';
import { person, type World, type WorldStores } from './world.ts';

const minute = 60_000;
const year = 365 * 86_400_000;
const acknowledgements = { recording: true, storage: true, access: true, retention: true } as const;

/** The people of one visit. */
export interface Visit {
  readonly sessionId: string;
  readonly patient: string;
  readonly doctor: string;
}

/** An administrator and officer of the clinic. */
export function officer(world: World): CallContext {
  return person(world, 'officer', 'system_admin', 'compliance_officer');
}

/** Chooses by the numbers of the plan. */
export function pick<T>({ plan }: Pick<World, 'plan'>, list: readonly T[]): T {
  const chosen = list[Math.floor(plan() * list.length)];
  if (chosen === undefined) throw new RangeError('There is nothing to choose from');
  return chosen;
}

/** Tries a verb again, each time in another process, as people and their browsers do. */
export async function insist<T>(
  world: World,
  name: string,
  times: number,
  verb: Parameters<typeof world.run<T>>[1],
): Promise<T | undefined> {
  for (let n = 0; n < times; n++) {
    const ending: Ending<T> = await world.run(`${name}#${n + 1}`, verb);
    if (ending.status === 'answered') return ending.value;
    if (ending.status === 'threw' && isMedzenError(ending.error) && !ending.error.retryable) return undefined;
    await world.scheduler.sleep(1000 + world.plan() * 30_000);
  }
  return undefined;
}

/** A visit, from the consents to the end of the room. */
export async function visit(world: World, { sessionId, patient, doctor }: Visit): Promise<void> {
  const { scheduler, plan, provider } = world;
  await scheduler.sleep(plan() * 180 * minute);
  const name = plan() < 0.7 ? 'asked' : 'unasked';
  const room = provider.open(name);
  const doctorContext = person(world, doctor, 'provider');
  const patientContext = person(world, patient, 'patient');
  for (const context of [patientContext, doctorContext])
    await insist(world, `${sessionId}:consent`, 6, (recordings) =>
      recordings.consent.give(
        {
          sessionId,
          patient,
          acknowledgements,
          textVersion: '1',
          text: 'May we record this visit?',
          language: 'en',
          method: 'click',
          location: 'US-GA',
        },
        context,
      ),
    );
  const input = {
    sessionId,
    patient,
    participants: [
      { id: patient, role: 'patient', location: 'US-GA' },
      { id: doctor, role: 'provider', location: 'US-GA' },
    ],
    provider: name,
    providerRef: room.ref,
    // The clinic keeps some visits longer than any rule.
    ...(plan() < 0.05
      ? { keepUntil: { until: new Date(scheduler.now() + (8 + plan() * 4) * year).toISOString(), reason: 'Teaching' } }
      : {}),
  } satisfies StartInput;
  // A slip of the host: a class that no rule knows.
  if (plan() < 0.03)
    await world.run(`${sessionId}:start of no class`, (recordings) =>
      recordings.start(
        { ...input, retentionClass: { jurisdiction: 'XX', providerClass: 'astrologer', zone: 'UTC' } },
        doctorContext,
      ),
    );
  const started = insist(world, `${sessionId}:start`, 1 + Math.floor(plan() * 3), (recordings) =>
    recordings.start(input, doctorContext),
  );
  // The withdrawal may come while the start is still under way.
  const withdrawal =
    plan() < 0.25 ? withdraw(world, sessionId, plan() < 0.5 ? patientContext : doctorContext) : undefined;
  const recording: Recording | undefined = await started;
  const length = (plan() < 0.2 ? 120 + plan() * 120 : 2 + plan() * 58) * minute;
  // Told that nobody knows whether it began, a patient may not want it any more.
  const second =
    recording === undefined && withdrawal === undefined && plan() < 0.5
      ? withdraw(world, sessionId, patientContext)
      : undefined;
  if (recording !== undefined && plan() < 0.5) {
    await scheduler.sleep(length * plan());
    const stopped = await insist(world, `${sessionId}:stop`, 3, (recordings) =>
      recordings.stop(recording.id, doctorContext),
    );
    if (stopped !== undefined && plan() < 0.4) await startAgain(world, sessionId, input, doctorContext);
  }
  await scheduler.sleep(length);
  if (plan() < 0.02) scheduler.after(length * 2, () => provider.lose(room));
  provider.end(room);
  await withdrawal;
  await second;
}

/** The same session in the same room, recorded once more after a pause. */
async function startAgain(world: World, sessionId: string, input: StartInput, context: CallContext): Promise<void> {
  await world.scheduler.sleep(world.plan() * 10 * minute);
  count(world.counts, 'second start');
  await insist(world, `${sessionId}:start again`, 2, (recordings) => recordings.start(input, context));
}

async function withdraw(world: World, sessionId: string, context: CallContext): Promise<void> {
  const { scheduler, plan, counts } = world;
  const haste = plan();
  await scheduler.sleep(haste < 0.2 ? 0 : haste < 0.4 ? plan() * 2000 : plan() * 30 * minute);
  if (plan() < 0.5) {
    count(counts, 'withdrawal_by_sql');
    await insist(world, `${sessionId}:withdraw_consent`, 6, (_, stores) => mark(world, stores, sessionId, context));
  } else {
    count(counts, 'withdrawal');
    await insist(world, `${sessionId}:withdraw`, 6, (recordings) =>
      recordings.consent.withdraw({ sessionId }, context),
    );
  }
}

/** Takes consent back by the road of SQL, which reaches no provider: it only marks what has to be stopped. */
async function mark(
  world: World,
  { consents }: WorldStores['stores'],
  sessionId: string,
  { scope, actor, source }: CallContext,
): Promise<void> {
  const clock = { now: () => new Date(world.scheduler.now()) };
  const random = { bytes: (length: number) => Uint8Array.from({ length }, () => world.plan() * 256) };
  const ids = {
    uuid: () => uuidv7(clock, { bytes: (length) => Uint8Array.from({ length }, () => world.plan() * 256) }),
  };
  const event = sealEvent(
    {
      action: 'consent.withdraw',
      kind: 'create',
      outcome: 'success',
      tenant: scope.tenant,
      actor: { id: actor.id, type: 'user' },
      source,
      target: { type: 'session', id: sessionId },
    },
    { clock, ids, random },
  );
  const consent = {
    id: ids.uuid(),
    sessionId,
    participant: actor.id,
    decision: 'withdrawn',
    acknowledgements: { recording: false, storage: false, access: false, retention: false },
    textVersion: '1',
    textSha256: '0'.repeat(64),
    language: 'en',
    method: 'click',
    at: clock.now().toISOString(),
  } as const;
  await consents.record(scope, consent, event);
}
