import type { RecordingsDeps } from '@medzen/recording';
import type { Fiber } from './scheduler.ts';
import type { World } from './world.ts';

/** A way to be wrong, that the simulator must find. */
export interface Broken {
  readonly name: string;
  readonly deps?: (deps: RecordingsDeps, world: World, fiber: Fiber) => RecordingsDeps;
}

/** Each is the behavior that a mend replaced. */
export const brokenVariants: readonly Broken[] = [];
