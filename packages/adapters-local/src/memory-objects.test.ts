import {
  brokenObjectStores,
  fakeClock,
  type ObjectStoreContext,
  objectStoreCases,
  registerCases,
  runContract,
} from '@medzen/testing';
import { describe, expect, test } from 'vitest';
import { memoryObjects } from './memory-objects.ts';

const capabilities = [
  'conditional-put',
  'link-headers',
  'delete-markers',
  'object-lock',
  'lock-heads',
  'movable-clock',
  'direct-read',
  'outage',
];

function context(): ObjectStoreContext {
  const clock = fakeClock();
  const objects = memoryObjects({ clock });
  return {
    objects,
    fetch: (url, init) => objects.fetch(new Request(url, init)),
    addDeleteMarker: async (key) => objects.addDeleteMarker(key),
    leaveUpload: () => Promise.reject(new Error('not declared')),
    lock: async (key, versionId) => objects.setLocked({ key, versionId }, true),
    advance: async (ms) => clock.advance(ms),
    readDirectly: async (key, versionId) => {
      const got = await objects.get(key, { versionId });
      return new Uint8Array(await new Response(got?.body as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer()); // bytes are bytes to a Response
    },
    breakDown: async () => objects.setDown(true),
  };
}

describe('objects in memory', { meta: { carrier: 'memory objects' } }, () => {
  const options = { test, skip: test.skip, capabilities, createContext: context };
  const { skipped } = registerCases(objectStoreCases, options);
  test('leave out what only a store with unfinished uploads can show', () => {
    expect(skipped.map(({ id }) => id)).toEqual(['objects.uploads.abort']);
  });
});

describe('the object store suite', () => {
  // the one about uploads is found out by a store that has them, on disk
  for (const broken of brokenObjectStores.filter(({ caughtBy }) => caughtBy !== 'objects.uploads.abort')) {
    test(`finds out a store that ${broken.title}`, async () => {
      const report = await runContract(objectStoreCases, {
        capabilities,
        createContext: () => {
          const right = context();
          return { ...right, objects: broken.break(right.objects) };
        },
      });
      expect(report.failed.map(({ id }) => id)).toContain(broken.caughtBy);
    });
  }
});
