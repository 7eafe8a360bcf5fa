import { type AuditEvent, MedzenError } from '@medzen/core';
import { toAccessLogLine } from './access-log-line.ts';
import { csvHeader, csvLine, csvRecord } from './csv.ts';
import type { ExportSummary } from './export-summary.ts';
import type { FhirOptions } from './fhir-options.ts';
import { toR4 } from './fhir-r4.ts';
import { toR5 } from './fhir-r5.ts';
import { ndjsonLine } from './ndjson.ts';
import { toOcsf } from './ocsf.ts';

/** The formats of an export. All but `csv` are one JSON text a line. */
export type ExportFormat = 'ndjson' | 'csv' | 'fhir-r4' | 'fhir-r5' | 'ocsf' | 'access-log';

/** How a format is written. */
export interface ExportWriter {
  readonly contentType: string;
  readonly extension: string;
  readonly head: string;
  /** Undefined for an event that the format has no line for. */
  line(event: AuditEvent, options: FhirOptions): string | undefined;
  /** Tells a whole file from one that broke off; absent where the format is another's and has no room for it. */
  readonly trailer?: (summary: ExportSummary) => string;
}

const json = (value: unknown): string => `${JSON.stringify(value)}\n`;
const lines = { contentType: 'application/x-ndjson', extension: 'ndjson', head: '' };
const fhir = { ...lines, contentType: 'application/fhir+ndjson' };

const writers: Readonly<Record<ExportFormat, ExportWriter>> = {
  ndjson: { ...lines, line: ndjsonLine, trailer: ({ events, damaged }) => json({ complete: true, damaged, events }) },
  csv: {
    contentType: 'text/csv; charset=utf-8; header=present',
    extension: 'csv',
    head: csvHeader,
    line: csvLine,
    trailer: ({ events, damaged }) =>
      csvRecord(['#complete', `events ${events}`, `damaged ${damaged.join(' ') || 'none'}`]),
  },
  'fhir-r4': { ...fhir, line: (event, options) => json(toR4(event, options)) },
  'fhir-r5': { ...fhir, line: (event, options) => json(toR5(event, options)) },
  ocsf: { ...lines, line: (event) => json(toOcsf(event)) },
  'access-log': {
    ...lines,
    line: (event) => {
      const line = toAccessLogLine(event);
      return line === undefined ? undefined : json(line);
    },
  },
};

/**
 * How to write a format.
 *
 * @throws MedzenError `invalid_input` for a format that there is none of, as a caller of HTTP may name it
 */
export function exportWriterOf(format: ExportFormat): ExportWriter {
  if (!Object.hasOwn(writers, format)) throw new MedzenError('invalid_input', 'There is no such export format');
  return writers[format];
}
