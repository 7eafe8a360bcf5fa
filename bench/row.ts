/**
 * One figure of the bench, measured beside its peers and its physical limit in one run. Only the ratios mean anything: machines are noisy.
 */
export interface BenchRow {
  readonly id: string;
  /** What a figure counts: `URLs per CPU-second`, … */
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  /** Median. */
  readonly ours: number;
  /** Medians, by the peer's name. Empty where there is no peer. */
  readonly peers: Readonly<Record<string, number>>;
  /** Median of the physical limit: the least work that any implementation must do. */
  readonly limit?: number;
  /** (max − min) ÷ median of ours, over the rounds. */
  readonly spread: number;
}

/** A bench: run alone by id with `npm run bench -- --only id`. */
export interface Bench {
  readonly id: string;
  run(): Promise<BenchRow>;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** (max − min) ÷ median: how much the rounds differ. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/** The contestants of one round: each answers with its figure. */
export type Contestants = Readonly<Record<string, () => number | Promise<number>>>;

/**
 * Runs all contestants in turn, A B C A B C …, so that a drift of the machine hits each alike, after one round that is not counted.
 *
 * @param rounds - counted rounds, odd
 * @returns every counted figure by contestant
 */
export async function interleave(
  contestants: Contestants,
  rounds: number,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const figures: Record<string, number[]> = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(contestants)) {
      const figure = await run();
      if (round >= 0) figures[name]?.push(figure);
    }
  }
  return figures;
}
