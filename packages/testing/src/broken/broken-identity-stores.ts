import type { AuditStore, IdentityStore } from '@medzen/core';
import type { BrokenStore } from '../broken-store.ts';
import { createSamples } from '../samples.ts';
import type { IdentityStoreContext } from '../store-context.ts';

function broken(
  id: string,
  title: string,
  mustFail: string,
  fault: (good: IdentityStore, context: IdentityStoreContext) => Partial<IdentityStore>,
): BrokenStore<IdentityStoreContext> {
  return {
    id: `identities.${id}`,
    title,
    mustFail: `identities.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.identities;
      return { ...context, stores: { ...context.stores, identities: { ...good, ...fault(good, context) } } };
    },
  };
}

function brokenAudit(
  id: string,
  title: string,
  mustFail: string,
  fault: (good: AuditStore, context: IdentityStoreContext) => Partial<AuditStore>,
): BrokenStore<IdentityStoreContext> {
  return {
    id: `identities.${id}`,
    title,
    mustFail: `identities.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.audit;
      return { ...context, stores: { ...context.stores, audit: { ...good, ...fault(good, context) } } };
    },
  };
}

/** Identity stores, and audit stores beside them, that must fail `identityStoreCases`. */
export const brokenIdentityStores: readonly BrokenStore<IdentityStoreContext>[] = [
  {
    id: 'identities.in_clear',
    title: 'is switched on and goes on in clear',
    mustFail: 'identities.pseudonymises',
    wrap: (context) => ({
      ...context,
      keepErasable: async () => undefined,
      stores: {
        ...context.stores,
        identities: { ...context.stores.identities, kinds: async () => ['patient', 'user', 'name', 'ip'] },
      },
    }),
  },

  {
    id: 'identities.every_kind',
    title: 'makes pseudonyms of kinds that it was not told to',
    mustFail: 'identities.pseudonymises.kinds',
    wrap: (context) => ({
      ...context,
      keepErasable: () => context.keepErasable(['patient', 'user', 'name', 'ip', 'recipient']),
    }),
  },

  broken('always_on', 'says that it is switched on when it is not', 'off', () => ({ kinds: async () => ['patient'] })),

  broken('one_kind', 'takes one text for one identity, whatever its kind', 'same', (good) => ({
    pseudonyms: async (scope, { value }) => [
      ...(await good.pseudonyms(scope, { kind: 'user', value })),
      ...(await good.pseudonyms(scope, { kind: 'patient', value })),
    ],
  })),

  broken('trims', 'changes odd texts', 'odd', (good) => ({
    reveal: async (scope, pseudonyms) =>
      Object.fromEntries(
        Object.entries(await good.reveal(scope, pseudonyms)).map(([one, value]) => [one, value.replaceAll('\\', '')]),
      ),
  })),

  brokenAudit('poses', 'takes what looks like a pseudonym for the person', 'hostile', (good, { stores }) => ({
    search: async (scope, query) => {
      const { events, ...rest } = await good.search(scope, query);
      const more = [];
      for (const patient of await stores.identities.pseudonyms(scope, { kind: 'patient', value: query.patient ?? '-' }))
        more.push(...(await good.search(scope, { ...query, patient })).events);
      return { events: [...events, ...more.filter(({ id }) => !events.some((one) => one.id === id))], ...rest };
    },
  })),

  brokenAudit('finds_no_more', 'searches for the clear value alone', 'search', (good, { stores }) => ({
    search: async (scope, query) => {
      const page = await good.search(scope, query);
      const pseudonyms = await stores.identities.pseudonyms(scope, { kind: 'patient', value: query.patient ?? '-' });
      const text = new TextDecoder();
      return { events: page.events.filter(({ body }) => !pseudonyms.some((one) => text.decode(body).includes(one))) };
    },
  })),

  broken('believes_rows', 'reveals what the row says, proved or not', 'proved', (good) => ({
    reveal: async (scope, pseudonyms) => ({
      ...Object.fromEntries(pseudonyms.map((one) => [one, 'scapegoat'])),
      ...(await good.reveal(scope, pseudonyms)),
    }),
  })),

  brokenAudit('hides_doubt', 'does not say which pseudonyms are not proved', 'proved', (good) => ({
    search: async (scope, query) => {
      const { unproved: _, ...page } = await good.search(scope, query);
      return page;
    },
  })),

  brokenAudit('says_nothing', 'gives pseudonyms and not what they stand for', 'reveals', (good) => ({
    search: async (scope, query) => {
      const { identities: _, ...page } = await good.search(scope, query);
      return page;
    },
  })),

  brokenAudit('counts_pseudonyms', 'summarises by pseudonym', 'summarises', (good) => ({
    summarize: async (scope, query) => {
      const { lines, more } = await good.summarize(scope, query);
      return { lines: lines.map((line) => ({ ...line, actor: `erasable:v1:${'A'.repeat(43)}` })), more };
    },
  })),

  brokenAudit('conflicts', 'takes a retry for a conflict', 'retry', (good, { scope, clock }) => {
    const seen = new Set<string>();
    return {
      append: (of, events, options) => {
        const again = events.some(({ id }) => seen.has(id));
        for (const { id } of events) seen.add(id);
        const other = createSamples({ scope, clock }).event({ patient: 'somebody' }).body;
        return good.append(of, again ? events.map(({ id }) => ({ id, body: other })) : events, options);
      },
    };
  }),

  brokenAudit('believes', 'takes the same id with other content for a retry', 'retry', (good) => ({
    append: (of, events, options) =>
      good.append(of, events, options).catch((error: unknown) => {
        if (events.length === 1) return { status: 'durable' as const };
        throw error;
      }),
  })),

  broken('revives', 'makes an identity anew for a retry of its event', 'retry.after_erasure', (good) => {
    let last: readonly string[] = [];
    return {
      pseudonyms: async (scope, identity) => {
        const now = await good.pseudonyms(scope, identity);
        if (now.length > 0) last = now;
        return last;
      },
    };
  }),

  broken('remembers', 'reveals what was erased', 'erase', (good) => {
    const seen = new Map<string, string>();
    return {
      erase: async (scope, { kind, value, ...rest }, event) => {
        for (const one of await good.pseudonyms(scope, { kind, value })) seen.set(one, value);
        return good.erase(scope, { kind, value, ...rest }, event);
      },
      reveal: async (scope, pseudonyms) => ({
        ...Object.fromEntries(pseudonyms.flatMap((one) => (seen.has(one) ? [[one, seen.get(one) ?? '']] : []))),
        ...(await good.reveal(scope, pseudonyms)),
      }),
    };
  }),

  broken('returns', 'gives whoever comes back the pseudonym of before', 'erase.fresh', (good) => {
    let first: readonly string[] | undefined;
    return {
      pseudonyms: async (scope, identity) => {
        const now = await good.pseudonyms(scope, identity);
        if (now.length > 0) first ??= now;
        return now.length === 0 ? now : (first ?? now);
      },
    };
  }),

  broken('no_event', 'erases and writes another event', 'erase', (good, { scope, clock }) => ({
    erase: (of, erasure, event) => {
      const text = new TextDecoder().decode(event.body);
      const other = createSamples({ scope, clock }).ids.uuid();
      const body = new TextEncoder().encode(text.replace(event.id, other));
      return good.erase(of, erasure, { id: other, body });
    },
  })),

  broken('erases_again', 'says of what is gone that it erased it', 'erase.twice', (good) => ({
    erase: async (...order) => {
      const answer = await good.erase(...order);
      return answer.status === 'absent' ? { status: 'erased' } : answer;
    },
  })),

  broken('no_floor', 'erases whom it has to keep', 'erase.young', (good) => ({
    erase: (scope, erasure, event) => good.erase(scope, { ...erasure, despiteRetention: true }, event),
  })),

  broken('no_hold', 'knows of no legal hold', 'erase.held', (good) => ({
    erase: async (...order) => {
      const answer = await good.erase(...order);
      return answer.status === 'held' ? { status: 'erased' } : answer;
    },
  })),

  broken('any_event', 'takes any event for that of an erasure', 'erase.about', (good, { scope, clock }) => ({
    erase: async (of, erasure, _) => {
      const [id = 'none'] = await good.pseudonyms(of, erasure);
      const event = createSamples({ scope, clock }).event({
        action: 'identity.erase',
        kind: 'delete',
        target: { type: 'identity', id },
        reason: 'Whatever was said',
      });
      return good.erase(of, erasure, event);
    },
  })),

  broken('one_tenant', 'has one table of identities for all tenants', 'tenants', (good, { otherScope }) => ({
    pseudonyms: (_, identity) => good.pseudonyms(otherScope, identity),
    reveal: (_, pseudonyms) => good.reveal(otherScope, pseudonyms),
  })),
];
