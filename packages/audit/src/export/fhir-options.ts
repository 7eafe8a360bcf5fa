/** What the events themselves do not know. */
export interface FhirOptions {
  /** The system that recorded the events, as the base URI of its API or as a host name. `medzen`, at an unknown address, when absent. */
  readonly server?: string;
  /**
   * A URI below which the host's ids are unique. Ids then carry the systems `<idSystem>/patient`, `<idSystem>/actor`, `<idSystem>/request` and
   * `<idSystem>/<target type>`; without it they carry none.
   */
  readonly idSystem?: string;
  /**
   * The literal reference of a patient on the host's FHIR server, say `` id => `Patient/${id}` ``. Without it patients are referred to by
   * identifier, which no server refuses for want of the resource.
   */
  readonly patientReference?: (patient: string) => string;
}
