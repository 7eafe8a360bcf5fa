import type { AuditEvent } from '@medzen/core';

/** What hosts call the actions that their flat access log knows. */
export type AccessLogAction =
  | 'START_RECORDING'
  | 'STOP_RECORDING'
  | 'VIEW_RECORDING'
  | 'DOWNLOAD_RECORDING'
  | 'DELETE_RECORDING'
  | 'AUTO_ARCHIVE'
  | 'UPLOAD_COMPLETED';

/** The flat line of an access log. */
export interface AccessLogLine {
  /** RFC 3339. */
  readonly timestamp: string;
  readonly userId: string;
  readonly action: AccessLogAction;
  readonly recordingId: string;
  readonly ipAddress?: string;
  readonly userAgent?: string;
  readonly metadata?: {
    /** Seconds. */
    readonly duration?: number;
    /** Bytes. */
    readonly size?: number;
  };
}

const actions: Readonly<Record<string, AccessLogAction>> = {
  'recording.start': 'START_RECORDING',
  'recording.stop': 'STOP_RECORDING',
  'recording.view': 'VIEW_RECORDING',
  'recording.download': 'DOWNLOAD_RECORDING',
  'recording.delete': 'DELETE_RECORDING',
  'recording.archive': 'AUTO_ARCHIVE',
  'recording.upload_completed': 'UPLOAD_COMPLETED',
};

/**
 * Writes an event as the flat line that hosts keep of recordings. The line has no room for an outcome, so only what succeeded has one: a
 * refused view must not read like a view.
 *
 * @param event - as read from the log; `metadata.duration` comes from its detail's `durationSeconds`, `metadata.size` from its `bytes`
 * @returns undefined for every event that such a log does not know
 * @example
 * ```ts
 * import { toAccessLogLine } from '@medzen/audit';
 * import type { AuditEvent } from '@medzen/core';
 * const views = (events: readonly AuditEvent[]): number =>
 *   events.filter((event) => toAccessLogLine(event)?.action === 'VIEW_RECORDING').length;
 * ```
 */
export function toAccessLogLine(event: AuditEvent): AccessLogLine | undefined {
  const { at, actor, target, source, detail = {} } = event;
  const action = Object.hasOwn(actions, event.action) ? actions[event.action] : undefined;
  if (action === undefined || event.outcome !== 'success' || target?.id === undefined) return undefined;
  const { durationSeconds: duration, bytes: size } = detail;
  const metadata = {
    ...(typeof duration === 'number' ? { duration } : {}),
    ...(typeof size === 'number' ? { size } : {}),
  };
  return {
    timestamp: at,
    userId: actor.id,
    action,
    recordingId: target.id,
    ...(source.ip === undefined ? {} : { ipAddress: source.ip }),
    ...(source.userAgent === undefined ? {} : { userAgent: source.userAgent }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}
