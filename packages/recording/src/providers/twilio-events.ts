import { decodeForm } from '@medzen/core/webhooks';
import type { ProviderEvent, VerifiedWebhook } from '../provider.ts';

/** An id of Twilio's, safe to stand in a path. Twilio's are two letters and 32 hexadecimal digits; nothing here relies on that. */
const sidPattern: RegExp = /^[A-Za-z0-9]{2,64}$/;

/** Checks whether a string has the form of a Twilio SID. */
export function isSid(value: unknown): value is string {
  return typeof value === 'string' && sidPattern.test(value);
}

const malformed: VerifiedWebhook = { ok: false, reason: 'body_malformed' };

/**
 * Reads one status callback of Twilio Video, whose signature has been checked. Callbacks about participants and tracks, and kinds that
 * Twilio may add, are no events of a recording. `SequenceNumber` is not read: it is not an order across rooms, tracks and compositions.
 * Nor is `MediaUri`: it is relative, and its path follows from the composition's id.
 *
 * @param body - raw, a form
 * @param contentType - of the compositions that we ask for
 * @see https://www.twilio.com/docs/video/api/status-callbacks
 */
export function readTwilioCallback(body: Uint8Array, accountSid: string, contentType: string): VerifiedWebhook {
  const form = decodeForm(body);
  if (form === undefined) return malformed;
  const kind = form.get('StatusCallbackEvent') ?? '';
  const type = types[kind];
  if (type === undefined) return kind === '' ? malformed : { ok: true, events: [] };
  const providerRef = form.get('RoomSid') ?? '';
  const at = new Date(form.get('Timestamp') ?? '');
  if (form.get('AccountSid') !== accountSid || !isSid(providerRef) || Number.isNaN(at.getTime())) return malformed;
  const part = subject(kind, form);
  if (part === undefined) return malformed;
  const event: ProviderEvent = {
    provider: 'twilio',
    providerRef,
    type,
    key: `twilio:${kind}:${providerRef}:${part}`,
    at: at.toISOString(),
  };
  if (type === 'capture_failed' || type === 'media_failed')
    return { ok: true, events: [{ ...event, failureCode: failureCode(kind, form) }] };
  if (type !== 'media_available') return { ok: true, events: [event] };
  const size = whole(form.get('Size'));
  const duration = whole(form.get('Duration'));
  if (size === 'malformed' || duration === 'malformed') return malformed;
  const media = { ref: part, contentType, ...(size === undefined ? {} : { size }) };
  return { ok: true, events: [{ ...event, media, ...(duration === undefined ? {} : { durationSeconds: duration }) }] };
}

const types: Readonly<Record<string, ProviderEvent['type']>> = Object.assign(Object.create(null), {
  'recording-started': 'capture_started',
  'recording-completed': 'capture_completed',
  'recording-failed': 'capture_failed',
  'room-ended': 'session_ended',
  'composition-enqueued': 'processing',
  'composition-started': 'processing',
  'composition-progress': 'processing',
  'composition-available': 'media_available',
  'composition-failed': 'media_failed',
  'composition-hook-failed': 'media_failed',
});

/** What distinguishes two callbacks of the same kind in the same room. */
function subject(kind: string, form: URLSearchParams): string | undefined {
  if (kind === 'room-ended') return 'room';
  const sid = form.get(
    kind.startsWith('recording-') ? 'RecordingSid' : kind === 'composition-hook-failed' ? 'HookSid' : 'CompositionSid',
  );
  if (sid === null) return kind === 'composition-hook-failed' ? 'hook' : undefined;
  if (!isSid(sid)) return undefined;
  if (kind !== 'composition-progress') return sid;
  const done = form.get('PercentageDone') ?? '';
  return /^\d{1,3}$/.test(done) ? `${sid}:${done}` : sid;
}

/** `FailedOperation` names a step of Twilio's; `ErrorMessage` is prose and stays out of our rows. */
function failureCode(kind: string, form: URLSearchParams): string {
  const step = form.get('FailedOperation') ?? '';
  return /^[A-Za-z0-9_.-]{1,64}$/.test(step) ? `${kind}:${step}` : kind;
}

function whole(text: string | null): number | undefined | 'malformed' {
  if (text === null || text === '') return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : 'malformed';
}
