import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signCheckpoint } from '../checkpoint.ts';
import { createSigner } from '../signer.ts';
import { leafHash } from '../tree-hash.ts';
import type { WitnessState } from '../witness-store.ts';
import { fileWitnessStore } from './file-witness-store.ts';

const origin = 'clinic.example/audit: with / and ..';
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'medzen-witness-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function state(size: number, of = 'clinic.example/audit'): Promise<WitnessState> {
  const signer = createSigner({ origin: of, privateKey: new Uint8Array(32).fill(7) });
  const root = leafHash(Uint8Array.of(size));
  return { size, root, checkpoint: await signCheckpoint({ origin: of, size, root }, signer) };
}

describe('the memory of a witness in a folder', () => {
  it('remembers the last checkpoint of each log, past a restart', async () => {
    const [one, two] = ['clinic.example/audit', 'hospital.example/audit'];
    const store = await fileWitnessStore(folder);
    expect(await store.read(one)).toBeUndefined();
    expect(await store.replace(one, 0, await state(5))).toBe(true);
    expect(await store.replace(two, 0, await state(7, two))).toBe(true);
    expect(await store.replace(one, 5, await state(9))).toBe(true);
    await store.close();
    const again = await fileWitnessStore(folder);
    expect(await again.read(one)).toEqual(await state(9));
    expect(await again.read(two)).toEqual(await state(7, two));
    await again.close();
  });

  it('says so when the folder cannot be used', async () => {
    await writeFile(join(folder, 'file'), '');
    for (const path of ['file', 'file/below'])
      await expect(fileWitnessStore(join(folder, path))).rejects.toMatchObject({ code: 'invalid_configuration' });
  });

  it('swaps for one of several at once', async () => {
    const store = await fileWitnessStore(folder);
    const states = await Promise.all([1, 2, 3].map((size) => state(size)));
    const swapped = await Promise.all(states.map((next) => store.replace('clinic.example/audit', 0, next)));
    expect(swapped).toEqual([true, false, false]);
    expect((await store.read('clinic.example/audit'))?.size).toBe(1);
    await store.close();
  });

  it('does not take a damaged memory for none, nor one log’s for another’s', async () => {
    const store = await fileWitnessStore(folder);
    await store.replace('clinic.example/audit', 0, await state(5));
    const file = (await readdir(folder)).find((name) => name.endsWith('.checkpoint')) ?? '';
    for (const text of ['', 'torn', (await state(5, 'other.example')).checkpoint]) {
      await writeFile(join(folder, file), text);
      await expect(store.read('clinic.example/audit')).rejects.toMatchObject({ code: 'store_unavailable' });
      const swap = store.replace('clinic.example/audit', 0, await state(6));
      await expect(swap).rejects.toMatchObject({ code: 'store_unavailable' });
    }
    await store.close();
  });

  it('is one process’s own, and holds any origin in a file of its folder', async () => {
    const store = await fileWitnessStore(folder);
    expect(await store.read(origin)).toBeUndefined();
    await expect(fileWitnessStore(folder)).rejects.toMatchObject({ code: 'invalid_configuration' });
    await store.close();
    await (await fileWitnessStore(folder)).close();
  });

  it('remembers nothing for a process that another one has taken for dead: that one would sign a second history', async () => {
    const frozen = await fileWitnessStore(folder);
    await writeFile(join(folder, 'lock.00000002'), 'free');
    const swap = frozen.replace('clinic.example/audit', 0, await state(5));
    await expect(swap).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await frozen.read('clinic.example/audit')).toBeUndefined();
    await frozen.close();
  });
});
