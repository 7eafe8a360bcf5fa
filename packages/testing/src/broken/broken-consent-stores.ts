import { type ConsentRecord, type ConsentStore, isMedzenError } from '@medzen/core';
import type { BrokenStore } from '../broken-store.ts';
import { createSamples, type Samples } from '../samples.ts';
import type { ConsentStoreContext } from '../store-context.ts';

type Fault = (good: ConsentStore, context: ConsentStoreContext, samples: Samples) => Partial<ConsentStore>;

function broken(id: string, title: string, mustFail: string, fault: Fault): BrokenStore<ConsentStoreContext> {
  return {
    id: `consent.${id}`,
    title,
    mustFail: `consent.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.consents;
      const samples = createSamples({ scope: context.scope, clock: context.clock });
      return { ...context, stores: { ...context.stores, consents: { ...good, ...fault(good, context, samples) } } };
    },
  };
}

/** Consent stores that must fail `consentStoreCases`. */
export const brokenConsentStores: readonly BrokenStore<ConsentStoreContext>[] = [
  broken('loses_the_event', 'records without the event it was given', 'record.with_event', (good, _, samples) => ({
    record: (scope, consent) => good.record(scope, consent, samples.event()),
  })),

  broken('drops_a_member', 'does not keep the location', 'record.with_event', (good) => ({
    record: (scope, { location: _, ...consent }, event) => good.record(scope, consent, event),
  })),

  broken('event_of_a_retry', 'writes an event for a repeated record', 'record.repeated', (good, { stores }) => ({
    record: async (scope, consent, event) => {
      const answer = await good.record(scope, consent, event);
      if (answer.status === 'repeated') await stores.audit.append(scope, [event]);
      return answer;
    },
  })),

  broken('event_first', 'writes the event before it looks', 'record.conflict', (good, { stores }) => ({
    record: async (scope, consent, event) => {
      await stores.audit.append(scope, [event]);
      return good.record(scope, consent, event);
    },
  })),

  broken(
    'replaces',
    'takes other content under a taken id for a new record',
    'record.conflict',
    (good, _, samples) => ({
      record: async (scope, consent, event) => {
        try {
          return await good.record(scope, consent, event);
        } catch (error) {
          if (!isMedzenError(error) || error.code !== 'conflict') throw error;
          return good.record(scope, { ...consent, id: samples.ids.uuid() }, event);
        }
      },
    }),
  ),

  broken('forgives_the_event', 'records though its event was refused', 'record.atomic', (good, _, samples) => ({
    record: async (scope, consent, event) => {
      try {
        return await good.record(scope, consent, event);
      } catch (error) {
        if (isMedzenError(error) && error.code === 'audit_conflict') await good.record(scope, consent, samples.event());
        throw error;
      }
    },
  })),

  broken(
    'retry_supersedes',
    'counts a retry as said anew',
    'record.repeated_does_not_supersede',
    (good, _, samples) => ({
      record: async (scope, consent, event) => {
        const answer = await good.record(scope, consent, event);
        if (answer.status === 'repeated') await good.record(scope, { ...consent, id: samples.ids.uuid() }, event);
        return answer;
      },
    }),
  ),

  broken('first_wins', 'keeps what was said first', 'current.latest', (good) => {
    const first = new Map<string, ConsentRecord>();
    return {
      record: (scope, consent, event) => {
        if (!first.has(consent.participant)) first.set(consent.participant, consent);
        return good.record(scope, consent, event);
      },
      current: async (scope, sessionId) =>
        (await good.current(scope, sessionId)).map((record) => first.get(record.participant) ?? record),
    };
  }),

  broken('any_order', 'gives participants in another order', 'current.by_participant', (good) => ({
    current: async (scope, sessionId) => (await good.current(scope, sessionId)).toReversed(),
  })),

  broken('loses_the_tenant', "shows another tenant's records", 'tenant', (good, { scope: one, otherScope }) => ({
    current: async (scope, sessionId) => {
      const own = await good.current(scope, sessionId);
      return own.length > 0 ? own : good.current(scope.tenant === one.tenant ? otherScope : one, sessionId);
    },
  })),
];
