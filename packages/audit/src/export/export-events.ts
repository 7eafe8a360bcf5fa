import type { AuditEvent } from '@medzen/core';
import type { EventPage } from '../event-page.ts';
import { type ExportFormat, type ExportWriter, exportWriterOf } from './export-format.ts';
import type { ExportSummary } from './export-summary.ts';
import type { FhirOptions } from './fhir-options.ts';

/** Where an export comes from: the pages of a search, or events from anywhere. */
export type ExportSource = AsyncIterable<EventPage | AuditEvent> | Iterable<EventPage | AuditEvent>;

/** How to export. */
export interface ExportOptions extends FhirOptions {
  /** Ends the export with an error, at once. */
  readonly signal?: AbortSignal;
  /** Whether `ndjson` and `csv` end with a line that says so; true when absent. */
  readonly trailer?: boolean;
  /** Told when all has been read, before the last bytes leave; when it throws, so does the export. */
  readonly onEnd?: (summary: ExportSummary) => void | Promise<void>;
}

/**
 * Exports any number of events in flat memory: nothing is read before the first byte is asked for, and no page before the one before it has
 * been taken. When a page cannot be read the stream ends with that error, never as if it were whole; over HTTP the connection then breaks off.
 *
 * A file tells by itself whether it is whole. The last line of `ndjson` is `{"complete":true,"damaged":[…],"events":n}`, the last record of
 * `csv` begins with `#complete`; without it, the file broke off. The other formats have no room for such a line: there only the stream tells, or
 * `onEnd`. Rows that cannot be opened are left out and named in the trailer and in the summary.
 *
 * An export is itself an event: use `exportLog`, or hand the stream out through `audited`.
 *
 * @param source - `audit.pages(scope, query)`, or events
 * @returns bytes of UTF-8
 * @throws MedzenError `invalid_input` for an unknown format
 * @throws through the stream: whatever the source throws; the signal's reason; what `onEnd` throws
 * @example
 * ```ts
 * import { exportEvents, type AuditLog } from '@medzen/audit';
 * async function toFile(audit: AuditLog, file: WritableStream<Uint8Array>): Promise<void> {
 *   const pages = audit.pages({ tenant: 'default' }, { from: new Date('2026-01-01'), limit: 1000 });
 *   await exportEvents(pages, 'ndjson').pipeTo(file);
 * }
 * ```
 */
export function exportEvents(
  source: ExportSource,
  format: ExportFormat,
  options: ExportOptions = {},
): ReadableStream<Uint8Array> {
  const chunks = encode(source, exportWriterOf(format), options);
  const { signal } = options;
  let abort = (): void => {};
  const settle = (): void => signal?.removeEventListener('abort', abort);
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        abort = () => {
          controller.error(signal?.reason);
          // The stream has ended; an error of the source in closing changes nothing.
          chunks.return(undefined).catch(() => {});
        };
        if (signal?.aborted) abort();
        else signal?.addEventListener('abort', abort, { once: true });
      },
      pull: async (controller) => {
        try {
          const { done, value } = await chunks.next();
          if (signal?.aborted) return;
          if (!done) return controller.enqueue(value);
          settle();
          controller.close();
        } catch (error) {
          settle();
          throw error;
        }
      },
      cancel: async () => {
        settle();
        await chunks.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Chunks are of about this many characters: large enough to be worth sending, small enough to be nothing. */
const chunkSize = 65_536;
const maxDamaged = 1000;

async function* encode(
  source: ExportSource,
  writer: ExportWriter,
  options: ExportOptions,
): AsyncGenerator<Uint8Array, undefined> {
  const encoder = new TextEncoder();
  const damaged: string[] = [];
  let [events, lines, text] = [0, 0, writer.head];
  for await (const item of source) {
    const page = 'v' in item ? { events: [item], damaged: [] } : item;
    for (const event of page.events) {
      events++;
      try {
        const line = writer.line(event, options);
        if (line === undefined) continue;
        text += line;
        lines++;
      } catch {
        if (damaged.length < maxDamaged) damaged.push(event.id); // altered so that it is JSON still, but no event: it must not hide the others
      }
      if (text.length < chunkSize) continue;
      yield encoder.encode(text);
      text = '';
    }
    damaged.push(...page.damaged.slice(0, maxDamaged - damaged.length));
  }
  await options.onEnd?.({ events, lines, damaged });
  if (options.trailer !== false) text += writer.trailer?.({ events, lines, damaged }) ?? '';
  if (text !== '') yield encoder.encode(text);
  return undefined;
}
