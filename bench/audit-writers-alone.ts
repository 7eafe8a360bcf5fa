import { raceWriters } from './audit-writers-race.ts';
import type { Bench } from './row.ts';

/** The same writers, each event a call and a transaction of its own, as those of many processes would be. */
export const bench: Bench = {
  id: 'audit-writers-alone',
  run: () =>
    raceWriters('audit-writers-alone', 'events per second, 16 writers, a transaction each, durable', (audit) => audit),
};
