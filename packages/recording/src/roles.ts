/**
 * Which of the host's roles may do what. Names are the host's own; a role that is listed nowhere may only see the recordings in
 * which its bearer takes part.
 */
export interface RecordingRoles {
  /** Start and stop a recording of a session in which they take part. */
  readonly record: readonly string[];
  /** See, play and download every recording of the tenant, and start or stop any. */
  readonly seeAll: readonly string[];
  /** Write down what another participant said (a spoken or paper consent). */
  readonly consentForOthers: readonly string[];
  /** Note what retention counts from: a treatment, a birth date, a claim. */
  readonly noteFacts: readonly string[];
  /** Take back a fact that was a mistake, with a reason. It can end a duty to keep, so not everyone who notes facts may. */
  readonly correctFacts: readonly string[];
  /** Have a recording kept longer than the rules ask. */
  readonly keepLonger: readonly string[];
  /** Place, release and list legal holds. */
  readonly hold: readonly string[];
  /** Open, extend, close and list access requests. A patient may open one for a recording in which they take part. */
  readonly accessRequests: readonly string[];
  /** Ask for a deletion. Retention and holds still decide. */
  readonly delete: readonly string[];
  /** Send a failed transfer round again. */
  readonly retry: readonly string[];
}

/** Used where `createRecordings` is given no roles, or not all of them. */
export const defaultRoles: RecordingRoles = {
  record: ['provider', 'system_admin'],
  seeAll: ['system_admin', 'compliance_officer'],
  consentForOthers: ['provider', 'system_admin'],
  noteFacts: ['provider', 'system_admin'],
  correctFacts: ['system_admin', 'compliance_officer'],
  keepLonger: ['system_admin', 'compliance_officer'],
  hold: ['system_admin', 'compliance_officer'],
  accessRequests: ['provider', 'system_admin', 'compliance_officer'],
  delete: ['system_admin', 'compliance_officer'],
  retry: ['provider', 'system_admin'],
};
