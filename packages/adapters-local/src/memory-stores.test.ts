import type { Stores } from '@medzen/core';
import { createSamples, fakeClock, logStoreCases, runContract, type StoreContext } from '@medzen/testing';
import { expect, test } from 'vitest';
import { putStores } from '../../../test/put-stores.ts';
import { memoryStores } from './memory-stores.ts';

type Context = StoreContext<keyof Stores>;

function createContext(): Context {
  const clock = fakeClock();
  const { inspect, ...stores } = memoryStores({ clock });
  return {
    stores,
    scope: { tenant: 'clinic-a' },
    otherScope: { tenant: 'clinic-b' },
    clock,
    advance: async (ms) => clock.advance(ms),
    reader: {
      countEvents: async () => inspect.countEvents(),
      eventsFor: async (id) => inspect.eventsFor(id),
    },
    damage: async (id, body) => inspect.damage(id, body),
    alterIdentity: async (pseudonym, value) => inspect.alterIdentity(pseudonym, value),
    keepErasable: async (kinds) => inspect.keepErasable(kinds),
  };
}

putStores('memory', { create: createContext });

test('a store that tells a purge before its event has a leaf fails the contract', async () => {
  const cases = logStoreCases.filter(({ id }) => id === 'log.archive.purge');
  const run = (hasty: boolean) =>
    runContract(cases, {
      capabilities: ['owner'],
      createContext: () => {
        const context = createContext();
        const { log } = context.stores;
        const readLeaves: typeof log.readLeaves = async (...range) =>
          (await log.readLeaves(...range)).map((leaf) => (leaf.body === undefined ? { ...leaf, purged: true } : leaf));
        return hasty ? { ...context, stores: { ...context.stores, log: { ...log, readLeaves } } } : context;
      },
    });
  expect((await run(false)).failed).toEqual([]);
  expect((await run(true)).failed).toHaveLength(1);
});

test('what a caller gave or got can be changed without changing what is stored', async () => {
  const { stores, scope, clock } = createContext();
  const samples = createSamples({ scope, clock });
  const event = samples.event();
  const bytes = event.body.slice();
  await stores.audit.append(scope, [event]);
  event.body.fill(0);
  const [found] = (await stores.audit.search(scope, {})).events;
  expect(found?.body).toEqual(bytes);
  found?.body.fill(0);
  expect((await stores.audit.search(scope, {})).events[0]?.body).toEqual(bytes);
});

test('takes no event that is not written as canonical JSON, which the log would later take for altered', async () => {
  const { stores, scope, clock } = createContext();
  const event = createSamples({ scope, clock }).event();
  const text = new TextDecoder().decode(event.body);
  for (const other of [`${text}\n`, text.replace(',"id":', ', "id":'), text.replace('{', '{"action":"a.b",')]) {
    const body = new TextEncoder().encode(other);
    await expect(stores.audit.append(scope, [{ ...event, body }])).rejects.toMatchObject({ code: 'invalid_input' });
  }
  await stores.audit.append(scope, [event]);
});

test('refuses a search between dates that are none, where it would find nothing', async () => {
  const { stores, scope } = createContext();
  for (const query of [{ from: new Date('yesterday') }, { to: new Date('yesterday') }])
    await expect(stores.audit.search(scope, query)).rejects.toMatchObject({ code: 'invalid_input' });
});
