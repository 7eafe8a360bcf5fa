/** A FHIR Coding. */
export interface FhirCoding {
  readonly system: string;
  readonly code: string;
  readonly display?: string;
}

/** A FHIR CodeableConcept: a coding, or words where there is none. */
export interface FhirConcept {
  readonly coding?: readonly FhirCoding[];
  readonly text?: string;
}

/** A FHIR Extension of the one kind used here. */
export interface FhirExtension {
  readonly url: string;
  readonly valueCode: string;
}

/** A FHIR Reference. The host's ids are no FHIR ids, so most are references by identifier. */
export interface FhirReference {
  readonly reference?: string;
  readonly type?: string;
  readonly identifier?: { readonly system?: string; readonly value: string };
  readonly display?: string;
  readonly extension?: readonly FhirExtension[];
}
