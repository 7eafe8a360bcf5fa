import type { AuditQuery, CallContext } from '@medzen/core';
import type { AuditLog } from '../audit-log.ts';
import { type ExportOptions, exportEvents } from './export-events.ts';
import { type ExportFormat, exportWriterOf } from './export-format.ts';

/**
 * Exports what a search finds, newest first, as a download. The export is an event itself, `audit.export`, durable before anything of the log is
 * read: no event, no export. It says the format and by what was searched, never for what. Whether the caller may export is the host's to decide.
 *
 * @param log - the audit log
 * @param ctx - of the caller; a purpose left out is `HOPERAT`
 * @param query - as for `search`; its `limit` is the size of a page, 200 when absent: larger ones only need more memory
 * @returns 200 with the stream as its body, see `exportEvents`
 * @throws MedzenError as `audited`; what fails later fails in the body
 * @example
 * ```ts
 * import { exportLog, type AuditLog } from '@medzen/audit';
 * import type { CallContext } from '@medzen/core';
 * function download(audit: AuditLog, ctx: CallContext, request: Request): Promise<Response> {
 *   return exportLog(audit, ctx, { from: new Date('2026-01-01') }, 'csv', { signal: request.signal });
 * }
 * ```
 */
export function exportLog(
  log: AuditLog,
  ctx: CallContext,
  query: AuditQuery,
  format: ExportFormat,
  options: ExportOptions = {},
): Promise<Response> {
  const { limit = 200, ...filters } = query;
  const facts = {
    action: 'audit.export',
    kind: 'read',
    purpose: ctx.purpose ?? 'HOPERAT',
    ...(query.patient === undefined ? {} : { patient: query.patient }),
    detail: { format, filters: Object.keys(filters).sort() },
  } as const;
  return log.audited(facts, ctx, () => {
    const { contentType, extension } = exportWriterOf(format);
    return new Response(exportEvents(log.pages(ctx.scope, { ...filters, limit }), format, options), {
      headers: {
        'content-type': contentType,
        'content-disposition': `attachment; filename="audit.${extension}"`,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      },
    });
  });
}
