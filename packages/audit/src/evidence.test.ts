import { memoryStores } from '@medzen/adapters-local';
import {
  type AuditEventDraft,
  createIds,
  type LogStore,
  type SealedEvent,
  sealEvent,
  systemRandom,
} from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCosigner } from './cosigner.ts';
import { createEvidence, verifyEvidence } from './evidence.ts';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';
import { createWitness } from './witness.ts';
import { witnessClient } from './witness-client.ts';
import { memoryWitnessStore } from './witness-store.ts';

const origin = 'example.org/audit';
const signer = createSigner({ origin, privateKey: new Uint8Array(32).fill(7) });
const cosigner = createCosigner({ name: 'witness.example/w1', privateKey: new Uint8Array(32).fill(9) });
const clock = fakeClock();
const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  patient: 'p1',
  source: {},
};

/** A log of some events, sealed in batches of 100, each checkpoint cosigned. */
async function logOf(count: number): Promise<{ log: LogStore; events: readonly SealedEvent[] }> {
  const { audit, log } = memoryStores({ clock });
  const sealing = { clock, random: systemRandom, ids: createIds(clock, systemRandom) };
  const events = Array.from({ length: count }, () => sealEvent(draft, sealing)).sort((a, b) => (a.id < b.id ? -1 : 1));
  const witness = createWitness({
    cosigner,
    clock,
    store: memoryWitnessStore(),
    logs: [{ origin, verifierKeys: [signer.verifierKey] }],
  });
  const { verifierKey } = witness;
  const witnesses = [witnessClient({ url: 'https://witness.example', verifierKey, fetch: witness.fetch })];
  const sequencer = createSequencer({ memory: 'unguarded', store: log, signer, witnesses, batchSize: 100 });
  for (let at = 0; at < count; at += 100) {
    await audit.append({ tenant: 'default' }, events.slice(at, at + 100));
    await sequencer.tick();
  }
  return { log, events };
}

const { log, events } = await logOf(300);
const idOf = (index: number): string => events[index]?.id ?? '';
const text = await createEvidence(log, idOf(257));
const keys = [signer.verifierKey, cosigner.verifierKey];

describe('evidence', () => {
  it('of each event in logs of many sizes is verified with the keys alone', async () => {
    for (const size of [1, 2, 3, 7, 256, 257]) {
      const small = await logOf(size);
      for (const index of new Set([0, 1, size >> 1, size - 1].filter((one) => one < size))) {
        const evidence = await createEvidence(small.log, small.events[index]?.id ?? '');
        expect(await verifyEvidence(evidence, keys)).toMatchObject({
          ok: true,
          origin,
          size,
          index,
          event: { id: small.events[index]?.id, patient: 'p1' },
          signatures: [{ name: origin }, { name: 'witness.example/w1' }],
        });
      }
    }
  });

  it('stands on a file of the published form', () => {
    const [title, extra, index, ...rest] = text.split('\n');
    expect(title).toBe('c2sp.org/tlog-proof@v1');
    expect(extra).toBe(`extra ${Buffer.from(events[257]?.body ?? []).toString('base64')}`);
    expect(index).toBe('index 257');
    const blank = rest.indexOf('');
    expect(rest.slice(0, blank).every((line) => /^[A-Za-z0-9+/]{43}=$/.test(line))).toBe(true);
    expect(rest.slice(blank + 1, blank + 3)).toEqual([origin, '300']);
  });

  it('against an earlier checkpoint that covers the event holds as well', async () => {
    const [, earlier] = await log.checkpoints(0, 2);
    const evidence = await createEvidence(log, idOf(150), { checkpoint: earlier?.checkpoint ?? '' });
    expect(await verifyEvidence(evidence, keys)).toMatchObject({ ok: true, size: 200, index: 150 });
    const late = createEvidence(log, idOf(250), { checkpoint: earlier?.checkpoint ?? '' });
    await expect(late).rejects.toMatchObject({ code: 'invalid_input' });
  });

  it('without the event names nobody, and is verified with the event’s bytes', async () => {
    const evidence = await createEvidence(log, idOf(5), { event: 'left_out' });
    expect(evidence).not.toContain('extra');
    expect(await verifyEvidence(evidence, keys)).toEqual({ ok: false, reason: 'no_event' });
    const body = events[5]?.body ?? new Uint8Array();
    expect(await verifyEvidence(evidence, keys, { body })).toMatchObject({ ok: true, index: 5 });
    const other = events[6]?.body ?? new Uint8Array();
    expect(await verifyEvidence(evidence, keys, { body: other })).toEqual({ ok: false, reason: 'not_included' });
  });

  it('of another event than the one whose bytes are given proves nothing of that one', async () => {
    const body = events[5]?.body ?? new Uint8Array();
    expect(await verifyEvidence(text, keys, { body })).toEqual({ ok: false, reason: 'not_included' });
  });

  it('with any one character changed, left out or added proves nothing', async () => {
    const mutation = fc.record({
      at: fc.nat(text.length - 1),
      how: fc.constantFrom('change', 'remove', 'insert'),
      by: fc.constantFrom('A', 'b', '0', '=', '\n', ' ', '+', '/'),
    });
    await fc.assert(
      fc.asyncProperty(mutation, async ({ at, how, by }) => {
        const changed = text.slice(0, at) + (how === 'remove' ? '' : by) + text.slice(how === 'insert' ? at : at + 1);
        if (changed === text) return;
        // A line of a key that nobody gave is ignored, as the format demands; here every line is by a key that is given.
        expect((await verifyEvidence(changed, keys)).ok).toBe(false);
      }),
      { numRuns: 400 },
    );
  });

  it('is for those who know the keys: of another log, without the log’s own signature, with too few witnesses', async () => {
    const other = createSigner({ origin, privateKey: new Uint8Array(32).fill(8) });
    expect(await verifyEvidence(text, [other.verifierKey])).toEqual({ ok: false, reason: 'unknown_key' });
    expect(await verifyEvidence(text, [cosigner.verifierKey])).toEqual({ ok: false, reason: 'not_by_log' });
    const absent = createCosigner({ name: 'witness.example/w2', privateKey: new Uint8Array(32).fill(3) });
    const three = [...keys, absent.verifierKey];
    expect(await verifyEvidence(text, three)).toEqual({ ok: false, reason: 'too_few_witnesses' });
    expect(await verifyEvidence(text, three, { minWitnesses: 1 })).toMatchObject({ ok: true });
    expect(await verifyEvidence(text, three, { minWitnesses: Number.NaN })).toEqual({
      ok: false,
      reason: 'too_few_witnesses',
    });
    expect(await verifyEvidence(text, ['nonsense'])).toEqual({ ok: false, reason: 'bad_verifier_key' });
  });

  it('never throws, whatever the file is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (noise) => {
        expect((await verifyEvidence(noise, keys)).ok).toBe(false);
        expect((await verifyEvidence(`c2sp.org/tlog-proof@v1\n${noise}`, keys)).ok).toBe(false);
      }),
    );
  });

  it('is not handed out for an event that was altered, is missing, or unknown', async () => {
    const body = events[3]?.body ?? new Uint8Array();
    const altered = (leaf: Partial<{ body: Uint8Array }>): LogStore => ({
      ...log,
      readLeaves: async (from) => [{ index: from, eventId: idOf(from), ...leaf }],
    });
    const changed = body.map((byte, at) => (at === 40 ? byte ^ 1 : byte));
    for (const store of [altered({}), altered({ body: changed }), altered({ body: events[4]?.body ?? body })])
      await expect(createEvidence(store, idOf(3))).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
    const damaged: LogStore = {
      ...log,
      readTile: async (level, index) => {
        const tile = await log.readTile(level, index);
        return tile && { ...tile, hashes: tile.hashes.map((byte) => byte ^ 1) };
      },
    };
    await expect(createEvidence(damaged, idOf(3))).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
    for (const id of ['', 'no id', '01900000-0000-7000-8000-000000000000'])
      await expect(createEvidence(log, id)).rejects.toMatchObject({ code: 'not_found' });
  });
});
