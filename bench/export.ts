import { execFileSync } from 'node:child_process';
import type { Peak } from './export-child.ts';
import { type Bench, median, spread } from './row.ts';

const count = 1_000_000;
const rounds = 3;

/**
 * V8 lets short-lived objects pile up to a share of the machine's memory before it collects any, whatever a program does: two halves of 64 MB where
 * there is much. In a container of 2 GB they are of 16 MB at most (https://nodejs.org/api/cli.html, --max-semi-space-size); so here, or the row would
 * measure the machine.
 */
const nursery = '--max-semi-space-size=16';

/** Runs the export in a process of its own. */
function peakOf(events: number): Peak {
  const child = JSON.stringify(new URL('export-child.ts', import.meta.url).href);
  const script = `import { exportMany } from ${child}; console.log(JSON.stringify(await exportMany(${events})));`;
  const answer: unknown = JSON.parse(
    execFileSync(process.execPath, [nursery, '--input-type=module', '-e', script], { encoding: 'utf8' }),
  );
  return answer as Peak; // what the script prints
}

/** The memory that an export of a million events needs: how many there are must not matter. */
export const bench: Bench = {
  id: 'export',
  run: async () => {
    const peaks = Array.from({ length: rounds }, () => peakOf(count));
    for (const { half, peak } of peaks)
      if (peak > half * 1.1)
        throw new Error(
          `An export's memory grew from ${Math.round(half)} to ${Math.round(peak)} MB in its second half`,
        );
    const ours = peaks.map(({ peak }) => peak);
    return {
      id: 'export',
      unit: 'MB of peak memory for 1 M events',
      better: 'lower',
      ours: median(ours),
      peers: {},
      limit: median(Array.from({ length: rounds }, () => peakOf(0).peak)), // the process, its code loaded, with nothing to export
      spread: spread(ours),
    };
  },
};
