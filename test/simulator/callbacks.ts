import { count } from './faults.ts';
import type { World } from './world.ts';

const minute = 60_000;

/** Sends the provider's callbacks to the application: late, out of order, twice, or never. */
export function deliverCallbacks(world: World): void {
  const { scheduler, plan, counts, habits, weather, scope } = world;
  world.send = (event) => {
    if (plan() < habits.lostCallbacks) {
      count(counts, 'callback_lost');
      world.trace?.(`${new Date(scheduler.now()).toISOString()} callback ${event.type} ${event.providerRef} is lost`);
      return;
    }
    const times = plan() < 0.1 ? 2 : 1;
    if (times === 2) count(counts, 'callback_twice');
    for (let n = 0; n < times; n++) {
      const late = weather.rate > 0 && plan() < 0.2;
      if (late) count(counts, 'callback_late');
      const wait = late ? plan() * 90 * minute : plan() * 5000;
      scheduler.after(wait, () => {
        void world.run(`callback ${event.type}`, (recordings) => recordings.ingest(event, scope));
      });
    }
  };
}
