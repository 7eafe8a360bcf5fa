import { memoryStores } from '@medzen/adapters-local';
import type { ObjectStore } from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import { expect, test } from 'vitest';
import { objectTiles } from '../object-tiles.ts';
import { publishLog } from '../publish-log.ts';
import { type ArchivedLog, archivedLog, prefix, purgedBy, verifierKeys } from './archiver.fixture.ts';
import { verifyArchive } from './verify-archive.ts';

const gone = { code: 'store_unavailable', retryable: true };
const silent = new Promise<never>(() => {});
/** Short only for what never answers. */
const deadlines = { callMs: 50, stallMs: 50 };

async function log(): Promise<ArchivedLog> {
  const clock = fakeClock();
  const stores = memoryStores({ clock });
  return archivedLog(
    {
      ...{ stores, clock, scope: { tenant: 'clinic-a' }, otherScope: { tenant: 'clinic-b' } },
      advance: async (ms) => clock.advance(ms),
      reader: {
        countEvents: async () => stores.inspect.countEvents(),
        eventsFor: async (id) => stores.inspect.eventsFor(id),
      },
    },
    [3, 3],
  );
}

/** The object store, one of whose methods never answers, or never comes to the end of a body. */
function silenced(objects: ObjectStore, what: 'put' | 'head' | 'get' | 'body'): ObjectStore {
  if (what !== 'body') return { ...objects, [what]: () => silent };
  const get: ObjectStore['get'] = async (key, options) => {
    const found = await objects.get(key, options);
    return found && { ...found, body: new ReadableStream({ pull: () => silent }) };
  };
  return { ...objects, get };
}

test.each(['put', 'head', 'get'] as const)(
  'an archiver without a signal comes back from %s, and goes on later',
  async (what) => {
    const { objects, again, archiver } = await log();
    await expect(again({ objects: silenced(objects, what), deadlines }).archive()).rejects.toMatchObject(gone);
    expect(await archiver.archive()).toMatchObject({ status: 'archived' });
  },
);

test.each(['get', 'body'] as const)(
  'a verification of the archive, and a purge, come back from a silent %s',
  async (what) => {
    const { objects, again, archiver, context } = await log();
    await archiver.archive();
    const range = { prefix, first: 0, end: 3, verifierKeys };
    expect(await verifyArchive({ ...range, objects })).toMatchObject({ ok: true });
    const other = silenced(objects, what);
    await expect(verifyArchive({ ...range, objects: other, deadlines })).rejects.toMatchObject(gone);
    await context.advance(7 * 366 * 86_400_000);
    await expect(again({ objects: other, deadlines }).purge(purgedBy)).rejects.toMatchObject(gone);
  },
);

test.each(['get', 'body', 'put'] as const)('a publication comes back from a silent %s', async (what) => {
  const { objects, context } = await log();
  await publishLog({ store: context.stores.log, target: objectTiles(objects, 'log/') });
  const target = objectTiles(silenced(objects, what), what === 'put' ? 'other/' : 'log/', deadlines);
  await expect(publishLog({ store: context.stores.log, target })).rejects.toMatchObject(gone);
});
