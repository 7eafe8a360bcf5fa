import type { ObjectStore } from '@medzen/core';

/** A store that is wrong in one way on purpose, and a case that must notice. */
export interface BrokenObjectStore {
  readonly id: string;
  /** What is wrong with it. */
  readonly title: string;
  /** At least this case must fail. */
  readonly caughtBy: string;
  /** Breaks a right one. */
  break(objects: ObjectStore): ObjectStore;
}

/** Stores that `objectStoreCases` must find out: a suite that nothing fails proves nothing. */
export const brokenObjectStores: readonly BrokenObjectStore[] = [
  {
    id: 'forgets-digest',
    title: 'does not compare the digest that was asked for',
    caughtBy: 'objects.put.digest',
    break: (objects) => ({
      ...objects,
      put: (key, body, { sha256: _, contentLength: __, ...options }) => objects.put(key, body, options),
    }),
  },
  {
    id: 'overwrites',
    title: 'keeps the newest version only',
    caughtBy: 'objects.put.versions',
    break: (objects) => ({
      ...objects,
      put: async (key, body, options) => {
        const head = await objects.put(key, body, options);
        const { versions } = await objects.listVersions(key);
        const old = versions.filter((version) => version.key === key && version.versionId !== head.versionId);
        await objects.deleteVersions(old);
        return head;
      },
    }),
  },
  {
    id: 'stops-listing',
    title: 'shows the first page only',
    caughtBy: 'objects.list.pages',
    break: (objects) => ({
      ...objects,
      listVersions: async (prefix, options) => ({ versions: (await objects.listVersions(prefix, options)).versions }),
    }),
  },
  {
    id: 'hides-markers',
    title: 'leaves delete markers out of its listing',
    caughtBy: 'objects.list.markers',
    break: (objects) => ({
      ...objects,
      listVersions: async (prefix, options) => {
        const page = await objects.listVersions(prefix, options);
        return { ...page, versions: page.versions.filter((version) => !version.isDeleteMarker) };
      },
    }),
  },
  {
    id: 'swallows-locks',
    title: 'reports locked versions as deleted',
    caughtBy: 'objects.delete.locked',
    break: (objects) => ({
      ...objects,
      deleteVersions: async (versions) => {
        await objects.deleteVersions(versions);
        return { deleted: versions.map(({ key, versionId }) => ({ key, versionId })), errors: [] };
      },
    }),
  },
  {
    id: 'hides-locks',
    title: 'does not tell which version is locked',
    caughtBy: 'objects.head.lock',
    break: (objects) => ({
      ...objects,
      head: async (key, versionId, options) => {
        const { lock: _, ...head } = (await objects.head(key, versionId, options)) ?? { lock: undefined };
        return 'key' in head ? head : undefined;
      },
    }),
  },
  {
    id: 'deaf',
    title: 'does not look at the signal',
    caughtBy: 'objects.signal.aborted',
    break: (objects) => ({ ...objects, deleteVersions: (versions) => objects.deleteVersions(versions) }),
  },
  {
    id: 'moves',
    title: 'says another location after each call',
    caughtBy: 'objects.location',
    break: (objects) => {
      let calls = 0;
      return {
        ...objects,
        get location() {
          calls += 1;
          return { ...objects.location, bucket: `${objects.location.bucket}-${calls}` };
        },
      };
    },
  },
  {
    id: 'ignores-version',
    title: 'answers the newest version whatever was asked for',
    caughtBy: 'objects.put.versions',
    break: (objects) => ({
      ...objects,
      get: (key, { versionId: _, ...options } = {}) => objects.get(key, options),
    }),
  },
  {
    id: 'ignores-range',
    title: 'answers the whole for a part',
    caughtBy: 'objects.get.range',
    break: (objects) => ({
      ...objects,
      get: (key, { range: _, ...options } = {}) => objects.get(key, options),
    }),
  },
  {
    id: 'folds-case',
    title: 'takes upper and lower case for the same key, as some file systems do',
    caughtBy: 'objects.keys.hostile',
    break: (objects) => ({
      ...objects,
      put: (key, body, options) => objects.put(key.toLowerCase(), body, options),
      get: (key, options) => objects.get(key.toLowerCase(), options),
      head: (key, versionId) => objects.head(key.toLowerCase(), versionId),
    }),
  },
  {
    id: 'races',
    title: 'looks before it puts instead of refusing in one step',
    caughtBy: 'objects.put.refuse',
    break: (objects) => ({
      ...objects,
      put: async (key, body, { ifExists, ...options }) => {
        if (ifExists === 'refuse' && (await objects.head(key)) !== undefined) {
          return objects.put(key, body, { ...options, ifExists });
        }
        return objects.put(key, body, options);
      },
    }),
  },
  {
    id: 'eternal-links',
    title: 'signs links that never end',
    caughtBy: 'objects.link.expires',
    break: (objects) => ({
      ...objects,
      presignGet: (key, options) => objects.presignGet(key, { ...options, expiresInSeconds: 604_800 }),
    }),
  },
  {
    id: 'keeps-uploads',
    title: 'counts unfinished uploads without aborting them',
    caughtBy: 'objects.uploads.abort',
    break: (objects) => ({ ...objects, abortUploads: async () => 1 }),
  },
  {
    id: 'tears-pages',
    title: 'deletes the first part of a call that is too long before it refuses it',
    caughtBy: 'objects.delete.many',
    break: (objects) => ({
      ...objects,
      deleteVersions: async (versions) => {
        if (versions.length > 1000) await objects.deleteVersions(versions.slice(-1));
        return objects.deleteVersions(versions);
      },
    }),
  },
];
