import type { Narrator } from './narrator.ts';
import type { World } from './world.ts';

/** What each chapter is given. */
export interface Story {
  readonly world: World;
  readonly tell: Narrator;
}
