import {
  type AccessRequest,
  type AccessRequestStore,
  canonicalize,
  isBeyondRecall,
  isUuid,
  MedzenError,
} from '@medzen/core';
import { copyOf } from './copy-of.ts';
import { beyondRecallOf, entryOf, keyOf, type RecordingTables, requestsOn, view } from './table.ts';

/** Requests for access, which keep what they cover while they are open. */
export function accessRequests(tables: RecordingTables): AccessRequestStore {
  return {
    openAccessRequest: async (scope, request, event) => {
      const { target } = request;
      const tooLate = (): readonly string[] =>
        'patient' in target ? beyondRecallOf(tables, scope, target.patient) : [];
      const known = tables.accessRequests.get(keyOf(scope, request.id));
      if (known !== undefined) {
        if (canonicalize(known.target) !== canonicalize(target))
          throw new MedzenError('conflict', 'An access request with this id has another target');
        if (known.closed !== undefined) throw new MedzenError('conflict', 'An access request with this id was closed');
        return { status: 'opened', tooLate: tooLate() };
      }
      if ('recordingId' in target) {
        const entry = entryOf(tables, scope, target.recordingId);
        if (entry === undefined) return { status: 'not_found' };
        if (isBeyondRecall(view(tables, entry))) return { status: 'too_late', recordingIds: [entry.row.id] };
      }
      const stored = copyOf(request);
      tables.events.plan(scope, [event])();
      tables.accessRequests.set(keyOf(scope, request.id), stored);
      return { status: 'opened', tooLate: tooLate() };
    },

    extendAccessRequest: async (scope, id, { dueAt, ...extension }, event) => {
      const request = tables.accessRequests.get(keyOf(scope, id));
      if (request === undefined) return { status: 'not_found' };
      if (request.closed !== undefined) return { status: 'closed' };
      if (request.extension !== undefined) return { status: 'already_extended' };
      tables.events.plan(scope, [event])();
      tables.accessRequests.set(keyOf(scope, id), { ...request, dueAt, extension: copyOf(extension) });
      return { status: 'extended' };
    },

    closeAccessRequest: async (scope, id, closing, event) => {
      const request = tables.accessRequests.get(keyOf(scope, id));
      if (request === undefined) return { status: 'not_found' };
      if (request.closed !== undefined) return { status: 'repeated' };
      tables.events.plan(scope, [event])();
      tables.accessRequests.set(keyOf(scope, id), { ...request, closed: copyOf(closing) });
      return { status: 'closed' };
    },

    accessRequests: async (scope, { id, recordingId, dueBefore, limit = 50, cursor }) => {
      if (!Number.isInteger(limit) || limit < 1 || limit > 200)
        throw new MedzenError('invalid_input', 'limit must be from 1 to 200', { pointers: ['/limit'] });
      const after = cursor === undefined ? undefined : readCursor(scope.tenant, cursor);
      const entry = recordingId === undefined ? undefined : entryOf(tables, scope, recordingId);
      if (recordingId !== undefined && entry === undefined) return { requests: [] };
      const all = entry === undefined ? allOf(tables, scope.tenant) : requestsOn(tables, entry);
      const found = all
        .filter(
          (request) =>
            (id === undefined || request.id === id) &&
            (id !== undefined || recordingId !== undefined || request.closed === undefined) &&
            (dueBefore === undefined || Date.parse(request.dueAt) < dueBefore.getTime()) &&
            (after === undefined || place(request) > after),
        )
        .sort((a, b) => (place(a) < place(b) ? -1 : 1));
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        requests: copyOf(page),
        ...(found.length > limit && last !== undefined ? { cursor: `${scope.tenant}:${place(last)}` } : {}),
      };
    },
  };
}

function allOf(tables: RecordingTables, tenant: string): AccessRequest[] {
  return [...tables.accessRequests].filter(([key]) => key.startsWith(`${tenant}:`)).map(([, request]) => request);
}

function place({ dueAt, id }: AccessRequest): string {
  return `${dueAt}/${id}`;
}

function readCursor(tenant: string, cursor: string): string {
  const [, of, dueAt = '', id = ''] = /^([^:]+):(\d{4}-[-\dT:.]+Z)\/(.+)$/.exec(cursor) ?? [];
  if (of !== tenant || !isUuid(id))
    throw new MedzenError('invalid_input', 'cursor must be one of this list', { pointers: ['/cursor'] });
  return `${dueAt}/${id}`;
}
