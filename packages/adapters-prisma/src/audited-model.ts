/** A model of the host that holds PHI. */
export interface AuditedModel {
  /** The field with the patient's id (`String`, `Int` or `BigInt`), or the way to it over to-one relations: `appointment.patientId`. */
  readonly patient: string;
  /** The fields whose reading is recorded. */
  readonly phi: readonly string[];
}
