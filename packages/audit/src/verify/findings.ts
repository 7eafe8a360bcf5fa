import type { LogFinding } from '../log-finding.ts';

/** Collects findings in the order of discovery, and counts those that are not listed. */
export interface Findings {
  report(finding: LogFinding): void;
  /** Keeps a place in the order for what is known only later. */
  reserve(): number;
  /** Puts findings, or none, into a place that was kept. */
  fill(slot: number, findings: readonly LogFinding[]): void;
  all(): { readonly findings: readonly LogFinding[]; readonly total: number };
}

/** @param most - findings to list; the rest is counted */
export function createFindings(most: number): Findings {
  const places: (readonly LogFinding[])[] = [];
  let total = 0;
  let listed = 0;
  return {
    report: (finding) => {
      total++;
      if (listed++ < most) places.push([finding]);
    },
    reserve: () => places.push([]) - 1,
    fill: (slot, findings) => {
      places[slot] = findings.slice(0, most);
      total += findings.length;
    },
    all: () => ({ findings: places.flat().slice(0, most), total }),
  };
}
