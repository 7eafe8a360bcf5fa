import { type AccessRequestStore, isUuid, MedzenError, type Wire } from '@medzen/core';
import { callJson, eventArgs, instantArg } from '../call-json.ts';
import { list, text, verdict } from '../read-json.ts';
import { accessRequests as requests } from './recording-json.ts';

const opened = verdict({ opened: { tooLate: list(text) }, too_late: { recordingIds: list(text) }, not_found: {} });
const extended = verdict({ extended: {}, already_extended: {}, closed: {}, not_found: {} });
const closed = verdict({ closed: {}, repeated: {}, not_found: {} });

/** Requests for access, which keep what they cover while they are open. */
export function accessRequests(wire: Wire): AccessRequestStore {
  return {
    openAccessRequest: async ({ tenant }, request, event) => {
      const { target } = request;
      if ('recordingId' in target && !isUuid(target.recordingId)) return { status: 'not_found' };
      return callJson(
        wire,
        'open_access_request',
        {
          tenant,
          id: request.id,
          requested_by: request.requestedBy,
          received_at: request.receivedAt,
          due_at: request.dueAt,
          opened_by: request.openedBy,
          recording_id: 'recordingId' in target ? target.recordingId : null,
          patient: 'recordingId' in target ? null : target.patient,
          ...eventArgs(event),
        },
        opened,
      );
    },

    extendAccessRequest: async ({ tenant }, id, { at, by, reason, dueAt }, event) => {
      if (!isUuid(id)) return { status: 'not_found' };
      const args = { tenant, id, at, by, reason, due_at: dueAt, ...eventArgs(event) };
      return callJson(wire, 'extend_access_request', args, extended);
    },

    closeAccessRequest: async ({ tenant }, id, { at, by, outcome }, event) => {
      if (!isUuid(id)) return { status: 'not_found' };
      return callJson(wire, 'close_access_request', { tenant, id, at, by, outcome, ...eventArgs(event) }, closed);
    },

    accessRequests: async ({ tenant }, { id, recordingId, dueBefore, limit = 50, cursor }) => {
      if (!Number.isInteger(limit) || limit < 1 || limit > 200)
        throw new MedzenError('invalid_input', 'limit must be from 1 to 200', { pointers: ['/limit'] });
      const after = cursor === undefined ? undefined : readCursor(tenant, cursor);
      if ((id !== undefined && !isUuid(id)) || (recordingId !== undefined && !isUuid(recordingId)))
        return { requests: [] };
      const found = await callJson(
        wire,
        'list_access_requests',
        {
          tenant,
          limit: limit + 1, // one more tells whether there is another page
          id: id ?? null,
          recording_id: recordingId ?? null,
          due_before: dueBefore === undefined ? null : instantArg(dueBefore),
          after: after?.dueAt ?? null,
          after_id: after?.id ?? null,
        },
        requests,
      );
      const page = found.slice(0, limit);
      const last = page.at(-1);
      if (found.length <= limit || last === undefined) return { requests: page };
      return { requests: page, cursor: `${tenant}:${last.dueAt}/${last.id}` };
    },
  };
}

function readCursor(tenant: string, cursor: string): { readonly dueAt: string; readonly id: string } {
  const [, of, dueAt, id] = /^([^:]+):(\d{4}-[-\dT:.]+Z)\/(.+)$/.exec(cursor) ?? [];
  if (of !== tenant || dueAt === undefined || id === undefined || !isUuid(id))
    throw new MedzenError('invalid_input', 'cursor must be one of this list', { pointers: ['/cursor'] });
  return { dueAt, id };
}
