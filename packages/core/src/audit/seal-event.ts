import { canonicalize } from '../canonical-json.ts';
import { type Clock, systemClock } from '../clock.ts';
import { MedzenError } from '../errors.ts';
import { toHex } from '../hex.ts';
import { createIds, type Ids } from '../ids.ts';
import { type Random, systemRandom } from '../random.ts';
import type { AuditEvent, AuditEventDraft, SealedEvent } from './audit-event.ts';

/** Clock, ids and random source of a sealed event. */
export interface SealDeps {
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly random?: Random;
}

/** The greatest body, in bytes: what a leaf of 16-bit length can hold. */
export const maxEventBytes = 65_535;

const encoder = new TextEncoder();
const actionPattern = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/;
const kinds: ReadonlySet<string> = new Set(['create', 'read', 'update', 'delete', 'execute']);
const outcomes: ReadonlySet<string> = new Set(['success', 'denied', 'failed']);
const actorTypes: ReadonlySet<string> = new Set(['user', 'service', 'system']);

/**
 * Completes an event and freezes it into the bytes that will be stored, hashed and proved. Call it once per happening
 * and keep the result: a retry with the same `{id, body}` is one row; the same id with another body is `audit_conflict`.
 *
 * @param draft - everything but `v`, `id`, `at` and `nonce`
 * @param deps - clock, ids and randomness; the machine's own by default
 * @returns the id and the RFC 8785 bytes, ≤ 65 535
 * @throws MedzenError `invalid_input` for a bad action name, kind, outcome or actor, a missing reason under `ETREAT` or `BTG`, a value
 * that is not JSON, or a body past the bound
 * @see RFC 8785
 * @example
 * ```ts
 * import { sealEvent } from '@medzen/core';
 * const event = sealEvent({
 *   action: 'recording.view', kind: 'read', outcome: 'success', tenant: 'default',
 *   actor: { id: 'u1', type: 'user', role: 'provider' }, patient: 'p1',
 *   target: { type: 'recording', id: 'r1' }, purpose: 'TREAT', source: { ip: '192.0.2.7' },
 * });
 * event.body.length < 65_536;
 * ```
 */
export function sealEvent(draft: AuditEventDraft, deps: SealDeps = {}): SealedEvent {
  const clock = deps.clock ?? systemClock;
  const random = deps.random ?? systemRandom;
  check(draft);
  const event: AuditEvent = {
    ...draft,
    source: withShortUserAgent(draft.source),
    v: 1,
    id: (deps.ids ?? createIds(clock, random)).uuid(),
    at: clock.now().toISOString(),
    nonce: toHex(random.bytes(16)),
  };
  const body = encoder.encode(canonicalize(event));
  if (body.length > maxEventBytes)
    throw new MedzenError('invalid_input', `An audit event exceeds ${maxEventBytes} bytes`);
  return { id: event.id, body };
}

function check(draft: AuditEventDraft): void {
  const wrong = (field: string): never => {
    throw new MedzenError('invalid_input', `An audit event has no valid ${field}`, { pointers: [`/${field}`] });
  };
  if (typeof draft.action !== 'string' || !actionPattern.test(draft.action) || draft.action.length > 128)
    wrong('action');
  if (!kinds.has(draft.kind)) wrong('kind');
  if (!outcomes.has(draft.outcome)) wrong('outcome');
  const { actor } = draft;
  if (typeof actor?.id !== 'string' || actor.id.length < 1 || actor.id.length > 256) wrong('actor');
  if (!actorTypes.has(actor.type)) wrong('actor');
  if (typeof draft.source !== 'object' || draft.source === null) wrong('source');
  const urgent = draft.purpose === 'ETREAT' || draft.purpose === 'BTG';
  if (urgent && (draft.reason === undefined || draft.reason.trim() === '')) wrong('reason');
  if (draft.reason !== undefined && draft.reason.length > 2048) wrong('reason');
}

function withShortUserAgent(source: AuditEventDraft['source']): AuditEventDraft['source'] {
  if (source.userAgent === undefined || source.userAgent.length <= 512) return source;
  return { ...source, userAgent: source.userAgent.slice(0, 512).toWellFormed() };
}

/**
 * Reads a stored body back. The bytes are trusted to be canonical only by the log's proof, not by this function.
 *
 * @throws MedzenError `invalid_input` when the bytes are not an event
 */
export function openEvent(body: Uint8Array): AuditEvent {
  try {
    const event = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as AuditEvent; // checked on the next line
    if (event !== null && typeof event === 'object' && event.v === 1 && typeof event.id === 'string') return event;
  } catch (cause) {
    throw new MedzenError('invalid_input', 'The line is not an audit event (one JSON object)', { cause });
  }
  throw new MedzenError('invalid_input', 'The line is not an audit event (one JSON object)');
}
