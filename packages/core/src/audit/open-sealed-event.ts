import { canonicalize } from '../canonical-json.ts';
import { MedzenError } from '../errors.ts';
import { equalBytes } from '../hash.ts';
import type { Scope } from '../scope.ts';
import type { AuditEvent, SealedEvent } from './audit-event.ts';
import { maxEventBytes, openEvent } from './seal-event.ts';

const encoder = new TextEncoder();

/**
 * For the author of a store: everything that an `AuditStore` must refuse before it writes an event, whatever it writes it to.
 *
 * @param scope - of the call; must be the event's own tenant
 * @param sealed - as a caller hands it in
 * @returns the event, for the columns that searches look at
 * @throws MedzenError `invalid_input` for a body past {@link maxEventBytes}, bytes that are no event or not canonical (RFC 8785), another
 * id than the body's, a missing action, actor or time, and another tenant
 * @example
 * ```ts
 * import { openSealedEvent, sealEvent } from '@medzen/core';
 * const sealed = sealEvent({
 *   action: 'recording.view', kind: 'read', outcome: 'success', tenant: 'clinic-a',
 *   actor: { id: 'u1', type: 'user' }, patient: 'p1', source: {},
 * });
 * openSealedEvent({ tenant: 'clinic-a' }, sealed).patient; // 'p1'
 * ```
 */
export function openSealedEvent(scope: Scope, { id, body }: SealedEvent): AuditEvent {
  if (body.length > maxEventBytes) throw new MedzenError('invalid_input', 'An audit event is too large');
  const event = openEvent(body);
  if (event.id !== id) throw new MedzenError('invalid_input', 'An audit event has another id than its body');
  if (typeof event.action !== 'string' || typeof event.actor?.id !== 'string' || Number.isNaN(Date.parse(event.at)))
    throw new MedzenError('invalid_input', 'An audit event lacks its action, its actor or its time');
  if (!equalBytes(encoder.encode(canonicalize(event)), body))
    throw new MedzenError('invalid_input', 'An audit event is not canonical JSON');
  if (event.tenant !== scope.tenant)
    throw new MedzenError('invalid_input', 'An audit event belongs to another tenant than the call');
  return event;
}
