import type { FhirCoding, FhirExtension, FhirReference } from './fhir-element.ts';
import type { FhirOptions } from './fhir-options.ts';

/**
 * FHIR's way to fill an element that a profile requires and nobody knows.
 *
 * @see http://hl7.org/fhir/StructureDefinition/data-absent-reason
 */
export const absent: { readonly extension: readonly FhirExtension[] } = {
  extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }],
};

/**
 * Text as a FHIR string may hold it: no control characters (each becomes U+FFFD, so that a reader sees that something was there), no
 * white space but blanks, nothing blank.
 *
 * @returns undefined for what is blank or not there
 * @see https://hl7.org/fhir/R4/datatypes.html#string
 */
export function fhirText(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const clean = text
    .replace(/\p{Cc}/gu, '\u{fffd}')
    .replace(/\s/g, ' ')
    .trim();
  return clean === '' ? undefined : clean;
}

/** A coding, with the words of its code system. */
export function coding(system: string, code: string, display: string): FhirCoding {
  return { system, code, display };
}

/** The code system of DICOM's controlled terminology. */
export const dicom: string = 'http://dicom.nema.org/resources/ontology/DCM';

/** A reference by the host's own id. */
export function identified(type: string, id: string | undefined, { idSystem }: FhirOptions): FhirReference | undefined {
  const value = fhirText(id);
  if (value === undefined) return undefined;
  return {
    identifier: { ...(idSystem === undefined ? {} : { system: `${idSystem}/${encodeURIComponent(type)}` }), value },
  };
}
