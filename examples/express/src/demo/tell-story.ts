import { capture } from './capture.ts';
import { consent } from './consent.ts';
import { house } from './house.ts';
import { log } from './log.ts';
import type { Narrator } from './narrator.ts';
import { playback } from './playback.ts';
import { retention } from './retention.ts';
import { summary } from './summary.ts';
import { together } from './together.ts';
import type { WireName } from './wires.ts';
import { openWorld } from './world.ts';

/** Every chapter, on one wire. */
export async function tellStory(tell: Narrator, wire: WireName): Promise<void> {
  const world = await openWorld(wire, new Date('2026-11-23T15:00:00Z'));
  const story = { world, tell };
  try {
    await house(story);
    await together(story);
    await consent(story);
    const id = await capture(story);
    await playback(story, id);
    await log(story);
    await retention(story, id);
    await summary(story);
  } finally {
    await world.close();
  }
}
