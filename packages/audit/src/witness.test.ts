import { createPublicKey, verify } from 'node:crypto';
import { memoryStores } from '@medzen/adapters-local';
import {
  type AuditEventDraft,
  createIds,
  fromBase64,
  isMedzenError,
  type LogStore,
  sealEvent,
  sha256,
  systemRandom,
  toBase64,
} from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddCheckpoint } from './add-checkpoint.ts';
import { isSignedByLog, openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { consistencyProof } from './consistency-proof.ts';
import { cosign, createCosigner } from './cosigner.ts';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';
import { leafHash, treeHash } from './tree-hash.ts';
import { createWitness } from './witness.ts';
import { witnessClient } from './witness-client.ts';
import { memoryWitnessStore, type WitnessStore } from './witness-store.ts';

const origin = 'example.org/audit';
const signer = createSigner({ origin, privateKey: new Uint8Array(32).fill(7) });
const stranger = createSigner({ origin, privateKey: new Uint8Array(32).fill(6) });
const cosigner = createCosigner({ name: 'witness.example/w1', privateKey: new Uint8Array(32).fill(9) });
const leaves = Array.from({ length: 40 }, (_, i) => leafHash(Uint8Array.of(i)));
const clock = fakeClock(new Date('2026-11-22T10:00:00.400Z'));

const checkpointOf = (hashes: readonly Uint8Array[], by = signer): Promise<string> =>
  signCheckpoint({ origin: by.origin, size: hashes.length, root: treeHash(hashes) }, by);

/** A witness of our log, and what it answers to a request for the tree of a size. */
function witnessed(store: WitnessStore = memoryWitnessStore()) {
  const witness = createWitness({ cosigner, store, clock, logs: [{ origin, verifierKeys: [signer.verifierKey] }] });
  const post = (body: string): Promise<Response> =>
    witness.fetch(new Request('https://witness.example/x/add-checkpoint', { method: 'POST', body }));
  const add = async (oldSize: number, size: number, given?: readonly Uint8Array[]): Promise<Response> => {
    const grown = (): readonly Uint8Array[] => consistencyProof({ leafHashes: leaves.slice(0, size), size1: oldSize });
    const proof = given ?? (oldSize === 0 ? [] : grown());
    return post(formatAddCheckpoint({ oldSize, proof, checkpoint: await checkpointOf(leaves.slice(0, size)) }));
  };
  return { witness, store, post, add };
}

describe('a cosignature', () => {
  it('is over the bytes that C2SP tlog-cosignature names, as node:crypto verifies', async () => {
    const body = (await checkpointOf(leaves)).split('\n\n')[0] ?? '';
    const line = await cosign(`${body}\n`, cosigner, clock);
    const payload = fromBase64(line.trimEnd().split(' ')[2] ?? '');
    const publicKey = fromBase64(cosigner.verifierKey.split('+')[2] ?? '').slice(1);
    const spki = Uint8Array.of(...fromBase64('MCowBQYDK2VwAyEA'), ...publicKey);
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    const time = new DataView(payload.buffer).getBigUint64(4);
    expect(time).toBe(1795341600n);
    const message = new TextEncoder().encode(`cosignature/v1\ntime ${time}\n${body}\n`);
    expect(verify(null, message, key, payload.slice(12))).toBe(true);
    const id = sha256(new TextEncoder().encode('witness.example/w1\n'), Uint8Array.of(4), publicKey).slice(0, 4);
    expect(payload.slice(0, 4)).toEqual(id);
  });

  it('opens with its time, beside the log’s own signature', async () => {
    const checkpoint = await checkpointOf(leaves);
    const line = await cosign(checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1), cosigner, clock);
    const opened = await openCheckpoint(checkpoint + line, [cosigner.verifierKey, signer.verifierKey]);
    expect(opened).toMatchObject({
      ok: true,
      signatures: [{ name: origin }, { name: 'witness.example/w1', cosignedAt: new Date('2026-11-22T10:00:00Z') }],
    });
    expect(opened.ok && isSignedByLog(opened)).toBe(true);
    const alone = await openCheckpoint(checkpoint + line, [cosigner.verifierKey]);
    expect(alone.ok && isSignedByLog(alone)).toBe(false);
  });

  it('of a witness that took the log’s name is still no signature of the log', async () => {
    const namesake = createCosigner({ name: origin, privateKey: new Uint8Array(32).fill(9) });
    const checkpoint = await checkpointOf(leaves);
    const body = checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1);
    const opened = await openCheckpoint(`${body}\n${await cosign(body, namesake, clock)}`, [namesake.verifierKey]);
    expect(opened.ok && !isSignedByLog(opened)).toBe(true);
  });

  it('with any bit changed is refused, its time included', async () => {
    const checkpoint = await checkpointOf(leaves);
    const line = await cosign(checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1), cosigner, clock);
    const payload = fromBase64(line.trimEnd().split(' ')[2] ?? '');
    await fc.assert(
      fc.asyncProperty(fc.nat(payload.length * 8 - 1), async (bit) => {
        const changed = payload.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const text = `${checkpoint}\u2014 witness.example/w1 ${toBase64(changed)}\n`;
        const opened = await openCheckpoint(text, [cosigner.verifierKey]);
        expect(opened.ok).toBe(false);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a witness', () => {
  it('cosigns the first checkpoint it sees, then whatever grew out of it', async () => {
    const { add, store } = witnessed();
    for (const [oldSize, size] of [
      [0, 3],
      [3, 3],
      [3, 17],
      [17, 40],
    ] as const) {
      const response = await add(oldSize, size);
      expect([size, response.status]).toEqual([size, 200]);
      const text = (await checkpointOf(leaves.slice(0, size))) + (await response.text());
      const opened = await openCheckpoint(text, [signer.verifierKey, cosigner.verifierKey]);
      expect(opened.ok && opened.signatures).toHaveLength(2);
      expect((await store.read(origin))?.size).toBe(size);
    }
  });

  it('answers 409 with the size it knows to one that starts from another', async () => {
    const { add } = witnessed();
    await add(0, 10);
    for (const oldSize of [0, 5, 11]) {
      const response = await add(oldSize, 20);
      expect(response.status).toBe(409);
      expect(response.headers.get('Content-Type')).toBe('text/x.tlog.size');
      expect(await response.text()).toBe('10\n');
    }
    expect((await add(10, 20)).status).toBe(200);
  });

  it('never cosigns another tree of a size, nor one that did not grow out of the last', async () => {
    const { add, post, store } = witnessed();
    await add(0, 10);
    const forked = [...leaves.slice(0, 9), leafHash(Uint8Array.of(99))];
    const same = await checkpointOf(forked);
    expect((await post(formatAddCheckpoint({ oldSize: 10, proof: [], checkpoint: same }))).status).toBe(409);
    const grown = [...forked, ...leaves.slice(10, 20)];
    const proof = consistencyProof({ leafHashes: grown, size1: 10 });
    const checkpoint = await checkpointOf(grown);
    expect((await post(formatAddCheckpoint({ oldSize: 10, proof, checkpoint }))).status).toBe(422);
    expect((await add(10, 20, [])).status).toBe(422);
    expect((await store.read(origin))?.size).toBe(10);
  });

  it('refuses a proof from nothing, a tree of no leaves with a root, and an old size past the new', async () => {
    const { add, post } = witnessed();
    expect((await add(0, 10, [leafHash(Uint8Array.of(1))])).status).toBe(422);
    const empty = await signCheckpoint({ origin, size: 0, root: leafHash(Uint8Array.of(1)) }, signer);
    expect((await post(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: empty }))).status).toBe(422);
    await add(0, 10);
    expect((await add(11, 10, [])).status).toBe(400);
  });

  it('answers 404 for a log it does not look after, 403 for a signature that is not the log’s', async () => {
    const { post } = witnessed();
    const other = createSigner({ origin: 'other.example', privateKey: new Uint8Array(32).fill(7) });
    const unknown = await checkpointOf(leaves, other);
    expect((await post(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: unknown }))).status).toBe(404);
    const forged = await checkpointOf(leaves, stranger);
    expect((await post(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: forged }))).status).toBe(403);
  });

  it('answers 400 to whatever is no request, 405 to another method, 413 to one without end', async () => {
    const { witness, post } = witnessed();
    const good = formatAddCheckpoint({ oldSize: 3, proof: leaves.slice(0, 2), checkpoint: await checkpointOf(leaves) });
    for (const body of [
      '',
      'old 3\n',
      good.replace('old 3', 'old 03'),
      good.replace('old 3', 'old -1'),
      good.replace('old 3', 'old 9007199254740993'),
      good.replace('old 3\n', 'old 3\r\n'),
      good.replace('=', ''),
      good.slice(0, -1),
      `old 3\n${'x'.repeat(50)}\n\n${await checkpointOf(leaves)}`,
      formatAddCheckpoint({ oldSize: 3, proof: Array(64).fill(leaves[0]), checkpoint: await checkpointOf(leaves) }),
    ])
      expect([body.slice(0, 30), (await post(body)).status]).toEqual([body.slice(0, 30), 400]);
    const get = await witness.fetch(new Request('https://witness.example/add-checkpoint'));
    expect([get.status, get.headers.get('Allow')]).toEqual([405, 'POST']);
    expect((await witness.fetch(new Request('https://witness.example/', { method: 'POST' }))).status).toBe(404);
    expect((await post('x'.repeat(500_000))).status).toBe(413);
  });

  it('survives any bytes as a request', async () => {
    const { witness } = witnessed();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (body) => {
        const request = new Request('https://w.example/add-checkpoint', { method: 'POST', body: new Uint8Array(body) });
        expect((await witness.fetch(request)).status).toBe(400);
      }),
    );
  });

  it('lets one of two requests from the same size through, whichever is first', async () => {
    const { add, store } = witnessed();
    await add(0, 10);
    const statuses = await Promise.all([add(10, 20), add(10, 15), add(10, 12)]);
    expect(statuses.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect([12, 15, 20]).toContain((await store.read(origin))?.size);
  });

  it('cosigns again what it remembers, when it crashed between remembering and signing', async () => {
    const store = memoryWitnessStore();
    const dead = createWitness({
      cosigner: { ...cosigner, sign: () => Promise.reject(new Error('killed')) },
      store,
      clock,
      logs: [{ origin, verifierKeys: [signer.verifierKey] }],
    });
    const checkpoint = await checkpointOf(leaves.slice(0, 10));
    const body = formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint });
    const request = new Request('https://w.example/add-checkpoint', { method: 'POST', body });
    expect((await dead.fetch(request)).status).toBe(503);
    expect((await witnessed(store).add(10, 10)).status).toBe(200);
  });

  it('answers 503 while its memory does not, and signs nothing', async () => {
    const down: WitnessStore = {
      read: () => Promise.reject(new Error('down')),
      replace: () => Promise.reject(new Error('down')),
    };
    const response = await witnessed(down).add(0, 10);
    expect([response.status, await response.text()]).toEqual([503, '']);
  });
});

const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  source: {},
};

/** A log in memory, its sequencer, and a witness that can be cut off. */
function sequenced(witnessMemory: WitnessStore = memoryWitnessStore()) {
  const { witness } = witnessed(witnessMemory);
  const sealing = { clock, random: systemRandom, ids: createIds(clock, systemRandom) };
  const stores = memoryStores({ clock });
  let reachable = true;
  const client = witnessClient({
    url: 'https://witness.example/',
    verifierKey: witness.verifierKey,
    fetch: (request) => (reachable ? witness.fetch(request) : Promise.reject(new TypeError('fetch failed'))),
  });
  const sequencerOver = (store: LogStore) =>
    createSequencer({ memory: 'unguarded', store, signer, clock, witnesses: [client] });
  return {
    stores,
    sequencer: sequencerOver(stores.log),
    sequencerOver,
    reach: (yes: boolean): void => {
      reachable = yes;
    },
    write: async (count: number): Promise<void> => {
      const batch = Array.from({ length: count }, () => sealEvent(draft, sealing));
      await stores.audit.append({ tenant: 'default' }, batch);
    },
  };
}

describe('a sequencer with a witness', () => {
  const keys = [signer.verifierKey, cosigner.verifierKey];

  it('has each checkpoint cosigned once it is committed', async () => {
    const { sequencer, write, stores } = sequenced();
    for (const [count, size] of [
      [3, 3],
      [300, 303],
      [1, 304],
    ] as const) {
      await write(count);
      expect(await sequencer.tick()).toMatchObject({ status: 'committed', size, cosigned: 1 });
      const opened = await openCheckpoint((await stores.log.head()).checkpoint ?? '', keys);
      expect(opened.ok && opened.signatures.map(({ name }) => name)).toEqual([origin, 'witness.example/w1']);
    }
  });

  it('goes on while the witness is away, and has the last checkpoint cosigned when it is back', async () => {
    const { sequencer, write, reach, stores } = sequenced();
    await write(2);
    await sequencer.tick();
    reach(false);
    await write(2);
    expect(await sequencer.tick()).toMatchObject({ status: 'committed', size: 4, cosigned: 0 });
    reach(true);
    // Asked at once again it would hold up every batch for as long as it does not answer.
    expect(await sequencer.tick()).toMatchObject({ status: 'idle', cosigned: 0 });
    clock.advance(1000);
    expect(await sequencer.tick()).toMatchObject({ status: 'idle', cosigned: 1 });
    const points = await stores.log.checkpoints(0, 10);
    expect(points.map(({ checkpoint }) => checkpoint.includes('witness.example'))).toEqual([true, true]);
  });

  it('signs nothing more once the log was restored from an old copy, though its own memory is lost', async () => {
    const memory = memoryWitnessStore();
    const before = sequenced(memory);
    await before.write(5);
    await before.sequencer.tick();
    const old = sequenced(memory); // another, shorter log of the same key: what a restore leaves
    await old.write(2);
    old.reach(false);
    await old.sequencer.tick();
    old.reach(true);
    await old.write(1);
    await expect(old.sequencerOver(old.stores.log).tick()).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
    expect((await old.stores.log.head()).size).toBe(2);
  });

  it('signs nothing more once the witness has seen another history', async () => {
    const memory = memoryWitnessStore();
    const before = sequenced(memory);
    await before.write(5);
    await before.sequencer.tick();
    const forked = sequenced(memory);
    await forked.write(9);
    for (let i = 0; i < 2; i++)
      await expect(forked.sequencer.tick()).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
    expect((await forked.stores.log.head()).size).toBe(0); // not even the first leaf of an emptied database
  });

  it('signs nothing more, however often it is asked, once a witness that was away contradicts', async () => {
    const memory = memoryWitnessStore();
    const before = sequenced(memory);
    await before.write(5);
    await before.sequencer.tick();
    const forked = sequenced(memory);
    forked.reach(false);
    await forked.write(9);
    await forked.sequencer.tick();
    forked.reach(true);
    const sizes: number[] = [];
    for (let i = 0; i < 5; i++) {
      await forked.write(1);
      clock.advance(1000);
      const tick = await forked.sequencer.tick().catch((error: unknown) => error);
      if (isMedzenError(tick)) sizes.push((await forked.stores.log.head()).size);
    }
    expect(sizes.length).toBeGreaterThan(2);
    expect(new Set(sizes).size).toBe(1);
  });

  it('takes another sequencer’s larger checkpoint at the witness for what it is', async () => {
    const { stores, write, sequencerOver } = sequenced();
    await write(2);
    await sequencerOver(stores.log).tick();
    const stale = await stores.log.head();
    await write(2);
    await sequencerOver(stores.log).tick();
    // The first head is put before the witness late: it knows a larger one by now.
    const late: LogStore = { ...stores.log, head: once(stale, stores.log.head) };
    expect(await sequencerOver(late).tick()).toMatchObject({ status: 'idle' });
  });
});

/** Gives one answer first, and then whatever the other function gives. */
function once<T>(first: T, then: () => Promise<T>): () => Promise<T> {
  let given = false;
  return async () => {
    if (given) return then();
    given = true;
    return first;
  };
}

describe('the client of a witness', () => {
  const ask = async (respond: () => Response) => {
    const client = witnessClient({
      url: 'https://witness.example',
      verifierKey: cosigner.verifierKey,
      fetch: async () => respond(),
    });
    const hashes = leaves.slice(0, 10);
    return client.cosign({
      checkpoint: await checkpointOf(hashes),
      size: 10,
      consistencyProof: async (size1) => consistencyProof({ leafHashes: hashes, size1 }),
    });
  };

  it.each([
    ['an empty 200', () => new Response('')],
    ['another’s line', () => new Response('\u2014 witness.example/w1 AAAAAAA=\n')],
    ['a 500', () => new Response('', { status: 500 })],
    ['a 409 without a size', () => new Response('', { status: 409 })],
    ['an answer without end', () => new Response('x'.repeat(100_000))],
  ])('takes %s for a witness that is not available', async (_what, respond) => {
    await expect(ask(respond)).rejects.toMatchObject({ code: 'provider_unavailable' });
  });

  it('says when the witness does not know the log', async () => {
    await expect(ask(() => new Response('', { status: 404 }))).rejects.toMatchObject({ code: 'invalid_configuration' });
  });

  it('gives up a witness that names another size each time', async () => {
    let size = 1;
    await expect(ask(() => new Response(`${++size}\n`, { status: 409 }))).rejects.toMatchObject({
      code: 'provider_unavailable',
    });
  });
});
