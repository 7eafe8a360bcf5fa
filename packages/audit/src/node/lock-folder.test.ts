import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FolderLock, lockFolder } from './lock-folder.ts';
import { type ProcessIdentity, thisProcess } from './process-identity.ts';

let folder: string;
const open: FolderLock[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'medzen-lock-'));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((lock) => lock.release()));
  await rm(folder, { recursive: true });
});

/** As in a container, where every process is the first. */
const container = (name: string): ProcessIdentity => ({ place: `boot pid:[${name}]`, pid: 1, start: '7' });
const beatMs = 20;

async function take(self?: ProcessIdentity): Promise<FolderLock> {
  const lock = await lockFolder(folder, { beatMs, ...(self && { self }) });
  open.push(lock);
  return lock;
}

/** The lock of a process that was killed: it is as it was, and nothing moves it. */
const leave = (self: ProcessIdentity, generation: number): Promise<void> =>
  writeFile(join(folder, `lock.0000000${generation}`), JSON.stringify({ ...self, beat: '000000000009' }));

const busy = { code: 'invalid_configuration' };

describe('a folder', () => {
  it('is not given to a second container while the first one lives, though both are process 1', async () => {
    const first = await take(container('a'));
    await expect(take(container('b'))).rejects.toMatchObject(busy);
    expect(await first.held()).toBe(true);
    expect(await readdir(folder)).toEqual(['lock.00000001']);
  });

  it('is given to the next container when the one before shows no sign of life, and at once when it gave it back', async () => {
    await leave(container('a'), 3);
    const second = await take(container('b'));
    expect(second.generation).toBe(4);
    await second.release();
    open.pop();
    expect((await take(container('c'))).generation).toBe(5);
    expect(await readdir(folder)).toEqual(['lock.00000005']);
  });

  it('is given to one of many that come at once for a dead one’s', async () => {
    await leave(container('a'), 1);
    const came = await Promise.allSettled(['b', 'c', 'd', 'e', 'f'].map((name) => take(container(name))));
    expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await open[0]?.held()).toBe(true);
  });

  it('is no longer held by one that stood still until another followed, nor by it again after that one left', async () => {
    const frozen = await take(container('a'));
    await leave(container('b'), 2);
    expect(await frozen.held()).toBe(false);
    const third = await take(container('c'));
    expect(third.generation).toBe(3);
    expect(await frozen.held()).toBe(false);
    expect(await third.held()).toBe(true);
  });

  it('is not given to this process twice, and says so without waiting', async () => {
    await take();
    await expect(lockFolder(folder, { beatMs: 1e9 })).rejects.toMatchObject(busy);
  });

  it.runIf(process.platform === 'linux')(
    'is taken at once from a process of this place that is gone, or is another one by now',
    async () => {
      const child = spawn(process.execPath, ['-e', '0']);
      await new Promise((resolve) => child.on('exit', resolve));
      const dead = { ...thisProcess(), pid: child.pid ?? 0, start: '1' };
      await leave(dead, 1);
      open.push(await lockFolder(folder, { beatMs: 1e9 }));
      await leave({ ...thisProcess(), start: '1' }, 2); // our number, before us
      open.push(await lockFolder(folder, { beatMs: 1e9 }));
      expect(await readdir(folder)).toEqual(['lock.00000003']);
    },
  );

  it.each(['', 'torn', '{"pid":1}', 'null', '1'])('is not lost to a lock that says nothing: %j', async (text) => {
    await writeFile(join(folder, 'lock.00000001'), text);
    expect((await take()).generation).toBe(2);
  });
});
