import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directoryTiles } from './directory-tiles.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'medzen-tiles-'));
});
afterEach(() => rm(folder, { recursive: true }));

const immutable = { contentType: 'application/octet-stream', immutable: true };

describe('a log’s files in a folder', () => {
  it('are read as they were written, and an immutable one never changes', async () => {
    const tiles = directoryTiles(folder);
    expect(await tiles.read('tile/0/000')).toBeUndefined();
    await tiles.write('tile/0/000', Uint8Array.of(1), immutable);
    await tiles.write('tile/0/000', Uint8Array.of(1), immutable);
    const other = tiles.write('tile/0/000', Uint8Array.of(2), immutable);
    await expect(other).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
    expect(await tiles.read('tile/0/000')).toEqual(Uint8Array.of(1));
    await tiles.write('checkpoint', Uint8Array.of(3), { ...immutable, immutable: false });
    await tiles.write('checkpoint', Uint8Array.of(4), { ...immutable, immutable: false });
    expect(await tiles.read('checkpoint')).toEqual(Uint8Array.of(4));
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['checkpoint', 'tile', 'tile/0', 'tile/0/000']);
  });

  it('lie in the folder, wherever a path leads', async () => {
    const tiles = directoryTiles(folder);
    for (const path of ['../outside', 'tile/../../outside', ''])
      await expect(tiles.read(path)).rejects.toMatchObject({ code: 'invalid_input' });
  });

  it('leave nothing behind where they cannot be written', async () => {
    const tiles = directoryTiles(folder);
    await mkdir(join(folder, 'checkpoint'));
    const write = tiles.write('checkpoint', Uint8Array.of(3), { ...immutable, immutable: false });
    await expect(write).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(tiles.read('checkpoint')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await readdir(folder)).toEqual(['checkpoint']);
  });
});
