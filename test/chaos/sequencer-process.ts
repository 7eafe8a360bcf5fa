/**
 * A sequencer in a process of its own, which says what it is about to do, so that whoever kills it knows what was cut off.
 *
 *   node sequencer-process.ts <url> <origin> <seed, 64 hexadecimal digits> <events a batch>
 */
import { createSequencer, createSigner } from '@medzen/audit';
import type { LogStore } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import pg from 'pg';

const [url, origin = '', seed = '', batchSize] = process.argv.slice(2);
const signer = createSigner({ origin, privateKey: Uint8Array.from(Buffer.from(seed, 'hex')) });
const pool = new pg.Pool({ connectionString: url, max: 1, options: '-c role=medzen_sequencer' });
const { log } = sqlStores(pgWire(pool));
const say = (message: string): void => void process.send?.(message);

const store: LogStore = {
  ...log,
  readBatch: (limit) => {
    say('reading');
    return log.readBatch(limit).finally(() => say('hashing and signing'));
  },
  commitBatch: (commit) => {
    say('committing');
    return log.commitBatch(commit).finally(() => say('between ticks'));
  },
};
// Whoever started it is gone: so is the reason to run.
process.once('disconnect', () => process.exit());
await createSequencer({ memory: 'unguarded', store, signer, batchSize: Number(batchSize) }).run({
  intervalMs: 5,
  signal: new AbortController().signal,
});
