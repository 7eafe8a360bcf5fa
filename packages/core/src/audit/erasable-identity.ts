import { hmacSha256 } from '../hash.ts';
import { toBase64 } from '../hex.ts';
import type { AuditEvent } from './audit-event.ts';

/**
 * What of an event can be kept so that it can be erased later.
 *
 * - `patient`: `patient`, and `target.id` when the target's type is `patient` or its id the patient's
 * - `user`: `actor.id` of users, `actor.onBehalfOf`, and `target.id` when the target's type is `user`. Services and the system are nobody
 * - `name`: `actor.name`
 * - `ip`: `source.ip`
 * - `recipient`: name and address of whom something was disclosed to; an accounting (45 CFR 164.528) has to tell them for six years
 *
 * Nothing else: what people write into `reason`, `detail`, `fields`, a disclosure's `description` or the ids of other targets stays in the log.
 */
export type ErasableKind = 'patient' | 'user' | 'name' | 'ip' | 'recipient';

/** Every kind. */
export const erasableKinds: readonly ErasableKind[] = ['patient', 'user', 'name', 'ip', 'recipient'];

/** The kinds to begin with: who was seen, who looked, from where. */
export const defaultErasableKinds: readonly ErasableKind[] = ['patient', 'user', 'name', 'ip'];

/** A value that identifies somebody. The same text is another identity under another kind. */
export interface ErasableIdentity {
  readonly kind: ErasableKind;
  /** As events say it, 1 character at least. */
  readonly value: string;
}

/** Prefix of every pseudonym. */
export const pseudonymPrefix = 'erasable:v1:';

/** A text that is a pseudonym. */
export const pseudonymPattern: RegExp = /^erasable:v1:[A-Za-z0-9_-]{43}$/;

const encoder = new TextEncoder();

/**
 * The pseudonym of an identity under its salt: HMAC-SHA-256 of kind, tenant and value, marked and in base64url. Whoever has the salt can confirm a
 * guess; without it nobody can, whatever else he has, and two salts of one value have nothing in common.
 *
 * @param salt - 32 random bytes, made for this identity and for nothing else
 * @param tenant - the event's
 * @returns `erasable:v1:` and 43 characters
 * @see RFC 2104, RFC 4648 §5
 * @example
 * ```ts
 * import { pseudonymOf, systemRandom } from '@medzen/core';
 * const salt = systemRandom.bytes(32);
 * pseudonymOf(salt, 'default', { kind: 'patient', value: 'p1' }); // 'erasable:v1:…'
 * ```
 */
export function pseudonymOf(salt: Uint8Array, tenant: string, { kind, value }: ErasableIdentity): string {
  // Neither a kind nor a tenant's name holds a line feed, so no two identities give one text.
  const mac = hmacSha256(salt, encoder.encode(`medzen.erasable.v1\n${kind}\n${tenant}\n${value}`));
  return `${pseudonymPrefix}${toBase64(mac).replace('=', '').replaceAll('+', '-').replaceAll('/', '_')}`;
}

/**
 * The same event with what identifies somebody replaced.
 *
 * @param replace - gives what to put there; the value itself to leave it
 * @example
 * ```ts
 * import { type AuditEvent, replaceIdentities } from '@medzen/core';
 * const withoutNames = (event: AuditEvent): AuditEvent =>
 *   replaceIdentities(event, ({ kind, value }) => (kind === 'name' ? '–' : value));
 * ```
 */
export function replaceIdentities(event: AuditEvent, replace: (identity: ErasableIdentity) => string): AuditEvent {
  const { actor, patient, target, source, disclosure } = event;
  const put = <M extends string>(of: object, member: M, kind: ErasableKind): { [K in M]?: string } => {
    const value: unknown = Reflect.get(of, member);
    if (typeof value !== 'string' || value === '') return {};
    return { [member]: replace({ kind, value }) } as { [K in M]: string }; // the one member
  };
  const about: ErasableKind | undefined =
    target?.type === 'user' ? 'user' : isPatient(target, patient) ? 'patient' : undefined;
  return {
    ...event,
    ...put(event, 'patient', 'patient'),
    actor: {
      ...actor,
      ...(actor.type === 'user' ? put(actor, 'id', 'user') : {}),
      ...put(actor, 'onBehalfOf', 'user'),
      ...put(actor, 'name', 'name'),
    },
    ...(target === undefined || about === undefined ? {} : { target: { ...target, ...put(target, 'id', about) } }),
    ...(isObject(source) ? { source: { ...source, ...put(source, 'ip', 'ip') } } : {}),
    ...(disclosure !== undefined && isObject(disclosure) && isObject(disclosure.recipient)
      ? {
          disclosure: {
            ...disclosure,
            recipient: {
              ...disclosure.recipient,
              ...put(disclosure.recipient, 'name', 'recipient'),
              ...put(disclosure.recipient, 'address', 'recipient'),
            },
          },
        }
      : {}),
  };
}

/**
 * The same event with its pseudonyms turned back into what they stand for; those of erased identities stay.
 *
 * @param values - by pseudonym, of the event's tenant: `AuditPage.identities`, or what `IdentityStore.reveal` gave
 */
export function revealIdentities(event: AuditEvent, values: Readonly<Record<string, string>>): AuditEvent {
  return replaceIdentities(event, ({ value }) =>
    pseudonymPattern.test(value) && Object.hasOwn(values, value) ? (values[value] ?? value) : value,
  );
}

function isPatient(target: AuditEvent['target'], patient: string | undefined): boolean {
  return target !== undefined && (target.type === 'patient' || (patient !== undefined && target.id === patient));
}

/** An event that was written without our types may lack anything. */
function isObject(value: object | undefined): value is object {
  return typeof value === 'object' && value !== null;
}
