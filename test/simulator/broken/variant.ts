import type { ObjectStore, Recording } from '@medzen/core';
import type { Provider, RecordingsDeps } from '@medzen/recording';
import type { Fiber } from '../scheduler.ts';
import type { World } from '../world.ts';

/** A way to be wrong that a mend replaced, and that the simulator must find. */
export interface Broken {
  readonly name: string;
  /** What it does, as a sentence. */
  readonly behavior: string;
  /** Invariants of which at least one finds it. No other violation counts. */
  readonly foundBy: readonly string[];
  /** Timers of a process do not fire: nothing has a deadline. */
  readonly withoutDeadlines?: boolean;
  /** What a process is built from instead. */
  readonly deps?: (deps: RecordingsDeps, world: World, fiber: Fiber) => RecordingsDeps;
}

type Method = (...args: unknown[]) => unknown;

/** Methods by name; each is given the one that it replaces. */
export interface Replacements {
  readonly [name: string]: (replaced: (...args: unknown[]) => Promise<unknown>) => Method;
}

/** The same object with other methods. */
export function override<T extends object>(target: T, methods: Replacements): T {
  return new Proxy(target, {
    get: (object, name) => {
      const member: unknown = Reflect.get(object, name, object);
      const other = methods[String(name)];
      if (other === undefined || typeof member !== 'function') return member;
      return other((...args) => Reflect.apply(member, object, args));
    },
  });
}

/** The port of recordings. */
export type RecordingPort = RecordingsDeps['stores']['recordings'];

export function withRecordings(deps: RecordingsDeps, methods: Replacements): RecordingsDeps {
  return { ...deps, stores: { ...deps.stores, recordings: override(deps.stores.recordings, methods) } };
}

export function withConsents(deps: RecordingsDeps, methods: Replacements): RecordingsDeps {
  return { ...deps, stores: { ...deps.stores, consents: override(deps.stores.consents, methods) } };
}

export function withProviders(deps: RecordingsDeps, methods: Replacements): RecordingsDeps {
  const providers = Object.entries(deps.providers).map(([name, provider]) => [
    name,
    override<Provider>(provider, methods),
  ]);
  return { ...deps, providers: Object.fromEntries(providers) };
}

export function withObjects(deps: RecordingsDeps, map: (store: ObjectStore) => ObjectStore): RecordingsDeps {
  const { objects } = deps;
  return { ...deps, objects: isList(objects) ? objects.map(map) : map(objects) };
}

/** Only the store that takes new media is configured. */
export function withFirstStore(deps: RecordingsDeps): RecordingsDeps {
  const { objects } = deps;
  const [first] = isList(objects) ? objects : [objects];
  return first === undefined ? deps : { ...deps, objects: first };
}

/** Every row that a process reads is another. */
export function withRows(deps: RecordingsDeps, map: (row: Recording) => Recording): RecordingsDeps {
  const { recordings } = deps.stores;
  const seen = new Proxy(recordings, {
    get: (object, name) => {
      const member: unknown = Reflect.get(object, name, object);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => mapRows(await Reflect.apply(member, object, args), map);
    },
  });
  return { ...deps, stores: { ...deps.stores, recordings: seen } };
}

/** Maps every row in an answer of the port: alone, in a list, in a claim, or beside a status. */
function mapRows(answer: unknown, map: (row: Recording) => Recording): unknown {
  if (Array.isArray(answer)) return answer.map((one) => mapRows(one, map));
  if (typeof answer !== 'object' || answer === null) return answer;
  if ('objectPrefix' in answer) return map(answer as Recording); // nothing else of the port has a prefix
  const mapped = Object.entries(answer).map(([key, value]) =>
    key === 'recording' || key === 'recordings' ? [key, mapRows(value, map)] : [key, value],
  );
  return answer instanceof Date ? answer : Object.fromEntries(mapped);
}

function isList(objects: RecordingsDeps['objects']): objects is readonly ObjectStore[] {
  return Array.isArray(objects);
}

/** Something kept for as long as a world lives, across its processes. */
export function perWorld<T>(make: () => T): (world: World) => T {
  const made = new WeakMap<World, T>();
  return (world) => {
    const known = made.get(world) ?? make();
    made.set(world, known);
    return known;
  };
}
