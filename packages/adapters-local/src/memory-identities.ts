import {
  type AuditEvent,
  canonicalize,
  type ErasableIdentity,
  type ErasableKind,
  type IdentityStore,
  MedzenError,
  openSealedEvent,
  pseudonymOf,
  pseudonymPattern,
  type Random,
  replaceIdentities,
  type Scope,
} from '@medzen/core';
import type { EventTable } from './memory-audit.ts';

/** With its salt, which proves that the pseudonym was made of the value. */
interface Identity extends ErasableIdentity {
  readonly tenant: string;
  readonly salt: Uint8Array;
}

/** One append's view of the identities: it makes new ones, which count once it is committed. */
interface IdentityDraft {
  /** The event with pseudonyms in place of what is to be erasable. */
  pseudonymize(event: AuditEvent): AuditEvent;
  commit(): void;
}

/** Who is meant by which pseudonym, over all tenants. */
export interface IdentityTable {
  readonly kinds: Set<ErasableKind>;
  readonly byPseudonym: ReadonlyMap<string, Identity>;
  begin(tenant: string): IdentityDraft;
  /** The value itself and its pseudonym, if it has one: what searches have to look for. */
  keysOf(tenant: string, kind: ErasableKind, value: string): readonly string[];
  /** What the text stands for; itself when it is no pseudonym of this tenant, or an erased one. */
  reveal(tenant: string, text: string): string;
  /** What the pseudonyms in an event stand for. */
  revealed(tenant: string, event: AuditEvent): Record<string, string>;
  /** Pseudonyms in an event whose value or salt was altered. */
  unproved(tenant: string, event: AuditEvent): readonly string[];
  /** Puts another value behind a pseudonym, which the salt does not prove: what an owner of a database could do. */
  alter(pseudonym: string, value: string): void;
  /** Whether an event could have become the stored one: the same but for pseudonyms, and none of these stands for something else. */
  isSame(tenant: string, stored: AuditEvent, given: AuditEvent): boolean;
  forget(pseudonym: string): void;
}

export function createIdentityTable(kinds: readonly ErasableKind[], random: Random): IdentityTable {
  const on = new Set(kinds);
  const byPseudonym = new Map<string, Identity>();
  const byValue = new Map<string, string>();
  const keyOf = ({ tenant, kind, value }: Omit<Identity, 'salt'>): string => `${tenant}:${kind}:${value}`;
  const reveal: IdentityTable['reveal'] = (tenant, text) => {
    const known = byPseudonym.get(text);
    return known?.tenant === tenant && isProved(text, known) ? known.value : text;
  };

  return {
    kinds: on,
    byPseudonym,
    begin: (tenant) => {
      const made = new Map<string, string>();
      const named = new Map<string, Identity>();
      return {
        pseudonymize: (event) =>
          replaceIdentities(event, ({ kind, value }) => {
            // What looks like a pseudonym gets one of its own, whatever is on: else an event could be put under somebody's.
            if (!on.has(kind) && !pseudonymPattern.test(value)) return value;
            const identity = { tenant, kind, value };
            const key = keyOf(identity);
            const known = byValue.get(key) ?? made.get(key);
            if (known !== undefined) return known;
            const salt = random.bytes(32);
            const pseudonym = pseudonymOf(salt, tenant, identity);
            made.set(key, pseudonym);
            named.set(pseudonym, { ...identity, salt });
            return pseudonym;
          }),
        commit: () => {
          for (const [key, pseudonym] of made) byValue.set(key, pseudonym);
          for (const [pseudonym, identity] of named) byPseudonym.set(pseudonym, identity);
        },
      };
    },
    keysOf: (tenant, kind, value) => {
      const pseudonym = byValue.get(keyOf({ tenant, kind, value }));
      return pseudonym === undefined ? [value] : [value, pseudonym];
    },
    reveal,
    revealed: (tenant, event) => {
      const found: Record<string, string> = {};
      for (const text of textsOf(event)) {
        const value = reveal(tenant, text);
        if (value !== text) found[text] = value;
      }
      return found;
    },
    unproved: (tenant, event) =>
      textsOf(event).filter((text) => {
        const known = byPseudonym.get(text);
        return known?.tenant === tenant && !isProved(text, known);
      }),
    alter: (pseudonym, value) => {
      const known = byPseudonym.get(pseudonym);
      if (known !== undefined) byPseudonym.set(pseudonym, { ...known, value });
    },
    isSame: (tenant, stored, given) => {
      const [kept, said] = [textsOf(stored), textsOf(given)];
      return (
        canonicalize(replaceIdentities(stored, () => '')) === canonicalize(replaceIdentities(given, () => '')) &&
        kept.every((text, at) => {
          const erased = pseudonymPattern.test(text) && !byPseudonym.has(text);
          return text === said[at] || erased || reveal(tenant, text) === said[at];
        })
      );
    },
    forget: (pseudonym) => {
      const known = byPseudonym.get(pseudonym);
      if (known === undefined) return;
      byPseudonym.delete(pseudonym);
      byValue.delete(keyOf(known));
    },
  };
}

function isProved(pseudonym: string, { tenant, salt, ...identity }: Identity): boolean {
  return pseudonymOf(salt, tenant, identity) === pseudonym;
}

function textsOf(event: AuditEvent): string[] {
  const texts: string[] = [];
  replaceIdentities(event, ({ value }) => {
    texts.push(value);
    return value;
  });
  return texts;
}

/** What {@link memoryIdentities} works on. */
export interface MemoryIdentitiesDeps {
  readonly identities: IdentityTable;
  readonly events: EventTable;
  /** Milliseconds of the store's clock. */
  readonly now: () => number;
  /** Whether a legal hold stands on a patient, in clear, or on what an event is about. */
  readonly isHeld: (tenant: string, patient: string | undefined, target: string | undefined) => boolean;
  /** Whether one stands on a patient, in clear, or on a recording of theirs. */
  readonly isPatientHeld: (tenant: string, patient: string) => boolean;
}

/** The port over the table. */
export function memoryIdentities({
  identities,
  events,
  now,
  isHeld,
  isPatientHeld,
}: MemoryIdentitiesDeps): IdentityStore {
  const pseudonymsOf = ({ tenant }: Scope, { kind, value }: ErasableIdentity): readonly string[] =>
    identities.keysOf(tenant, kind, value).slice(1);

  return {
    kinds: async () => [...identities.kinds],
    pseudonyms: async (scope, identity) => pseudonymsOf(scope, identity),
    reveal: async ({ tenant }, pseudonyms) => {
      if (pseudonyms.length > 10_000)
        throw new MedzenError('invalid_input', 'At most 10000 pseudonyms are revealed at a time');
      const known = pseudonyms.flatMap((one) => {
        const value = identities.reveal(tenant, one);
        return value === one ? [] : [[one, value] as const];
      });
      return Object.fromEntries(known);
    },
    erase: async (scope, erasure, event) => {
      const { action, target, reason } = openSealedEvent(scope, event);
      if (action !== 'identity.erase' || target?.type !== 'identity')
        throw new MedzenError('invalid_input', "event must have action 'identity.erase' and target.type 'identity'");
      if (reason === undefined || reason.trim() === '' || reason.includes(erasure.value))
        throw new MedzenError(
          'invalid_input',
          'event.reason must not be blank and must not contain the value to erase',
        );
      const [pseudonym] = pseudonymsOf(scope, erasure);
      if (pseudonym === undefined) return { status: 'absent' };
      if (target.id !== pseudonym)
        throw new MedzenError('conflict', 'The event is about another pseudonym of the identity');
      if (erasure.kind === 'patient' && isPatientHeld(scope.tenant, erasure.value)) return { status: 'held' };
      let youngest = 0;
      for (const row of events.rows.values()) {
        if (row.tenant !== scope.tenant || row.body === undefined || !textsOf(row.event).includes(pseudonym)) continue;
        if (isHeld(row.tenant, row.event.patient, row.event.target?.id)) return { status: 'held' };
        youngest = Math.max(youngest, row.writtenAt, Date.parse(row.event.at));
      }
      const until = new Date(youngest);
      until.setUTCFullYear(until.getUTCFullYear() + 6);
      if (youngest > 0 && until.getTime() > now() && erasure.despiteRetention !== true)
        return { status: 'too_young', keptUntil: until.toISOString() };
      events.plan(scope, [event])();
      identities.forget(pseudonym);
      return { status: 'erased' };
    },
  };
}
