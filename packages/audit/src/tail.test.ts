import { memoryStores } from '@medzen/adapters-local';
import { type LogStore, type SealedEvent, sealEvent } from '@medzen/core';
import { describe, expect, test } from 'vitest';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';
import { type TailBatch, tail } from './tail.ts';

const scope = { tenant: 'default' };
const signer = createSigner({ origin: 'example.org/audit', privateKey: new Uint8Array(32).fill(7) });

function setUp() {
  const { inspect, ...stores } = memoryStores();
  const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer });
  return {
    stores,
    inspect,
    /** Writes so many events and sequences them. */
    write: async (count: number): Promise<readonly string[]> => {
      const events: SealedEvent[] = Array.from({ length: count }, () =>
        sealEvent({
          tenant: scope.tenant,
          action: 'note.view',
          kind: 'read',
          outcome: 'success',
          actor: { id: 'u1', type: 'user' },
          source: {},
        }),
      );
      await stores.audit.append(scope, events);
      await sequencer.tick();
      return events.map(({ id }) => id).sort(); // as the log orders what one call appended
    },
  };
}

const idsOf = ({ events }: TailBatch): readonly string[] => events.map(({ event }) => event.id);

describe('a tail', () => {
  test('gives every event in the order of the log, and goes on where it was asked for more', async () => {
    const { stores, write } = setUp();
    const ids = await write(5);
    const given: string[] = [];
    for await (const batch of tail(stores, { name: 'siem', batch: 2 })) {
      given.push(...idsOf(batch));
      if (given.length === 4) break; // the second batch was not asked past: it comes again
    }
    expect(given).toEqual(ids.slice(0, 4));
    expect(await stores.cursors.read('siem')).toBe(2);
    const more = await tail(stores, { name: 'siem', batch: 10 }).next();
    expect(more.value && idsOf(more.value)).toEqual(ids.slice(2));
    expect(more.value).toMatchObject({ from: 2, to: 5, purged: 0, damaged: [] });
  });

  test('gives a batch again whose receiver failed', async () => {
    const { stores, write } = setUp();
    const ids = await write(3);
    const ship = async (): Promise<void> => {
      for await (const _ of tail(stores, { name: 'siem' })) throw new Error('The SIEM is down');
    };
    await expect(ship()).rejects.toThrow('down');
    const { value } = await tail(stores, { name: 'siem' }).next();
    expect(value && idsOf(value)).toEqual(ids);
  });

  test('waits for what is new, and ends by its signal, once what was shipped is noted', async () => {
    const { stores, write } = setUp();
    const stop = new AbortController();
    const given: string[] = [];
    const running = (async () => {
      for await (const batch of tail(stores, { name: 'siem', pollMs: 1, signal: stop.signal })) {
        given.push(...idsOf(batch));
        if (given.length === 3) stop.abort();
      }
    })();
    const first = await write(2);
    const second = await write(1);
    await running;
    expect(given).toEqual([...first, ...second]);
    expect(await stores.cursors.read('siem')).toBe(3);
    const idle = new AbortController();
    const waiting = tail(stores, { name: 'siem', pollMs: 3_600_000, signal: idle.signal }).next();
    idle.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  test('reads nothing ahead of a slow receiver', async () => {
    const { stores, write } = setUp();
    await write(6);
    let reads = 0;
    const log: Pick<LogStore, 'readLeaves'> = {
      readLeaves: (from, limit) => {
        reads++;
        return stores.log.readLeaves(from, limit);
      },
    };
    const batches = tail({ ...stores, log }, { name: 'siem', batch: 2 });
    await batches.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(reads).toBe(1);
    await batches.next();
    expect(reads).toBe(2);
  });

  test('of a name that another one goes by stops, and moves nothing', async () => {
    const { stores, write } = setUp();
    await write(4);
    const [one, other] = [tail(stores, { name: 'siem', batch: 2 }), tail(stores, { name: 'siem', batch: 3 })];
    await Promise.all([one.next(), other.next()]);
    await one.next();
    await expect(other.next()).rejects.toMatchObject({ code: 'conflict' });
    expect(await stores.cursors.read('siem')).toBe(2);
  });

  test('counts what was purged, and names what is gone without that or was altered', async () => {
    const { stores, write, inspect } = setUp();
    const [a = '', b = '', c = '', d = ''] = await write(4);
    inspect.damage(a, undefined);
    inspect.damage(b, undefined);
    inspect.damage(c, new TextEncoder().encode('{"v":1}'));
    const log: Pick<LogStore, 'readLeaves'> = {
      readLeaves: async (from, limit) =>
        (await stores.log.readLeaves(from, limit)).map((leaf) =>
          leaf.eventId === a ? { ...leaf, purged: true } : leaf,
        ),
    };
    const { value } = await tail({ ...stores, log }, { name: 'siem' }).next();
    expect(value && idsOf(value)).toEqual([d]);
    expect(value).toMatchObject({
      purged: 1,
      damaged: [
        { index: 1, eventId: b },
        { index: 2, eventId: c },
      ],
    });
  });

  test.each([{ batch: 0 }, { batch: 10_001 }, { pollMs: -1 }, { pollMs: Number.NaN }])('refuses %j', async (given) => {
    const { stores } = setUp();
    await expect(tail(stores, { name: 'siem', ...given }).next()).rejects.toMatchObject({
      code: 'invalid_configuration',
    });
  });
});
