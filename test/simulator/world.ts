import { memoryStores } from '@medzen/adapters-local';
import type { AuditEvent, CallContext, Clock, Recording, Scope, Stores } from '@medzen/core';
import { openEvent } from '@medzen/core';
import { createRecordings, type Provider, type ProviderEvent, type Recordings } from '@medzen/recording';
import { fakeIds, fakeNumbers, fakeRandom } from '@medzen/testing';
import type { Broken } from './broken/variant.ts';
import { calm, count, type FaultCounts, type Weather } from './faults.ts';
import { createObjectWorld, type ObjectWorld, type Removal } from './object-world.ts';
import { type Effect, type Passage, throughPassage } from './ports.ts';
import { createTruth, type Truth } from './promises/truth.ts';
import { createProviderWorld, type MediaFault, type ProviderWorld } from './provider-world.ts';
import { type RuleSet, retentionClass, ruleSets } from './rules.ts';
import { createScheduler, type Ending, type Fiber, type Scheduler } from './scheduler.ts';
import { simProvider } from './sim-provider.ts';
import { useTimersOf } from './virtual-timers.ts';

/** A promise that was broken. */
export interface Violation {
  readonly invariant: string;
  readonly story: string;
  readonly at: string;
  readonly step: number;
}

/** How the processes that start from now on are set up. */
interface Deployment {
  /** Every bucket that is configured; new media goes to the first. */
  buckets: string[];
  providers: Set<string>;
  rules: RuleSet;
}

/** The stores of a world, and how they are looked into. */
export interface WorldStores {
  readonly stores: Pick<Stores, 'recordings' | 'consents' | 'audit'>;
  countEvents(): Promise<number>;
  /** Moves the stores' own clock. */
  tick?(now: Date): Promise<void>;
}

/** Everything that a world is made of. */
export interface World {
  readonly scope: Scope;
  readonly scheduler: Scheduler;
  readonly weather: Weather;
  readonly counts: FaultCounts;
  readonly truth: Truth;
  readonly provider: ProviderWorld;
  readonly objects: ObjectWorld;
  readonly base: WorldStores;
  readonly deployment: Deployment;
  readonly habits: Habits;
  readonly violations: Violation[];
  /** How often each invariant was checked. */
  readonly checks: Map<string, number>;
  /** When something last happened that a decision, or its notice, may rest on: milliseconds. */
  happenedAt: number;
  /** Patients of whom nobody can be told. */
  readonly unreachable: Set<string>;
  /** Callbacks that are on their way go through it. */
  send: (event: ProviderEvent) => void;
  /** Numbers of the plan: what people do, and when. */
  readonly plan: () => number;
  readonly trace: ((line: string) => void) | undefined;
  /** Runs a verb in a process of its own. */
  run<T>(name: string, verb: (recordings: Recordings, stores: WorldStores['stores']) => Promise<T>): Promise<Ending<T>>;
  /** A recording's row as it is, past all ports. */
  read(id: string): Promise<Recording | undefined>;
  /** The rules that a process was set up with. */
  rulesOf(fiber: Fiber): RuleSet;
  violate(invariant: string, story: string): void;
}

/** What is peculiar to a world, from its seed. */
interface Habits {
  lostCallbacks: number;
  failingMedia: number;
  badMedia: number;
  /** How often a process has a clock that is years off, 0–1. */
  wrongClocks: number;
  providerSkewMs: number;
}

/** What a watcher of effects is told. */
export interface Seen {
  readonly world: World;
  readonly effect: Effect;
  readonly id: string | undefined;
  readonly before: Recording | undefined;
  readonly after: Recording | undefined;
  /** Events that the effect wrote, out of those it was given. */
  readonly events: readonly AuditEvent[];
  readonly removals: readonly Removal[];
  /** Whether the provider held anything of the recording's room before. */
  readonly heldBefore: boolean;
}

export interface WorldOptions {
  readonly seed: number;
  readonly broken?: Broken;
  readonly trace?: (line: string) => void;
  readonly onEffect: (seen: Seen) => void;
  /** Ends the world as soon as one of these invariants is violated. */
  readonly untilViolated?: readonly string[];
  readonly stores?: (clock: Clock) => Promise<WorldStores>;
}

const year = 365 * 86_400_000;

/** Methods that only read. */
const readOnly: ReadonlySet<string> = new Set([
  'clock',
  'get',
  'findByProviderRef',
  'list',
  'facts',
  'holds',
  'stuck',
  'staleDecisions',
  'dueWarnings',
  'dueArchives',
  'current',
  'search',
  'head',
  'listVersions',
  'presignGet',
  'abortUploads',
  'put',
  'retentionWarning',
]);

export async function createWorld(options: WorldOptions): Promise<World> {
  const { seed, broken, trace } = options;
  const scope: Scope = { tenant: tenantOf(seed) };
  const stream = (n: number): (() => number) => fakeNumbers(seed * 16 + n);
  const [turns, plan, faults, things] = [stream(1), stream(2), stream(3), stream(4)];
  const weather = calm();
  const counts: FaultCounts = new Map();
  const haste = (ms: number): number => (weather.rate === 0 || ms > 1_800_000 ? 0 : 0.02);
  const scheduler = createScheduler(turns, Date.parse('2026-11-21T15:00:00.000Z') + Math.floor(plan() * 1e10), haste);
  useTimersOf(scheduler, broken?.withoutDeadlines !== true);
  const clock: Clock = { now: () => new Date(scheduler.now()) };
  const base = await (options.stores?.(clock) ?? memory(clock));
  const truth = createTruth();
  const habits: Habits = {
    lostCallbacks: [0, 0.3, 1][Math.floor(plan() * 3)] ?? 0,
    failingMedia: plan() < 0.3 ? 0.3 : 0,
    badMedia: plan() < 0.3 ? 0.3 : 0,
    wrongClocks: plan() < 0.3 ? 0.1 : 0,
    providerSkewMs: Math.floor(
      (plan() - 0.5) * ([0, 0, 0, 600_000, 86_400_000, 6 * year][Math.floor(plan() * 6)] ?? 0),
    ),
  };
  const mediaFaults: readonly MediaFault[] = ['empty', 'page', 'cut', 'short'];
  if (habits.providerSkewMs !== 0) count(counts, 'provider_clock_off');
  const provider = createProviderWorld({
    scheduler,
    numbers: things,
    skew: () => habits.providerSkewMs,
    failing: () => habits.failingMedia,
    mediaFault: () => {
      const fault = things() < habits.badMedia ? (mediaFaults[Math.floor(things() * 4)] ?? 'none') : 'none';
      if (fault !== 'none') count(counts, `media_${fault}`);
      return fault;
    },
    onFault: (kind) => count(counts, kind),
    large: () => things() < 0.06,
    send: (event) => world.send(event),
  });
  const objects = createObjectWorld(() => scheduler.now());
  const removals: Removal[] = [];
  const passage: Passage = {
    scheduler,
    weather,
    numbers: faults,
    counts,
    trace,
    watch: async (port, method, args) => {
      await base.tick?.(clock.now());
      const id = idOf(truth, args);
      const before = id === undefined ? undefined : truth.recordings.get(id)?.row;
      const heldBefore = port === 'provider' && held(world, id);
      const sealed = args.flatMap(sealedIn);
      const countBefore = sealed.length === 0 ? 0 : await base.countEvents();
      removals.length = 0;
      return async (effect) => {
        if (readOnly.has(method)) return;
        const written = sealed.length > 0 && (await base.countEvents()) > countBefore;
        const startsAs = 'value' in effect.outcome ? startedIn(effect.outcome.value) : undefined;
        const touched = startsAs ?? id;
        const after = touched === undefined || port === 'objects' ? before : await world.read(touched);
        options.onEffect({
          world,
          effect,
          id: touched,
          before,
          after,
          events: written ? sealed.map(({ body }) => openEvent(body)) : [],
          removals: port === 'objects' ? removals.splice(0) : [],
          heldBefore,
        });
      };
    },
  };
  let serial = 0;
  const rules = new WeakMap<Fiber, RuleSet>();
  const processClock = (): Clock => {
    const wrong = faults() < habits.wrongClocks && weather.rate > 0;
    const skew = wrong ? Math.floor((faults() - 0.5) * 20 * year) : Math.floor((faults() - 0.5) * 4000);
    if (wrong) count(counts, 'clock_years_off');
    return { now: () => new Date(scheduler.now() + skew) };
  };
  const partial = (): 'none' | 'SlowDown' | 'InternalError' | 'AccessDenied' => {
    if (weather.partial === 0 || faults() >= weather.partial) return 'none';
    const kind = (['SlowDown', 'InternalError', 'AccessDenied'] as const)[Math.floor(faults() * 3)] ?? 'SlowDown';
    count(counts, kind);
    return kind;
  };
  const listingLag = (): number => {
    if (weather.staleListings === 0 || faults() >= weather.staleListings) return 0;
    count(counts, 'stale_listing');
    return 1000 + faults() * 1_200_000;
  };
  const streamHabits = {
    scheduler,
    chunkMs: () => {
      if (weather.slowMedia === 0 || faults() >= weather.slowMedia) return 0;
      count(counts, 'slow_media');
      return 60_000 + faults() * 1_800_000;
    },
    skew: () => habits.providerSkewMs,
  };
  const providers: Readonly<Record<string, Provider>> = {
    asked: simProvider('asked', provider, streamHabits, true),
    unasked: simProvider('unasked', provider, streamHabits, false),
  };

  function processFor(fiber: Fiber): readonly [Recordings, WorldStores['stores']] {
    const { deployment } = world;
    rules.set(fiber, deployment.rules);
    const appClock = processClock();
    serial += 1;
    const random = fakeRandom(seed * 65_536 + serial);
    const through = <T extends object>(port: Parameters<typeof throughPassage>[2], target: T): T =>
      throughPassage(passage, fiber, port, target);
    const onRemove = (removal: Removal): void => {
      removals.push(removal);
    };
    const known = Object.entries(providers).filter(([name]) => deployment.providers.has(name));
    const deps = {
      stores: {
        recordings: through('recordings', base.stores.recordings),
        consents: through('consents', base.stores.consents),
        audit: through('audit', base.stores.audit),
      },
      objects: deployment.buckets.map((name) =>
        throughPassage(passage, fiber, 'objects', objects.store(name, { partial, listingLag, onRemove })),
      ),
      providers: Object.fromEntries(known.map(([name, target]) => [name, through('provider', target)])),
      retention: deployment.rules.retention,
      retentionClass,
      notifier: through('notifier', {
        retentionWarning: async ({ recordingId, patient, deadline }) => {
          if (world.unreachable.has(patient)) throw new Error('There is no address');
          const recording = truth.recordings.get(recordingId);
          if (recording !== undefined) recording.notice = { deadline: Date.parse(deadline), at: scheduler.now() };
        },
      } satisfies NonNullable<Parameters<typeof createRecordings>[0]['notifier']>),
      clock: appClock,
      ids: fakeIds(appClock, random),
      random,
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
      sleep: (ms: number, signal?: AbortSignal) => sleepOn(scheduler, ms, signal),
    };
    const built = broken?.deps?.(deps, world, fiber) ?? deps;
    return [createRecordings(built), built.stores];
  }

  const already = new Set<string>();
  const world: World = {
    scope,
    scheduler,
    weather,
    counts,
    truth,
    provider,
    objects,
    base,
    habits,
    deployment: {
      buckets: ['bucket-1'],
      providers: new Set(['asked', 'unasked']),
      rules: firstRules(plan),
    },
    violations: [],
    checks: new Map(),
    happenedAt: 0,
    unreachable: new Set(),
    send: () => {},
    plan,
    trace,
    run: (name, verb) => scheduler.run(name, (fiber) => verb(...processFor(fiber))),
    rulesOf: (fiber) => rules.get(fiber) ?? world.deployment.rules,
    read: (id) => base.stores.recordings.get(scope, id),
    violate: (invariant, story) => {
      // The same at each rest is one story.
      const told = `${invariant} ${story.split(/[ :]/, 1)[0]}`;
      if (already.has(told)) return;
      already.add(told);
      const at = new Date(scheduler.now()).toISOString();
      world.violations.push({ invariant, story, at, step: scheduler.steps() });
      trace?.(`!!! ${invariant}: ${story}`);
      if (options.untilViolated?.includes(invariant) === true) scheduler.end();
    },
  };
  return world;
}

function firstRules(plan: () => number): RuleSet {
  const first = plan() < 0.4 ? ruleSets.at(-1) : ruleSets[0];
  if (first === undefined) throw new Error('There are no rules');
  return first;
}

async function memory(clock: Clock): Promise<WorldStores> {
  const stores = memoryStores({ clock });
  return { stores, countEvents: async () => stores.inspect.countEvents() };
}

function sleepOn(scheduler: Scheduler, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const cancel = scheduler.after(ms, resolve);
    signal?.addEventListener(
      'abort',
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}

/** The recording that a call is about, as far as its arguments say. */
function idOf(truth: Truth, args: readonly unknown[]): string | undefined {
  for (const arg of args) {
    if (typeof arg === 'string') {
      const id = arg.includes('/') ? arg.split('/')[3] : arg;
      if (id !== undefined && truth.recordings.has(id)) return id;
    }
    if (typeof arg !== 'object' || arg === null) continue;
    if ('id' in arg && typeof arg.id === 'string' && truth.recordings.has(arg.id)) return arg.id;
    if (Array.isArray(arg)) {
      const key: unknown = arg[0]?.key;
      if (typeof key === 'string') return key.split('/')[3];
    }
  }
  return undefined;
}

function sealedIn(arg: unknown): readonly { readonly id: string; readonly body: Uint8Array }[] {
  if (Array.isArray(arg)) return arg.flatMap(sealedIn);
  if (typeof arg !== 'object' || arg === null || !('body' in arg) || !(arg.body instanceof Uint8Array)) return [];
  return 'id' in arg && typeof arg.id === 'string' ? [{ id: arg.id, body: arg.body }] : [];
}

function startedIn(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('status' in value) || value.status !== 'started')
    return undefined;
  if (!('recording' in value) || typeof value.recording !== 'object' || value.recording === null) return undefined;
  return 'id' in value.recording && typeof value.recording.id === 'string' ? value.recording.id : undefined;
}

function held(world: World, id: string | undefined): boolean {
  const room = id === undefined ? undefined : world.truth.recordings.get(id)?.room;
  return room !== undefined && (room.segments.length > 0 || room.compositions.length > 0);
}

function tenantOf(seed: number): string {
  return `sim-${seed}`;
}

/** A person of the clinic. */
export function person({ scope }: Pick<World, 'scope'>, id: string, ...roles: readonly string[]): CallContext {
  return { scope, actor: { id, type: 'user', roles, tenant: scope.tenant }, source: { ip: '192.0.2.7' } };
}
