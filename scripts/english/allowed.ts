import type { Finding } from './rules.ts';

/** How often a rule may still be broken in a file: what stood when the check came. It may only shrink. */
export type Allowed = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What a comparison with the allowed counts came to. */
export interface Comparison {
  /** Every finding of a file and rule that has more than are allowed. */
  readonly excess: readonly Finding[];
  /** Files and rules that have fewer than are allowed: the count must be lowered. */
  readonly stale: readonly string[];
  /** The counts to write: never more than were allowed. */
  readonly lowered: Allowed;
}

/** Counts findings by file and rule. */
export function countFindings(findings: readonly Finding[]): Allowed {
  const counts: Record<string, Record<string, number>> = {};
  for (const { file, rule } of findings) {
    const rules = counts[file] ?? {};
    rules[rule] = (rules[rule] ?? 0) + 1;
    counts[file] = rules;
  }
  return sorted(counts);
}

/** Compares what was found with what is allowed. */
export function compareFindings(findings: readonly Finding[], allowed: Allowed): Comparison {
  const found = countFindings(findings);
  const excess = findings.filter(({ file, rule }) => (found[file]?.[rule] ?? 0) > (allowed[file]?.[rule] ?? 0));
  const stale: string[] = [];
  const lowered: Record<string, Record<string, number>> = {};
  for (const [file, rules] of Object.entries(allowed))
    for (const [rule, most] of Object.entries(rules)) {
      const now = found[file]?.[rule] ?? 0;
      if (now < most) stale.push(`${file} ${rule}: ${most} allowed, ${now} found`);
      if (now > 0) lowered[file] = { ...lowered[file], [rule]: Math.min(now, most) };
    }
  return { excess, stale, lowered: sorted(lowered) };
}

function sorted(counts: Allowed): Allowed {
  return Object.fromEntries(
    Object.keys(counts)
      .sort()
      .map((file) => [file, Object.fromEntries(Object.entries(counts[file] ?? {}).sort())]),
  );
}
