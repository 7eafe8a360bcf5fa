import { inspect } from 'node:util';
import { readArguments } from './demo/arguments.ts';
import { narrator } from './demo/narrator.ts';
import { serve } from './demo/serve.ts';
import { tellStory } from './demo/tell-story.ts';

process.stdout.on('error', () => process.exit()); // whoever read it has gone: npm run demo | head

const asked = readArguments(process.argv.slice(2));
if (typeof asked === 'string') {
  console.error(asked);
  process.exitCode = 2;
} else {
  const tell = narrator(process.stdout, process.env.NO_COLOR !== undefined);
  const began = performance.now();
  try {
    tell.title('Medzen: the life of one recording, on embedded parts');
    await tellStory(tell, asked.wire);
    tell.title(`\nEverything was as it should be, in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
    if (asked.serve) await serve(tell, asked.wire);
  } catch (error) {
    tell.failure(inspect(error)); // with its causes
    process.exitCode = 1;
  }
}
