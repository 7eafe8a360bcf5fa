import { capture } from './demo/capture.ts';
import { consent } from './demo/consent.ts';
import { house } from './demo/house.ts';
import { log } from './demo/log.ts';
import { narrator } from './demo/narrator.ts';
import { playback } from './demo/playback.ts';
import { retention } from './demo/retention.ts';
import { serve } from './demo/serve.ts';
import { summary } from './demo/summary.ts';
import { openWorld } from './demo/world.ts';

const tell = narrator(process.stdout, process.env.NO_COLOR !== undefined);
const began = performance.now();
try {
  tell.title('Medzen: the life of one recording, on embedded parts');
  const world = await openWorld(new Date('2026-11-23T15:00:00Z'));
  const story = { world, tell };
  try {
    await house(story);
    await consent(story);
    const id = await capture(story);
    await playback(story, id);
    await log(story);
    await retention(story, id);
    await summary(story);
  } finally {
    await world.close();
  }
  tell.title(`\nEverything was as it should be, in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
  if (process.argv.includes('--serve')) await serve(tell);
} catch (error) {
  tell.failure(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
