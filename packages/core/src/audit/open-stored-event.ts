import type { AuditEvent } from './audit-event.ts';
import { openEvent } from './seal-event.ts';

/**
 * Opens the bytes that stand where an event should be. The one opener for everything that is read back: a database may hold anything, and what
 * follows relies on the members that this checks.
 *
 * Whole is an event of `v` 1 whose `id`, `tenant`, `action` and `outcome` are texts, whose `at` is an instant, whose `actor` has an id, and whose
 * other members, where present, have the kind of value that {@link AuditEvent} says. A missing `source` is read as `{}`: SQL of a host may
 * leave it out. The members of `disclosure` and `detail` are not checked.
 *
 * @param body - bytes of whatever origin
 * @param id - the id that the event must have; not compared when absent
 * @returns undefined for bytes that are no whole event, or another event's
 * @throws never
 * @example
 * ```ts
 * import { openStoredEvent } from '@medzen/core';
 * openStoredEvent(new TextEncoder().encode('{"v":1}')); // undefined
 * ```
 */
export function openStoredEvent(body: Uint8Array, id?: string): AuditEvent | undefined {
  let event: AuditEvent;
  try {
    event = openEvent(body);
  } catch {
    return undefined; // no JSON, or no event
  }
  if ((id !== undefined && event.id !== id) || !isWhole(event)) return undefined;
  return event.source === undefined ? { ...event, source: {} } : event;
}

/** Typed as an event, but read from anywhere. */
function isWhole(event: { readonly [Member in keyof AuditEvent]?: unknown }): boolean {
  const { tenant, action, outcome, kind, at, actor, patient, target, fields, purpose, reason } = event;
  return (
    [tenant, action, outcome].every(isText) &&
    [kind, patient, purpose, reason].every(isTextOrAbsent) &&
    isText(at) &&
    !Number.isNaN(Date.parse(at)) &&
    isRecord(actor) &&
    isText(actor.id) &&
    [actor.type, actor.role, actor.onBehalfOf, actor.name].every(isTextOrAbsent) &&
    (target === undefined || (isRecord(target) && [target.type, target.id].every(isTextOrAbsent))) &&
    (fields === undefined || (Array.isArray(fields) && fields.every(isText))) &&
    (event.source === undefined || (isRecord(event.source) && Object.values(event.source).every(isTextOrAbsent))) &&
    (event.detail === undefined || isRecord(event.detail)) &&
    (event.disclosure === undefined || event.disclosure === null || isRecord(event.disclosure))
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || isText(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
