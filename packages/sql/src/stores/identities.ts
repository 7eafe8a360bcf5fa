import { type AuditPage, erasableKinds, fromHex, type IdentityStore, pseudonymOf, type Wire } from '@medzen/core';
import { callJson, eventArgs } from './call-json.ts';
import { list, oneOf, type Reader, shape, text, verdict } from './read-json.ts';

/** An identity as the database keeps it, with what proves it. */
const kept = shape({ kind: oneOf(...erasableKinds), value: text, salt: text });

const members: Reader<readonly (readonly [string, unknown])[]> = (value, path) => {
  shape({})(value, path);
  return Object.entries(value as object); // as the line above has seen
};

/** Returns the identity if the pseudonym was made of it. Nothing else is believed: the row may have been altered. */
function provedValue(tenant: string, pseudonym: string, found: unknown): string | undefined {
  try {
    const { kind, value, salt } = kept(found, pseudonym);
    return pseudonymOf(fromHex(salt), tenant, { kind, value }) === pseudonym ? value : undefined;
  } catch {
    return undefined; // altered to what is no identity at all
  }
}

/** Stores the identities behind the pseudonyms in the log, in `medzen.erasable_identity`. */
export function identityStore(wire: Wire): IdentityStore {
  return {
    kinds: () => callJson(wire.root, 'erasable_kinds', {}, list(oneOf(...erasableKinds))),
    pseudonyms: ({ tenant }, { kind, value }) =>
      callJson(wire, 'find_pseudonyms', { tenant, kind, value: withoutNul(value) }, list(text)),
    async reveal({ tenant }, pseudonyms) {
      const found = await callJson(wire, 'reveal_identities', { tenant, pseudonyms: [...pseudonyms] }, members);
      const proved = found.flatMap(([pseudonym, row]) => {
        const value = provedValue(tenant, pseudonym, row);
        return value === undefined ? [] : [[pseudonym, value] as const];
      });
      return Object.fromEntries(proved);
    },
    erase: ({ tenant }, { kind, value, despiteRetention }, event) =>
      callJson(
        wire,
        'erase_identity',
        { tenant, kind, value: withoutNul(value), despite_retention: despiteRetention === true, ...eventArgs(event) },
        verdict({ erased: {}, absent: {}, held: {}, too_young: { keptUntil: text } }),
      ),
  };
}

/** Splits the pseudonyms of a page of events into identities that are proved and pseudonyms that are not. */
export function identitiesIn(
  tenant: string,
  rows: readonly Readonly<Record<string, unknown>>[],
): Pick<AuditPage, 'identities' | 'unproved'> {
  const identities: Record<string, string> = {};
  const unproved = new Set<string>();
  for (const { identities: beside } of rows) {
    if (typeof beside !== 'string') continue;
    for (const [pseudonym, row] of members(JSON.parse(beside), 'identities')) {
      if (row === true || Object.hasOwn(identities, pseudonym) || unproved.has(pseudonym)) continue; // erased, or seen
      const value = provedValue(tenant, pseudonym, row);
      if (value === undefined) unproved.add(pseudonym);
      else identities[pseudonym] = value;
    }
  }
  return {
    ...(Object.keys(identities).length > 0 && { identities }),
    ...(unproved.size > 0 && { unproved: [...unproved] }),
  };
}

/** As the table holds it, which cannot hold a NUL. */
function withoutNul(value: string): string {
  return value.replaceAll('\u0000', '\ufffd');
}
