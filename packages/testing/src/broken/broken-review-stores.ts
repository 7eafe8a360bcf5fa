import { openEvent, type ReviewStore } from '@medzen/core';
import type { BrokenStore } from '../broken-store.ts';
import { createSamples } from '../samples.ts';
import type { ReviewStoreContext } from '../store-context.ts';

function broken(
  id: string,
  title: string,
  mustFail: string,
  fault: (good: ReviewStore, context: ReviewStoreContext) => Partial<ReviewStore>,
): BrokenStore<ReviewStoreContext> {
  return {
    id: `reviews.${id}`,
    title,
    mustFail: `reviews.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.reviews;
      return { ...context, stores: { ...context.stores, reviews: { ...good, ...fault(good, context) } } };
    },
  };
}

/** Review stores that must fail `reviewStoreCases`. */
export const brokenReviewStores: readonly BrokenStore<ReviewStoreContext>[] = [
  broken('drops_detail', 'forgets what the rule counted', 'queue.keeps', (good) => ({
    queue: (scope, findings) =>
      good.queue(
        scope,
        findings.map(({ detail: _, ...finding }) => finding),
      ),
  })),

  broken('queues_again', 'queues what is found again', 'queue.once', (good, { scope, clock }) => {
    const { ids } = createSamples({ scope, clock });
    const id = (): string => (ids.uuid() + ids.uuid()).replaceAll('-', '');
    const seen = new Set<string>();
    return {
      queue: (of, findings) =>
        good.queue(
          of,
          findings.map((finding) => {
            if (seen.has(finding.id)) return { ...finding, id: id() };
            seen.add(finding.id);
            return finding;
          }),
        ),
    };
  }),

  broken('lists_all', 'lists what is signed among what is open', 'list.order', (good) => ({
    list: (scope, query) => good.list(scope, { ...query, state: 'all' }),
  })),

  broken('any_rule', 'lists every rule', 'list.order', (good) => ({
    list: (scope, { rule: _, ...query }) => good.list(scope, query),
  })),

  broken('one_tenant', 'has one queue for all tenants', 'tenants', (good, { otherScope }) => ({
    queue: (_, findings) => good.queue(otherScope, findings),
    list: (_, query) => good.list(otherScope, query),
  })),

  broken('no_event', 'signs off and writes another event', 'sign.with_event', (good, { scope, clock }) => ({
    signOff: (of, signOff, event) => {
      const { action, kind, actor, target } = openEvent(event.body);
      const members = { action, kind, actor, ...(target === undefined ? {} : { target }) };
      return good.signOff(of, signOff, createSamples({ scope, clock }).event(members));
    },
  })),

  broken('event_apart', 'writes the event first, whatever comes of the sign-off', 'sign.once', (good, context) => ({
    signOff: async (scope, signOff, event) => {
      await context.stores.audit.append(scope, [event]);
      return good.signOff(scope, signOff, event);
    },
  })),

  broken('own_is_fine', 'lets one sign off what was found about oneself', 'sign.own', (good) => ({
    signOff: (scope, signOff, event) => good.signOff(scope, { ...signOff, own: true }, event),
  })),

  broken('any_event', 'does not look at what the event is about', 'sign.about', (good, { scope, clock }) => ({
    signOff: (of, signOff, event) => {
      const { action, kind, actor, target } = openEvent(event.body);
      if (target?.id === signOff.id) return good.signOff(of, signOff, event);
      const own = { action, kind, actor, target: { type: 'review', id: signOff.id } };
      return good.signOff(of, signOff, createSamples({ scope, clock }).event(own));
    },
  })),
];
