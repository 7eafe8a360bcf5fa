import { at, holds, present, rejects, same } from '../assertions.ts';
import { bytesOf, type Case, contentOf, contentType, define, everything } from './object-case.ts';

/** `listVersions`, `deleteVersions` and `abortUploads`: what makes a deletion provable. */
export const versionCases: readonly Case[] = [
  define('list.pages', 'pages of any size show each version once', async ({ objects }) => {
    const want: string[] = [];
    for (const key of ['p/a', 'p/a', 'p/b', 'p/b', 'p/b', 'p/c/d', 'p/é']) {
      want.push(`${key} ${(await objects.put(key, bytesOf(key), { contentType })).versionId}`);
    }
    await objects.put('pa', bytesOf('x'), { contentType });
    for (const limit of [1, 2, 3, 1000]) {
      const all = await everything(objects, 'p/', limit);
      const seen = all.map((version) => `${version.key} ${version.versionId}`);
      same([...seen].sort(), [...want].sort(), `pages of ${limit}`);
    }
    same((await everything(objects, 'p')).length, 8, 'a prefix is of the text, not of a folder');
    same((await everything(objects, 'p/c')).length, 1, 'nor of whole segments');
    same(await everything(objects, 'q'), [], 'nothing under another');
    await rejects(objects.listVersions('', { limit: 0 }), 'invalid_input', 'a limit of 0');
    await rejects(objects.listVersions('', { limit: 1001 }), 'invalid_input', 'a limit of 1001');
    await rejects(objects.listVersions('', { cursor: 'not a cursor' }), 'invalid_input', 'a foreign cursor');
  }),

  define(
    'list.markers',
    'a delete marker hides its key, is listed, and is removed like a version',
    async ({ objects, addDeleteMarker }) => {
      const { versionId } = await objects.put('a', bytesOf('x'), { contentType });
      const marker = await addDeleteMarker('a');
      same(await objects.head('a'), undefined, 'hidden');
      same(await objects.head('a', marker), undefined, 'a marker is no object');
      same(await objects.get('a'), undefined, 'nothing to get');
      same(await contentOf(objects, 'a', versionId), 'x', 'the version is still there');
      const listed = await everything(objects, 'a');
      same(
        listed.map((version) => [version.versionId, version.isDeleteMarker, version.isLatest, version.size]).sort(),
        [
          [versionId, false, false, 1],
          [marker, true, true, 0],
        ].sort(),
        'both are listed',
      );
      await objects.deleteVersions([{ key: 'a', versionId: marker }]);
      same(await contentOf(objects, 'a'), 'x', 'back again');
    },
    ['delete-markers'],
  ),

  define(
    'delete.all',
    'deleted versions are gone for good, and gone already counts as deleted',
    async ({ objects }) => {
      const one = await objects.put('a', bytesOf('1'), { contentType });
      const two = await objects.put('a', bytesOf('2'), { contentType });
      const both = [one, two].map(({ key, versionId }) => ({ key, versionId }));
      const first = await objects.deleteVersions(both);
      same([first.deleted.length, first.errors], [2, []], 'both deleted');
      same(await everything(objects, ''), [], 'nothing listed');
      same(await objects.head('a'), undefined, 'no object');
      const again = await objects.deleteVersions(both);
      same([again.deleted.length, again.errors], [2, []], 'twice is once');
      same(await objects.deleteVersions([]), { deleted: [], errors: [] }, 'none is none');
    },
  ),

  define('delete.many', 'a thousand versions go at once, more are refused', async ({ objects }) => {
    const kept = await objects.put('kept', bytesOf('x'), { contentType });
    const one = await objects.put('a', bytesOf('x'), { contentType });
    const row = { key: 'a', versionId: one.versionId };
    const thousand = Array.from({ length: 1000 }, (_, i) =>
      i === 0 ? row : { key: `b${i}`, versionId: one.versionId },
    );
    const result = await objects.deleteVersions(thousand);
    same(result.deleted.length + result.errors.length, 1000, 'each has an outcome');
    same(await objects.head('a', one.versionId), undefined, 'the one is gone');
    const { key, versionId } = kept;
    await rejects(objects.deleteVersions([...thousand, { key, versionId }]), 'invalid_input', '1001');
    present(await objects.head('kept'), 'nothing of a refused call is done');
  }),

  define(
    'delete.locked',
    'a locked version is an error of its own, and the others go',
    async ({ objects, lock }) => {
      const held = await objects.put('held', bytesOf('x'), { contentType });
      const free = await objects.put('free', bytesOf('x'), { contentType });
      await lock('held', held.versionId);
      const result = await objects.deleteVersions([
        { key: 'held', versionId: held.versionId },
        { key: 'free', versionId: free.versionId },
      ]);
      same(result.deleted, [{ key: 'free', versionId: free.versionId }], 'the free one is gone');
      const error = at(result.errors, 0, 'errors');
      same([error.key, error.versionId, error.reason], ['held', held.versionId, 'locked'], 'the held one is named');
      present(await objects.head('held'), 'and still there');
    },
    ['object-lock'],
  ),

  define(
    'head.lock',
    'a head tells of the lock of its version, and of none where there is none',
    async ({ objects, lock }) => {
      const held = await objects.put('held', bytesOf('x'), { contentType });
      const free = await objects.put('free', bytesOf('x'), { contentType });
      await lock('held', held.versionId);
      const { lock: told } = present(await objects.head('held', held.versionId), 'the held one');
      holds(told?.legalHold === true || told?.retainUntil !== undefined, 'the head does not tell of the lock');
      same(present(await objects.head('free', free.versionId), 'the free one').lock, undefined, 'a lock on a free one');
    },
    ['object-lock', 'lock-heads'],
  ),

  define(
    'uploads.abort',
    'an upload left behind is seen by abortUploads only, and gone after it',
    async ({ objects, leaveUpload }) => {
      await leaveUpload('p/a');
      await leaveUpload('q/a');
      same(await everything(objects, ''), [], 'no version');
      same(await objects.abortUploads('p/'), 1, 'one under the prefix');
      same(await objects.abortUploads('p/'), 0, 'none after');
      same(await objects.abortUploads(''), 1, 'the other was left alone');
    },
    ['unfinished-uploads'],
  ),
];
