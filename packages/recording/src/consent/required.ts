import type { RecordingParticipant } from '@medzen/core';
import type { ConsentRule } from './rule.ts';

/** Whose consent a recording needs, and by which law. */
export interface RequiredConsents {
  /** The strictest rule among the participants' places. */
  readonly rule: 'all_party' | 'one_party';
  /** Subjects whose consent is needed. */
  readonly required: readonly string[];
  /** The rules that made it so: the all-party ones if there are any, else the one-party ones. */
  readonly basis: readonly {
    readonly jurisdiction: string;
    readonly citation: string;
    readonly confidence: ConsentRule['confidence'];
  }[];
  /** One sentence for a person. */
  readonly explanation: string;
}

/** How to read the law. */
export interface RequiredConsentsOptions {
  /** `everyone` (default) asks each participant whatever the law allows; `law` asks the patient alone where every place is one-party. */
  readonly from?: 'everyone' | 'law';
  /** `recordingConsentRules` when absent. */
  readonly rules?: readonly ConsentRule[];
}

/**
 * Whose consent is needed before sound and picture of these people are recorded: the strictest rule among all their places decides, and
 * an unknown place counts as all-party.
 *
 * @throws MedzenError `invalid_input` without participants
 * @example
 * ```ts
 * import { requiredConsents } from '@medzen/recording';
 * const { rule } = requiredConsents([
 *   { id: 'p1', role: 'patient', location: 'US-GA' },
 *   { id: 'd1', role: 'provider', location: 'US-TX' },
 * ]);
 * rule; // 'all_party': a picture taken in a private place needs everyone observed (O.C.G.A. § 16-11-62(2))
 * ```
 */
export function requiredConsents(
  participants: readonly RecordingParticipant[],
  options: RequiredConsentsOptions = {},
): RequiredConsents {
  throw new Error(`to come ${participants.length} ${options.from}`);
}
