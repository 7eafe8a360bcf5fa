import type { AuditEvent } from '@medzen/core';

/** What an event is in the words of FHIR's RESTful interactions; `operation` is everything else. */
export type Interaction = 'create' | 'read' | 'update' | 'delete' | 'search' | 'operation';

const queries: ReadonlySet<string> = new Set(['search', 'list', 'query', 'find', 'report', 'summary', 'export']);

/**
 * Tells a look at one thing from a search for many. An event of kind `read` or `execute` is a search when
 * - the last word of its action says so: `search`, `list`, `query`, `find`, `report`, `summary`, `export` (`audit.search`, `recording.list`); or
 * - it is a read of a target without an id (rows of a table), or of a whole `model` or `table`.
 *
 * All else goes by its kind; `execute` that is no search is an `operation`.
 */
export function interactionOf({ kind, action, target }: AuditEvent): Interaction {
  if (kind === 'read' || kind === 'execute') {
    if (queries.has(action.slice(action.lastIndexOf('.') + 1))) return 'search';
    if (kind === 'execute') return 'operation';
    if (target !== undefined && (target.id === undefined || target.type === 'model' || target.type === 'table'))
      return 'search';
  }
  return kind;
}
