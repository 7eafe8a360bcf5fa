/** Law of one place about recording the sound and picture of a conversation by wire. */
export interface ConsentRule {
  /** ISO 3166-2: `US-GA`. */
  readonly jurisdiction: string;
  /** The rule to follow. `mixed_treat_as_all_party`: the texts differ by mode or contradict each other; followed as all-party. */
  readonly rule: 'all_party' | 'one_party' | 'mixed_treat_as_all_party';
  readonly citation: string;
  /** `primary-seen`: the operative words were read. `secondary-seen`: a quotation or a compilation was. */
  readonly confidence: 'primary-seen' | 'secondary-seen';
  readonly source: string;
  /** Requirement that the law seems to state for persons in the same place. Explains, and never relaxes `rule`. */
  readonly inPerson?: ConsentRule['rule'];
  /** Requirement that the law seems to state for a call. Explains, and never relaxes `rule`. */
  readonly electronic?: ConsentRule['rule'];
  /** The legislature's own page, where the text can be checked. */
  readonly official?: string;
  readonly note?: string;
}
