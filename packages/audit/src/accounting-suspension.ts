/**
 * What a health oversight agency or a law enforcement official has said, for which a covered entity must temporarily leave disclosures to
 * them out of an accounting.
 *
 * @see 45 CFR 164.528(a)(2)
 */
export type AccountingSuspension = {
  /** As in `disclosure.recipient.name`; letter case and spaces do not matter. */
  readonly recipient: string;
  /** When the statement was made. */
  readonly from: Date;
} & (
  | {
      /** 164.528(a)(2)(i): says that an accounting would be reasonably likely to impede their activities, and for how long. */
      readonly statement: 'written';
      /** Exclusive: the end of the time that the statement specifies. */
      readonly to: Date;
    }
  | {
      /** 164.528(a)(2)(ii): to be documented, with who made it. Lasts 30 days at most, unless a written one follows. */
      readonly statement: 'oral';
      readonly to?: Date;
    }
);
