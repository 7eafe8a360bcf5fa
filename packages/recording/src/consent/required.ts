import { MedzenError, type RecordingParticipant } from '@medzen/core';
import type { ConsentRule } from './rule.ts';
import { recordingConsentRules } from './rules.generated.ts';

/** The participants whose consent is required, and the rules that require it. */
export interface RequiredConsents {
  /** The strictest rule among the participants' places. */
  readonly rule: 'all_party' | 'one_party';
  /** Subjects whose consent is needed. */
  readonly required: readonly string[];
  /** The rules that made it so: the all-party ones if there are any, else the one-party ones. Empty when only an unknown place did. */
  readonly basis: readonly Pick<ConsentRule, 'jurisdiction' | 'citation' | 'confidence'>[];
  /** One sentence for a person. */
  readonly explanation: string;
}

/** Options of the consent rules. */
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
 * @param participants - everyone in the session, 1 or more
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
  if (participants.length === 0) throw new MedzenError('invalid_input', 'A recording needs participants');
  const known = new Map((options.rules ?? recordingConsentRules).map((rule) => [rule.jurisdiction, rule]));
  const strict = new Map<string, ConsentRule>();
  const lenient = new Map<string, ConsentRule>();
  let unknownPlaces = 0;
  for (const { location } of participants) {
    const rule = location === undefined ? undefined : known.get(location);
    if (rule === undefined) unknownPlaces += 1;
    else (rule.rule === 'one_party' ? lenient : strict).set(rule.jurisdiction, rule);
  }
  const allParty = strict.size > 0 || unknownPlaces > 0;
  const rules = allParty ? strict : lenient;
  const everyone = allParty || (options.from ?? 'everyone') === 'everyone';
  return {
    rule: allParty ? 'all_party' : 'one_party',
    required: [...new Set((everyone ? participants : patients(participants)).map(({ id }) => id))],
    basis: [...rules.values()].map(({ jurisdiction, citation, confidence }) => ({
      jurisdiction,
      citation,
      confidence,
    })),
    explanation: explain(allParty, everyone, strict.size, unknownPlaces),
  };
}

/** A session without a patient in it has nobody whose word would do for the others. */
function patients(participants: readonly RecordingParticipant[]): readonly RecordingParticipant[] {
  const found = participants.filter(({ role }) => role === 'patient');
  return found.length > 0 ? found : participants;
}

function explain(allParty: boolean, everyone: boolean, strictPlaces: number, unknownPlaces: number): string {
  if (strictPlaces > 0) return 'The law of a participant’s place asks for the consent of everyone.';
  if (unknownPlaces > 0)
    return 'A participant’s place, or its law, is unknown, which counts as the strictest: everyone.';
  if (everyone && !allParty) return 'The law of every place would do with one; this service asks everyone.';
  return 'The law of every participant’s place asks for the consent of one party: the patient.';
}
