import { erasableKinds, type IdentityStore, type Wire } from '@medzen/core';
import { callJson, eventArgs } from './call-json.ts';
import { list, oneOf, type Reader, shape, text, verdict } from './read-json.ts';

const values: Reader<Readonly<Record<string, string>>> = (value, path) => {
  shape({})(value, path);
  const entries = Object.entries(value as object); // as the line above has seen
  return Object.fromEntries(entries.map(([key, item]) => [key, text(item, `${path}/${key}`)]));
};

/** Who is meant by the pseudonyms in the log, in `medzen.erasable_identity`. */
export function identityStore(wire: Wire): IdentityStore {
  return {
    kinds: () => callJson(wire.root, 'erasable_kinds', {}, list(oneOf(...erasableKinds))),
    pseudonyms: ({ tenant }, { kind, value }) =>
      callJson(wire, 'find_pseudonyms', { tenant, kind, value: withoutNul(value) }, list(text)),
    reveal: ({ tenant }, pseudonyms) =>
      callJson(wire, 'reveal_identities', { tenant, pseudonyms: [...pseudonyms] }, values),
    erase: ({ tenant }, { kind, value, despiteRetention }, event) =>
      callJson(
        wire,
        'erase_identity',
        { tenant, kind, value: withoutNul(value), despite_retention: despiteRetention === true, ...eventArgs(event) },
        verdict({ erased: {}, absent: {}, held: {}, too_young: { keptUntil: text } }),
      ),
  };
}

/** The identities that stand beside a page of events. */
export function identitiesIn(rows: readonly Readonly<Record<string, unknown>>[]): Readonly<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const { identities } of rows)
    if (typeof identities === 'string') Object.assign(all, values(JSON.parse(identities), 'identities'));
  return all;
}

/** As the table holds it, which cannot hold a NUL. */
function withoutNul(value: string): string {
  return value.replaceAll('\u0000', '\ufffd');
}
