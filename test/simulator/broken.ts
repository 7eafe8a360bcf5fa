import { MedzenError, type ObjectStore, openEvent, sealEvent } from '@medzen/core';
import type { Provider, RecordingsDeps } from '@medzen/recording';
import type { Fiber } from './scheduler.ts';
import type { World } from './world.ts';

/** A way to be wrong that a mend replaced, and that the simulator must find. */
export interface Broken {
  readonly name: string;
  /** What it does, as a sentence. */
  readonly behavior: string;
  /** Invariants of which at least one finds it. */
  readonly foundBy: readonly string[];
  /** Timers of a process do not fire: nothing has a deadline. */
  readonly withoutDeadlines?: boolean;
  /** What a process is built from instead. */
  readonly deps?: (deps: RecordingsDeps, world: World, fiber: Fiber) => RecordingsDeps;
}

type Method = (...args: unknown[]) => unknown;

/** The same object with other methods; each is given the one that it replaces. */
function override<T extends object>(
  target: T,
  methods: { readonly [name: string]: (replaced: (...args: unknown[]) => Promise<unknown>) => Method },
): T {
  return new Proxy(target, {
    get: (object, name) => {
      const member: unknown = Reflect.get(object, name, object);
      const other = methods[String(name)];
      if (other === undefined || typeof member !== 'function') return member;
      return other((...args) => Reflect.apply(member, object, args));
    },
  });
}

type Recordings = RecordingsDeps['stores']['recordings'];

function withRecordings(deps: RecordingsDeps, methods: Parameters<typeof override<Recordings>>[1]): RecordingsDeps {
  return { ...deps, stores: { ...deps.stores, recordings: override(deps.stores.recordings, methods) } };
}

function withProviders(deps: RecordingsDeps, methods: Parameters<typeof override<Provider>>[1]): RecordingsDeps {
  const providers = Object.entries(deps.providers).map(([name, provider]) => [name, override(provider, methods)]);
  return { ...deps, providers: Object.fromEntries(providers) };
}

/** Each is the behavior that a mend replaced. */
export const brokenVariants: readonly Broken[] = [
  {
    name: 'nothing-stored-is-believed',
    behavior: 'A provider that was not asked counts as one that says that nothing was captured.',
    foundBy: ['no-early-removal', 'true-failure', 'settled', 'known-capture'],
    deps: (deps) => withProviders(deps, { look: () => async () => ({ status: 'none', sessionOpen: false }) }),
  },
  {
    name: 'never-asks',
    behavior: 'A lost callback is waited for.',
    foundBy: ['settled'],
    deps: (deps) => withRecordings(deps, { claimReconciliations: () => async () => [] }),
  },
  {
    name: 'unknown-start-has-failed',
    behavior: 'A start without an answer counts as one that was refused.',
    foundBy: ['known-capture', 'withdrawal-ends-capture', 'settled', 'stop-once'],
    deps: (deps) =>
      withProviders(deps, {
        start:
          (start) =>
          async (...args) => {
            try {
              return await start(...args);
            } catch {
              throw new MedzenError('not_available', 'Nothing was begun');
            }
          },
        look: () => async () => ({ status: 'unknown' }),
      }),
  },
  {
    name: 'clock-is-believed',
    behavior: "The application's clock is believed, whatever the store and the provider say.",
    foundBy: ['no-early-deletion', 'no-early-removal'],
    deps: (deps) =>
      withProviders(withRecordings(deps, { clock: () => async () => deps.clock?.now() ?? new Date(0) }), {
        look:
          (look) =>
          async (...args) => {
            const answer = await look(...args);
            return typeof answer === 'object' ? { ...answer, startedAt: undefined, endedAt: undefined } : answer;
          },
      }),
  },
  {
    name: 'links-only-while-available',
    behavior: 'In the grace nobody may play a recording.',
    foundBy: ['access'],
    deps: (deps) =>
      withRecordings(deps, {
        noteAccess:
          (noteAccess) =>
          async (...args) => {
            const [scope, id] = args as Parameters<Recordings['get']>; // the first two of `noteAccess`
            const recording = await deps.stores.recordings.get(scope, id);
            return recording?.state === 'archived' ? { status: 'not_available', recording } : noteAccess(...args);
          },
      }),
  },
  {
    name: 'end-is-not-a-stop',
    behavior: 'A capture that ends by itself is not said to have been stopped.',
    foundBy: ['stop-once'],
    deps: (deps) =>
      withRecordings(deps, {
        change:
          (change) =>
          async (...args) => {
            const [scope, id, changed, event] = args as Parameters<Recordings['change']>; // as the port has it
            const { v: _v, id: _id, at: _at, nonce: _nonce, ...draft } = openEvent(event.body);
            if (draft.action !== 'recording.stop' || draft.actor.type === 'user') return change(...args);
            return change(scope, id, changed, sealEvent({ ...draft, action: 'recording.ingest' }, deps));
          },
      }),
  },
  {
    name: 'lease-is-not-renewed',
    behavior: 'A lease ends while its worker is still at work.',
    foundBy: ['one-worker'],
    deps: (deps) => withRecordings(deps, { renewClaim: () => async () => true }),
  },
  {
    name: 'no-deadlines',
    behavior: 'A call that is never answered is waited for.',
    foundBy: ['verbs-end'],
    withoutDeadlines: true,
  },
  {
    name: 'provider-is-not-asked-to-forget',
    behavior: "The provider's copy stays when a recording is deleted.",
    foundBy: ['tombstone-proved', 'provider-forgets'],
    deps: (deps) => withProviders(deps, { discard: () => async () => ({}) }),
  },
  {
    name: 'lock-is-gone-around',
    behavior: 'A version that may not be deleted counts as deleted.',
    foundBy: ['tombstone-proved', 'answered-for'],
    deps: (deps) => ({
      ...deps,
      objects: mapObjects(deps.objects, (store) => {
        let asked = false;
        return override(store, {
          deleteVersions:
            (remove) =>
            async (...args) => {
              await remove(...args);
              asked = true;
              return { deleted: args[0], errors: [] };
            },
          listVersions:
            (list) =>
            async (...args) =>
              asked ? { versions: [] } : list(...args),
        });
      }),
    }),
  },
  {
    name: 'warning-is-not-waited-for',
    behavior: 'Deletion does not wait until people were told.',
    foundBy: ['no-early-deletion', 'no-early-removal'],
    deps: (deps) => ({ ...deps, notifier: { retentionWarning: async () => undefined } }),
  },
];

type Objects = RecordingsDeps['objects'];

function mapObjects(objects: Objects, map: (store: ObjectStore) => ObjectStore): Objects {
  return isList(objects) ? objects.map(map) : map(objects);
}

function isList(objects: Objects): objects is readonly ObjectStore[] {
  return Array.isArray(objects);
}
