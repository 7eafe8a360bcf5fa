import { MedzenError, type RetentionFact } from '@medzen/core';

/** A fact that was a mistake, and the fact that took it back. */
export interface VoidedFact {
  readonly fact: RetentionFact;
  /** The id of the standing fact that voids it. */
  readonly by: string;
}

/** The facts of one patient, told apart. */
export interface SortedFacts {
  /** Those that count. A pure `void` is not among them: it says nothing but what it takes back. */
  readonly standing: readonly RetentionFact[];
  readonly voided: readonly VoidedFact[];
}

/**
 * Tells facts that stand from those that were taken back. A fact is void while a fact that voids it stands: when the correction is itself
 * voided, the first one stands again.
 *
 * @throws MedzenError `invalid_input` when facts void one another in a ring, which no store lets in
 */
export function sortFacts(facts: readonly RetentionFact[]): SortedFacts {
  const voiders = new Map<string, RetentionFact[]>();
  for (const fact of facts) {
    if (fact.voids === undefined) continue;
    const others = voiders.get(fact.voids) ?? [];
    others.push(fact);
    voiders.set(fact.voids, others);
  }
  const known = new Map<string, RetentionFact | 'stands' | 'asking'>();
  const voidedBy = (fact: RetentionFact): RetentionFact | undefined => {
    const before = known.get(fact.id);
    if (before === 'asking') throw new MedzenError('invalid_input', 'voids must not lead back to the fact itself');
    if (before !== undefined) return before === 'stands' ? undefined : before;
    known.set(fact.id, 'asking');
    const by = (voiders.get(fact.id) ?? []).find((one) => voidedBy(one) === undefined);
    known.set(fact.id, by ?? 'stands');
    return by;
  };
  const standing: RetentionFact[] = [];
  const voided: VoidedFact[] = [];
  for (const fact of facts) {
    const by = voidedBy(fact);
    if (by !== undefined) voided.push({ fact, by: by.id });
    else if (fact.type !== 'void') standing.push(fact);
  }
  return { standing, voided };
}
