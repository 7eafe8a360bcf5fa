import { join } from 'node:path';
import { diskObjects } from '@medzen/adapters-local/disk';
import type { Clock, ObjectStore } from '@medzen/core';
import { createRecordings, createRetention, georgiaPsychologist, retentionRules, twilio } from '@medzen/recording';
import { pgWire, sqlStores } from '@medzen/sql';
import pg from 'pg';

/**
 * Sweeps as the job does, in a process of its own, and is killed when the bytes are gone and the tombstone is not yet written.
 * Run by `crash.test.ts`, which says where the database and the media are, and what time it is.
 */
const { DATABASE_URL = '', DIR = '', NOW = '', TWILIO_API_URL = '' } = process.env;
const clock: Clock = { now: () => new Date(NOW) };
const objects = diskObjects({ dir: join(DIR, 'media'), secret: 'not used: no link is made here', clock });
const killing: ObjectStore = {
  ...objects,
  deleteVersions: async (versions) => {
    await objects.deleteVersions(versions);
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => undefined); // nothing comes after
  },
};
const recordings = createRecordings({
  stores: sqlStores(pgWire(new pg.Pool({ connectionString: DATABASE_URL }))),
  objects: killing,
  providers: {
    twilio: twilio({
      accountSid: `AC${'5'.repeat(32)}`,
      authToken: 'the-stand-in-knows-it-too',
      baseUrl: TWILIO_API_URL,
      allowLoopback: true,
    }),
  },
  retention: createRetention({ rules: retentionRules, policies: [georgiaPsychologist] }),
  clock,
});
const report = await recordings.sweep({ tenant: 'peachtree' });
console.log('It should not have come this far', JSON.stringify(report));
process.exit(1);
