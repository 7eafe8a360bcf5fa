import { memoryStores } from '@medzen/adapters-local';
import { type AuditEventDraft, type CallContext, type LogStore, MedzenError, openEvent, sealEvent } from '@medzen/core';
import { fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import { describe, expect, test } from 'vitest';
import { createReview, type ReviewDeps } from './review.ts';
import type { ReviewRule } from './review-rule.ts';
import { reviewRules } from './review-rules.ts';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';

const scope = { tenant: 'default' };
const signer = createSigner({ origin: 'example.org/audit', privateKey: new Uint8Array(32).fill(7) });
const officer: CallContext = {
  scope,
  actor: { id: 'officer-1', type: 'user', roles: ['compliance'], tenant: 'default' },
  source: {},
};

function setUp() {
  const clock = fakeClock();
  const random = fakeRandom();
  const sealing = { clock, random, ids: fakeIds(clock, random) };
  const { inspect, ...stores } = memoryStores({ clock });
  const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer });
  return {
    clock,
    stores,
    inspect,
    review: (given: Partial<ReviewDeps> = {}) =>
      createReview({
        ...stores,
        rules: reviewRules({ denials: { count: 3 } }),
        clock,
        random,
        ids: sealing.ids,
        ...given,
      }),
    /** Writes one event of each draft and sequences them. */
    write: async (...drafts: readonly Partial<AuditEventDraft>[]): Promise<readonly string[]> => {
      const ids: string[] = [];
      for (const draft of drafts) {
        const event = sealEvent(
          {
            action: 'note.view',
            kind: 'read',
            outcome: 'success',
            tenant: scope.tenant,
            actor: { id: 'u1', type: 'user' },
            patient: 'p1',
            source: {},
            ...draft,
          },
          sealing,
        );
        await stores.audit.append({ tenant: draft.tenant ?? scope.tenant }, [event]);
        ids.push(event.id);
      }
      await sequencer.tick();
      return ids;
    },
  };
}
const glass = { purpose: 'BTG', reason: 'No pulse' };
const denied = { outcome: 'denied' } as const;

describe('a scan', () => {
  test('queues what the rules find in the events of every tenant, each in its own queue, once', async () => {
    const { review, write } = setUp();
    const [, event] = await write({}, glass, { ...glass, tenant: 'other' });
    const { scan, list } = review();
    expect(await scan()).toEqual({ scanned: 3, queued: 2, purged: 0, damaged: 0 });
    const { reviews } = await list(scope);
    expect(reviews).toMatchObject([
      { rule: 'break-glass', eventId: event, leafIndex: 1, actor: 'u1', patient: 'p1', detail: { purpose: 'BTG' } },
    ]);
    expect((await list({ tenant: 'other' })).reviews).toHaveLength(1);
    expect(await scan()).toMatchObject({ scanned: 0, queued: 0 });
    await write(glass);
    expect(await scan()).toMatchObject({ scanned: 1, queued: 1 });
  });

  test('finds what spans two scans, by this process or the next', async () => {
    for (const restarted of [false, true]) {
      const { review, write } = setUp();
      await write(denied, denied);
      const first = review({ batch: 1 });
      await first.scan();
      await write(denied);
      const second = restarted ? review({ batch: 1 }) : first;
      expect(await second.scan()).toMatchObject({ scanned: 1, queued: 1 });
      expect((await second.list(scope)).reviews[0]?.detail).toEqual({ count: 3 });
    }
  });

  test('that crashes after it queued and before it noted so queues nothing twice', async () => {
    const { stores, review, write } = setUp();
    await write(glass, denied, denied, denied, glass);
    const broken = {
      ...stores.cursors,
      move: () => Promise.reject(new MedzenError('store_unavailable', 'down')),
    };
    await expect(review({ cursors: broken }).scan()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect((await review().list(scope)).reviews).toHaveLength(3);
    expect(await review().scan()).toMatchObject({ scanned: 5, queued: 0 });
    expect((await review().list(scope)).reviews).toHaveLength(3);
  });

  test('beside another one queues everything once', async () => {
    const { stores, review, write } = setUp();
    await write(...Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? glass : denied)));
    const scans = [1, 7, 3].map((batch) => review({ batch }));
    const results = await Promise.all(scans.map(({ scan }) => scan()));
    expect(await stores.cursors.read('review')).toBe(40);
    const alone = setUp();
    await alone.write(...Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? glass : denied)));
    const expected = await alone.review().scan();
    expect(results.map(({ queued }) => queued).reduce((a, b) => a + b, 0)).toBe(expected.queued);
  });

  test('does not move past what a rule could not look at', async () => {
    const { stores, review, write } = setUp();
    await write({}, {});
    let down = true;
    const asks: ReviewRule = {
      id: 'asks',
      look: async () => {
        if (down) throw new Error('The directory is down');
        return {};
      },
    };
    const { scan } = review({ rules: [asks] });
    await expect(scan()).rejects.toThrow('directory');
    expect(await stores.cursors.read('review')).toBe(0);
    down = false;
    expect(await scan()).toMatchObject({ scanned: 2, queued: 2 });
  });

  test('that broke off remembers nothing twice', async () => {
    const { review, write } = setUp();
    await write({});
    let down = true;
    const asks: ReviewRule = {
      id: 'asks',
      look: ({ purpose }) => {
        if (down && purpose === 'BTG') throw new Error('The directory is down');
        return undefined;
      },
    };
    const { scan, list } = review({ rules: [...reviewRules({ denials: { count: 3 } }), asks] });
    await scan();
    await write(denied, denied, glass);
    await expect(scan()).rejects.toThrow('directory');
    down = false;
    await scan();
    expect((await list(scope)).reviews.map(({ rule }) => rule)).toEqual(['break-glass']);
  });

  test('counts what is gone or altered, and goes on', async () => {
    const { stores, review, write, inspect } = setUp();
    const [a = '', b = ''] = await write({}, glass, glass);
    inspect.damage(a, undefined);
    inspect.damage(b, new TextEncoder().encode('{}'));
    const log: Pick<LogStore, 'readLeaves'> = {
      readLeaves: async (from, limit) =>
        (await stores.log.readLeaves(from, limit)).map((leaf) =>
          leaf.eventId === a ? { ...leaf, purged: true } : leaf,
        ),
    };
    expect(await review({ log }).scan()).toEqual({ scanned: 3, queued: 1, purged: 1, damaged: 1 });
  });

  test('ends between two batches when it is told to', async () => {
    const { review, write } = setUp();
    await write(glass, glass);
    const stop = new AbortController();
    const once: ReviewRule = { id: 'once', look: () => void stop.abort() };
    expect(await review({ batch: 1, rules: [once] }).scan({ signal: stop.signal })).toMatchObject({ scanned: 1 });
  });

  test('is not stopped by a text that no column can hold', async () => {
    const { review, write } = setUp();
    await write({ ...glass, patient: 'p\u0000q', actor: { id: 'u\u0000', type: 'user' } });
    await review().scan();
    expect((await review().list(scope)).reviews[0]).toMatchObject({ patient: 'p\ufffdq', actor: 'u\ufffd' });
  });
});

describe('a sign-off', () => {
  test('is an event, in the name of whoever signs', async () => {
    const { stores, review, write } = setUp();
    await write(glass);
    const { scan, list, signOff } = review();
    await scan();
    const id = (await list(scope)).reviews[0]?.id ?? '';
    const result = await signOff(officer, { id, outcome: 'appropriate', note: 'Seen with the unit' });
    expect(result).toMatchObject({ status: 'signed', review: { signed: { by: 'officer-1', outcome: 'appropriate' } } });
    const [sealed] = (await stores.audit.search(scope, { action: 'audit.review' })).events;
    expect(sealed && openEvent(sealed.body)).toMatchObject({
      kind: 'update',
      outcome: 'success',
      actor: { id: 'officer-1', role: 'compliance' },
      target: { type: 'review', id },
      detail: { outcome: 'appropriate' },
      reason: 'Seen with the unit',
      purpose: 'HOPERAT',
    });
    expect((await list(scope)).reviews).toEqual([]);
    expect(await signOff(officer, { id, outcome: 'violation' })).toMatchObject({ status: 'taken' });
    expect((await stores.audit.search(scope, { action: 'audit.review' })).events).toHaveLength(1);
  });

  test('of what one did oneself is refused, and that is an event too', async () => {
    const { stores, review, write } = setUp();
    await write({ ...glass, actor: { id: 'officer-1', type: 'user' } });
    const { scan, list, signOff } = review();
    await scan();
    const id = (await list(scope)).reviews[0]?.id ?? '';
    expect(await signOff(officer, { id, outcome: 'appropriate' })).toEqual({ status: 'own' });
    expect((await stores.audit.search(scope, { outcome: 'denied', action: 'audit.review' })).events).toHaveLength(1);
    expect(await signOff(officer, { id, outcome: 'appropriate', own: true })).toMatchObject({ status: 'signed' });
  });
});

test.each([[[{ id: 'Upper' }]], [[{ id: '' }]], [[{ id: 'a' }, { id: 'a' }]], [[{ id: 'a', windowMs: 86_400_001 }]]])(
  'rules %j are refused',
  (rules) => {
    const look = (): undefined => undefined;
    const { stores } = setUp();
    expect(() => createReview({ ...stores, rules: rules.map((rule) => ({ ...rule, look })) })).toThrow(
      expect.objectContaining({ code: 'invalid_configuration' }),
    );
  },
);
