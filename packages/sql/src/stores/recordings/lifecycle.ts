import { isUuid, MedzenError, type RecordingStore, type Scope, type Wire } from '@medzen/core';
import { callJson, eventArgs, jsonArg } from '../call-json.ts';
import { list, maybe, text, verdict } from '../read-json.ts';
import { recording, recordings } from './recording-json.ts';

type Lifecycle = Pick<RecordingStore, 'start' | 'get' | 'findByProviderRef' | 'list' | 'change' | 'noteAccess'>;

const started = verdict({
  started: { recording },
  already_recording: { recording },
  consent_required: { missing: list(text) },
});
const changed = verdict({
  changed: { recording },
  repeated: { recording },
  conflict: { recording },
  invalid_transition: { recording },
  lease_lost: { recording },
  not_found: {},
});
const noted = verdict({ noted: { recording }, not_available: { recording }, not_found: {} });

/** From the first row to the last access. */
export function lifecycle(wire: Wire): Lifecycle {
  return {
    start: ({ tenant }, row, consentOf, event) =>
      callJson(
        wire,
        'start_recording',
        {
          tenant,
          id: row.id,
          session_id: row.sessionId,
          patient: row.patient,
          participants: jsonArg(row.participants),
          provider: row.provider,
          provider_ref: row.providerRef,
          started_at: row.startedAt,
          object_prefix: row.objectPrefix,
          jurisdiction: row.retentionClass.jurisdiction,
          provider_class: row.retentionClass.providerClass,
          zone: row.retentionClass.zone,
          consent_of: consentOf,
          keep_until: row.keepUntil?.until ?? null,
          keep_reason: row.keepUntil?.reason ?? null,
          storage: jsonArg(row.storage),
          provider_account: row.providerAccount ?? null,
          ...eventArgs(event),
        },
        started,
      ),

    get: async ({ tenant }, id) =>
      isUuid(id) ? callJson(wire, 'get_recording', { tenant, id }, maybe(recording)) : undefined,

    findByProviderRef: ({ tenant }, provider, providerRef) =>
      callJson(wire, 'find_recording', { tenant, provider, provider_ref: providerRef }, maybe(recording)),

    list: async (scope, query) => {
      const limit = query.limit ?? 50;
      if (!Number.isInteger(limit) || limit < 1 || limit > 200)
        throw new MedzenError('invalid_input', 'limit must be 1 to 200', { pointers: ['/limit'] });
      const before = query.cursor === undefined ? undefined : readCursor(scope, query.cursor);
      const found = await callJson(
        wire,
        'list_recordings',
        {
          tenant: scope.tenant,
          limit: limit + 1, // one more tells whether there is another page
          session_id: query.sessionId ?? null,
          patient: query.patient ?? null,
          state: query.state ?? null,
          participant: query.participant ?? null,
          failure_code: query.failureCode ?? null,
          before: before?.startedAt ?? null,
          before_id: before?.id ?? null,
        },
        recordings,
      );
      const page = found.slice(0, limit);
      const last = page.at(-1);
      if (found.length <= limit || last === undefined) return { recordings: page };
      return { recordings: page, cursor: `${scope.tenant}:${last.startedAt}/${last.id}` };
    },

    change: async ({ tenant }, id, change, event) => {
      if (!isUuid(id)) return { status: 'not_found' };
      return callJson(
        wire,
        'change_recording',
        {
          tenant,
          id,
          expected_revision: change.expectedRevision,
          at: change.at,
          to: change.to ?? null,
          captured_at: change.capturedAt ?? null,
          ended_at: change.endedAt ?? null,
          duration_seconds: change.durationSeconds ?? null,
          media: jsonArg(change.media),
          object: jsonArg(change.object),
          failure: jsonArg(change.failure ?? undefined),
          clear_failure: change.failure === null,
          token: change.token ?? null,
          dedupe_key: change.dedupeKey ?? null,
          storage: jsonArg(change.storage),
          lock: jsonArg(change.lock),
          deletion: jsonArg(change.deletion),
          ...eventArgs(event),
        },
        changed,
      );
    },

    noteAccess: async ({ tenant }, id, kind, event) => {
      if (!isUuid(id)) return { status: 'not_found' };
      return callJson(wire.root, 'note_access', { tenant, id, kind, ...eventArgs(event) }, noted);
    },
  };
}

function readCursor(scope: Scope, cursor: string): { readonly startedAt: string; readonly id: string } {
  const [, tenant, startedAt, id] = /^([^:]+):(\d{4}-[-\dT:.]+Z)\/(.+)$/.exec(cursor) ?? [];
  if (tenant !== scope.tenant || startedAt === undefined || id === undefined || !isUuid(id))
    throw new MedzenError('invalid_input', 'cursor must come from an earlier page of this list', {
      pointers: ['/cursor'],
    });
  return { startedAt, id };
}
