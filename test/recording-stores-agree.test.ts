import { memoryStores } from '@medzen/adapters-local';
import { isMedzenError, type Recording, type RecordingState, recordingTransitions, type Stores } from '@medzen/core';
import { createSamples, deletionReason, type Samples } from '@medzen/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pgliteContexts, type SqlContexts } from './sql-contexts.ts';

/**
 * Two statements of the same truth, which share no code: the store in memory and the store in SQL are given the same random life
 * of a few recordings, and must answer alike at every step, and hold the same events at the end.
 */

const states: readonly RecordingState[] = [
  'starting',
  'recording',
  'processing',
  'uploading',
  'available',
  'archived',
  'deleting',
  'deleted',
  'failed',
];
const rules = 'rules-1';
const lease = { limit: 3, leaseMs: 60_000 };
const index = fc.nat({ max: 3 });
const pick = <const T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

/** One step, described by small numbers: which recording, patient or hold is meant depends on what there is by then. */
const step = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ op: pick('start'), session: index, patient: pick('p1', 'p2'), consents: pick(0, 1, 2) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: pick('consent'),
      session: index,
      who: pick('p1', 'doctor'),
      given: fc.boolean(),
      full: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: pick('change'),
      at: index,
      to: fc.oneof({ weight: 4, arbitrary: pick('next') }, { weight: 1, arbitrary: pick(undefined, ...states) }),
      stale: fc.integer({ min: 0, max: 9 }),
      token: pick('none', 'none', 'mine', '0'),
      dedupe: pick(undefined, undefined, 'a', 'b'),
      object: fc.boolean(),
      failure: pick('keep', 'keep', 'set', 'clear'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: pick('access'), at: index, kind: pick('view', 'download') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: pick('claimTransfers', 'claimStops', 'claimReconciliations'),
      at: pick(undefined, 0, 1, 2),
    }),
  },
  { weight: 4, arbitrary: fc.record({ op: pick('claimExpired'), at: pick(undefined, 0, 1, 2), late: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: pick('renew'), at: pick(0, 1, 2) }) },
  { weight: 1, arbitrary: fc.record({ op: pick('releaseReconciliation'), at: pick(0, 1, 2), failed: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ op: pick('releaseClaim'), at: index, failed: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: pick('begin'), at: index, good: fc.integer({ min: 0, max: 5 }), late: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ op: pick('finish'), at: index, token: pick('mine', 'mine', '0') }) },
  { weight: 1, arbitrary: fc.record({ op: pick('fact'), patient: pick('p1', 'p2'), again: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: pick('decide'),
      at: index,
      version: pick(rules, rules, 'rules-2'),
      years: pick(-1, -1, 1, undefined),
      notice: pick(0, 0, 30),
      stale: fc.integer({ min: 0, max: 9 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: pick('hold'), at: index, wide: fc.boolean(), again: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ op: pick('unhold'), at: index }) },
  { weight: 3, arbitrary: fc.record({ op: pick('warn'), at: index, right: fc.integer({ min: 0, max: 3 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: pick('advance'), ms: pick(1000, 61_000, 3_600_000, 90_000_000, 2_678_400_000) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Every life begins with a recording that may be deleted, one that is uploading and one that runs. */
const prelude: readonly Step[] = [
  ...[0, 1, 2].map((session) => ({ op: 'start', session, patient: session === 1 ? 'p2' : 'p1', consents: 0 }) as const),
  moving(0, 'uploading', false),
  moving(0, 'available', true),
  moving(1, 'uploading', false),
  { op: 'decide', at: 0, version: rules, years: -1, notice: 30, stale: 9 },
  { op: 'warn', at: 0, right: 3 },
  { op: 'advance', ms: 2_678_400_000 },
];

function moving(at: number, to: RecordingState, object: boolean): Step {
  return { op: 'change', at, to, object, stale: 9, token: 'none', dedupe: undefined, failure: 'keep' };
}

/** Where a life stands: what both stores were told, and which token each gave. */
interface Life {
  readonly mine: Samples;
  readonly now: () => Date;
  readonly advance: (ms: number) => Promise<void>;
  readonly ids: string[];
  readonly facts: ReturnType<Samples['fact']>[];
  readonly holds: ReturnType<Samples['hold']>[];
}

interface Side {
  readonly stores: Pick<Stores, 'consents' | 'recordings'>;
  /** The newest token by recording. */
  readonly tokens: Map<string, string>;
  readonly looks: Map<string, string>;
}

const scope = { tenant: 'clinic-a' };

let contexts: SqlContexts;
beforeAll(async () => {
  contexts = await pgliteContexts();
});
afterAll(() => contexts.close());

test('the recording stores in memory and in SQL answer alike through any life', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 50, size: 'max' }), async (steps) => {
      const context = await contexts.create();
      const memory = memoryStores({ clock: context.clock });
      const sides: readonly [Side, Side] = [
        { stores: memory, tokens: new Map(), looks: new Map() },
        { stores: context.stores, tokens: new Map(), looks: new Map() },
      ];
      const life: Life = {
        mine: createSamples({ scope, clock: context.clock }),
        now: () => context.clock.now(),
        advance: context.advance,
        ids: [],
        facts: [],
        holds: [],
      };
      for (const one of [...prelude, ...steps]) {
        const call = await prepared(one, life, sides[0]);
        const [inMemory, inSql] = [await outcome(call, sides[0]), await outcome(call, sides[1])];
        expect(inSql, `after ${JSON.stringify(one)}`).toEqual(inMemory);
      }
      const [inMemory, inSql] = await Promise.all(sides.map((side) => everything(side, life)));
      expect(inSql).toEqual(inMemory);
      expect(await context.reader.countEvents()).toBe(memory.inspect.countEvents());
    }),
    { numRuns: 30 },
  );
}, 120_000);

type Call = (side: Side) => Promise<unknown>;

async function outcome(call: Call, side: Side): Promise<unknown> {
  try {
    return await call(side);
  } catch (error) {
    if (isMedzenError(error)) return error.code;
    throw error;
  }
}

/** The call that a step comes to, with data that both sides get alike. */
async function prepared(one: Step, life: Life, memory: Side): Promise<Call> {
  const { mine } = life;
  const event = mine.event();
  const idAt = (at: number | undefined): string | undefined =>
    at === undefined ? undefined : life.ids[at % Math.max(1, life.ids.length)];
  const id = ('at' in one ? idAt(one.at) : undefined) ?? mine.ids.uuid();
  const row: Recording | undefined = await memory.stores.recordings.get(scope, id);
  const late = (is: boolean): Date => new Date(life.now().getTime() + (is ? 86_400_000 : 0));
  switch (one.op) {
    case 'start': {
      const sessionId = `s${one.session}`;
      const participants = ['p1', 'doctor'].map((who) => ({ id: who, role: 'guest' as const }));
      const named = { sessionId, providerRef: `RM${one.session % 3}`, patient: one.patient };
      const given = mine.newRecording({ ...named, participants });
      life.ids.push(given.id);
      const asked = ['p1', 'doctor'].slice(0, one.consents);
      return ({ stores }) => stores.recordings.start(scope, given, asked, event);
    }
    case 'consent': {
      const acknowledgements = { recording: true, storage: one.full, access: true, retention: true };
      const decision = one.given ? 'given' : 'withdrawn';
      const given = mine.consent({ sessionId: `s${one.session}`, participant: one.who, decision, acknowledgements });
      return ({ stores }) => stores.consents.record(scope, given, event);
    }
    case 'change': {
      const next = recordingTransitions[row?.state ?? 'deleted'][0];
      const to = one.to === 'next' ? next : one.to;
      const at = life.now().toISOString();
      const change = {
        expectedRevision: (row?.revision ?? 1) - (one.stale === 0 ? 1 : 0),
        at,
        ...(to === undefined ? {} : { to }),
        ...(to === 'deleting' ? { deletion: { by: 'admin-1', reason: 'Nothing was recorded' } } : {}),
        ...(one.dedupe === undefined ? {} : { dedupeKey: one.dedupe }),
        ...(one.object ? { object: mine.object() } : {}),
        ...(one.failure === 'set' ? { failure: { code: 'provider_failed', at, attempts: 1 } } : {}),
        ...(one.failure === 'clear' ? { failure: null } : {}),
      };
      return ({ stores, tokens }) => {
        const token = one.token === 'mine' ? (tokens.get(id) ?? '0') : one.token;
        return stores.recordings.change(scope, id, { ...change, ...(token === 'none' ? {} : { token }) }, event);
      };
    }
    case 'access':
      return ({ stores }) => stores.recordings.noteAccess(scope, id, one.kind, event);
    case 'claimTransfers':
    case 'claimStops':
    case 'claimReconciliations':
    case 'claimExpired':
      return async ({ stores, tokens, looks }) => {
        const options = { ...lease, ...(one.at === undefined ? {} : { id }) };
        const claims =
          one.op !== 'claimExpired'
            ? await stores.recordings[one.op](scope, options)
            : await stores.recordings.claimExpired(scope, late(one.late), rules, options);
        const kept = one.op === 'claimReconciliations' ? looks : tokens;
        for (const claim of claims) kept.set(claim.recording.id, claim.token);
        return claims.map(({ recording, attempts }) => ({ recording, attempts }));
      };
    case 'renew':
      return ({ stores, tokens }) => stores.recordings.renewClaim(scope, id, tokens.get(id) ?? '0', lease.leaseMs);
    case 'releaseReconciliation':
      return ({ stores, looks }) =>
        stores.recordings.releaseReconciliation(scope, id, looks.get(id) ?? '0', one.failed ? 600 : null);
    case 'releaseClaim':
      return ({ stores, tokens }) =>
        stores.recordings.releaseClaim(scope, id, tokens.get(id) ?? '0', one.failed ? 'timeout' : undefined);
    case 'begin': {
      const { factsRevision = 0 } = row?.decision ?? {};
      const intent = {
        ...deletionReason,
        factsRevision: factsRevision + (one.good === 0 ? 1 : 0),
        rulesVersion: one.good === 1 ? 'rules-2' : rules,
        now: late(one.late),
      };
      return ({ stores, tokens }) =>
        stores.recordings.beginDeletion(scope, id, { ...intent, token: tokens.get(id) ?? '0' }, event);
    }
    case 'finish': {
      const tombstone = mine.tombstone();
      return ({ stores, tokens }) => {
        const token = one.token === 'mine' ? (tokens.get(id) ?? '0') : one.token;
        return stores.recordings.finishDeletion(scope, id, token, tombstone, event);
      };
    }
    case 'fact': {
      const known = one.again ? life.facts[0] : undefined;
      const fact = known === undefined ? mine.fact({ patient: one.patient }) : { ...known, patient: one.patient };
      life.facts.push(fact);
      return ({ stores }) => stores.recordings.noteFact(scope, fact, event);
    }
    case 'decide': {
      const { revision } = await memory.stores.recordings.facts(scope, row?.patient ?? 'p1');
      const ends = (days: number): { at?: string } =>
        one.years === undefined
          ? {}
          : { at: new Date(life.now().getTime() + one.years * 365 * 86_400_000 + days * 86_400_000).toISOString() };
      const { retainUntil: _r, warnAt: _w, graceUntil: _g, ...bare } = mine.decision();
      const [retain, warn, grace] = [ends(0).at, ends(90 - one.notice).at, ends(90).at];
      const decision = {
        ...bare,
        rulesVersion: one.version,
        factsRevision: revision - (one.stale === 0 ? 1 : 0),
        ...(retain === undefined || warn === undefined || grace === undefined
          ? {}
          : { retainUntil: retain, warnAt: warn, graceUntil: grace }),
      };
      return ({ stores }) => stores.recordings.saveDecision(scope, id, decision, event);
    }
    case 'hold': {
      const target = one.wide ? { patient: row?.patient ?? 'p9' } : { recordingId: id };
      const known = one.again ? life.holds[0] : undefined;
      const hold = known === undefined ? mine.hold(target) : { ...known, target };
      life.holds.push(hold);
      return ({ stores }) => stores.recordings.placeHold(scope, hold, event);
    }
    case 'unhold': {
      const holdId = life.holds[one.at % Math.max(1, life.holds.length)]?.id ?? 'none';
      const at = life.now().toISOString();
      return ({ stores }) => stores.recordings.releaseHold(scope, holdId, 'counsel-2', at, event);
    }
    case 'warn': {
      const deadline =
        one.right === 0 ? '2030-01-01T00:00:00.000Z' : (row?.decision?.graceUntil ?? '2031-01-01T00:00:00.000Z');
      return ({ stores }) => stores.recordings.recordWarning(scope, id, deadline, event);
    }
    case 'advance':
      await life.advance(one.ms);
      return async () => [];
  }
}

/** Everything that can be read. */
async function everything({ stores }: Side, life: Life): Promise<unknown> {
  const { recordings, consents } = stores;
  const now = life.now();
  return {
    list: await recordings.list(scope, { limit: 200 }),
    byState: await Promise.all(states.map((state) => recordings.list(scope, { state }))),
    byPatient: await recordings.list(scope, { patient: 'p1' }),
    byFailure: await recordings.list(scope, { failureCode: 'provider_failed' }),
    byRef: await Promise.all([0, 1, 2].map((n) => recordings.findByProviderRef(scope, 'twilio', `RM${n}`))),
    stale: sorted(await recordings.staleDecisions(scope, rules, 1000)),
    warnings: sorted(await recordings.dueWarnings(scope, now, 1000)),
    archives: sorted(await recordings.dueArchives(scope, now, rules, 1000)),
    facts: await Promise.all(['p1', 'p2', 'p9'].map((patient) => recordings.facts(scope, patient))),
    holds: await Promise.all(life.ids.map(async (id) => sorted(await recordings.holds(scope, id)))),
    consents: await Promise.all([0, 1, 2, 3, 4, 5].map((n) => consents.current(scope, `s${n}`))),
  };
}

function sorted<T extends { readonly id: string }>(list: readonly T[]): readonly T[] {
  return list.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
