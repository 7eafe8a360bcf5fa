import { canonicalize, type LogStore, MedzenError, openEvent, sealEvent, silentLogger } from '@medzen/core';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, readTreeHead, signCheckpoint } from '../checkpoint.ts';
import { createEvidence, verifyEvidence } from '../evidence.ts';
import { publishLog } from '../publish-log.ts';
import { createSequencer } from '../sequencer.ts';
import { tileLog } from '../tile-log.ts';
import { presentEpoch } from '../tiles/epochs.ts';
import { verifyLog } from '../verify-log.ts';
import { memoryCheckpoints } from './checkpoint-memory.ts';
import { lineageOf } from './lineage.ts';
import { a, allKeys, b, c, decision, files, restorable, scope, signerOf } from './rebase.fixture.ts';
import { readRebase } from './rebase-record.ts';

const inconsistent = { code: 'checkpoint_inconsistent' };

/** Three events sealed and backed up, two more sealed, then the backup restored. */
async function lostTwo() {
  const log = restorable();
  const kept = await log.write(3);
  const before = await log.seal(a);
  const backup = log.backUp();
  const gone = await log.write(2);
  const known = await log.seal(a);
  const evidence = await Promise.all([...kept, ...gone].map(({ id }) => createEvidence(log.log, id)));
  await log.restore(backup);
  return { log, kept, gone, before, known, backup, evidence };
}

describe('a log that was restored from an older copy', () => {
  it('is not signed under the old origin: not by the same process, nor by another with the same memory', async () => {
    const { log } = await lostTwo();
    await log.write(1);
    await expect(log.seal(a)).rejects.toMatchObject(inconsistent);
    await expect(log.seal(a)).rejects.toThrow(/rebase/);
  });

  it('nor by a process whose memory is new: it wants the last known checkpoint', async () => {
    const { log, known, before } = await lostTwo();
    await log.write(1);
    const memory = memoryCheckpoints();
    await expect(log.seal(a, { memory })).rejects.toMatchObject({ code: 'invalid_configuration' });
    await expect(log.seal(a, { memory, trusted: known })).rejects.toMatchObject(inconsistent);
    expect(readTreeHead((await log.log.head()).checkpoint)).toMatchObject({ size: 3 });
    expect(readTreeHead(before)).toMatchObject({ size: 3 });
  });

  it('warns when a sequencer is made without a memory, and refuses what is not one', () => {
    const { log } = restorable();
    const warned: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => warned.push(message) };
    createSequencer({ store: log, signer: a, memory: 'unguarded', logger });
    expect(warned).toEqual([]);
    createSequencer({ store: log, signer: a, logger });
    expect(warned).toEqual([expect.stringContaining('memory is missing')]);
    const wrong = { store: log, signer: a, memory: {} } as unknown as Parameters<typeof createSequencer>[0]; // as plain JavaScript may
    expect(() => createSequencer(wrong)).toThrow(/memory must be/);
    expect(() => createSequencer({ store: log, signer: a, memory: 'witnesses' })).toThrow(/witnesses/);
  });

  it('remembers a batch that was committed when the process died before it could', async () => {
    const log = restorable();
    await log.write(2);
    await log.seal(a);
    await log.write(1);
    const { replace } = log.memory;
    const dying = { ...log.memory, replace: async () => Promise.reject(new MedzenError('store_unavailable', 'died')) };
    await expect(log.seal(a, { memory: dying })).rejects.toMatchObject({ code: 'store_unavailable' });
    expect((await log.log.head()).size).toBe(3);
    expect(readTreeHead((await log.memory.read(a.origin))?.checkpoint)).toMatchObject({ size: 2 });
    await log.seal(a, { memory: { ...log.memory, replace } });
    expect(readTreeHead((await log.memory.read(a.origin))?.checkpoint)).toMatchObject({ size: 3 });
  });
});

describe('a rebase', () => {
  it('goes on under a new origin; its first leaf holds the old checkpoint, what was lost, who decided and why', async () => {
    const { log, known, before } = await lostTwo();
    const done = await log.rebase(b);
    expect(done).toMatchObject({
      ...{ status: 'rebased', oldOrigin: a.origin, oldSize: 5, surviving: 3, lost: 2, newOrigin: b.origin },
      survivors: 'signed',
    });
    const [leaf] = await log.log.readLeaves(3, 1);
    expect(leaf?.eventId).toBe(done.eventId);
    expect(readRebase(leaf?.body ?? new Uint8Array())).toMatchObject({
      ...{ oldCheckpoint: known, survivingCheckpoint: before, lost: 2, newVerifierKey: b.verifierKey },
      ...decision,
    });
    expect(openEvent(leaf?.body ?? new Uint8Array())).toMatchObject({ action: 'audit.rebase', tenant: 'default' });
    await log.write(2);
    const checkpoint = await log.seal(b);
    const opened = await openCheckpoint(checkpoint, [b.verifierKey]);
    expect(opened).toMatchObject({ ok: true, size: 6, origin: b.origin });
    // Every checkpoint says so, not only the first.
    if (opened.ok) expect(lineageOf(opened)).toMatchObject([{ origin: a.origin, size: 5, surviving: 3 }]);
  });

  it('is verified across: what survived, what came after, what was lost, who decided', async () => {
    const { log, before } = await lostTwo();
    await log.rebase(b);
    await log.write(2);
    await log.seal(b);
    const across = {
      rebases: [{ oldOrigin: a.origin, oldSize: 5, surviving: 3, lost: 2, record: 'present', ...decision }],
    };
    for (const checkpoint of [undefined, before]) {
      const verdict = await verifyLog({ store: log.log, verifierKeys: allKeys, ...(checkpoint && { checkpoint }) });
      expect(verdict).toMatchObject({ ok: true, size: 6, lost: 2, origin: b.origin, ...across });
      expect(verdict.rebases[0]).toMatchObject({ oldCheckpointOpened: true });
    }
    // Who has the new key alone is told as well.
    const verdict = await verifyLog({ store: log.log, verifierKeys: [b.verifierKey] });
    expect(verdict).toMatchObject({ ok: true, lost: 2 });
    expect(verdict.rebases[0]).toMatchObject({ oldCheckpointOpened: false });
  });

  it('is no "ok" against a checkpoint that covers what was lost: it names the leaves', async () => {
    const { log, known } = await lostTwo();
    await log.rebase(b);
    const verdict = await verifyLog({ store: log.log, verifierKeys: allKeys, checkpoint: known });
    expect(verdict).toMatchObject({
      ...{ ok: false, lost: 2, total: 1 },
      findings: [{ kind: 'leaves_lost', index: 3, count: 2, trustedSize: 5 }],
    });
  });

  it('keeps evidence good: of survivors under both origins, of lost events against the old checkpoint', async () => {
    const { log, kept, gone, evidence } = await lostTwo();
    await log.rebase(b);
    for (const text of evidence) expect(await verifyEvidence(text, [a.verifierKey])).toMatchObject({ ok: true });
    const fresh = await createEvidence(log.log, kept[1]?.id ?? '');
    expect(await verifyEvidence(fresh, [b.verifierKey])).toMatchObject({
      ...{ ok: true, origin: b.origin },
      index: await log.log.leafOf(kept[1]?.id ?? ''),
    });
    await expect(createEvidence(log.log, gone[0]?.id ?? '')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is refused when nothing was lost, also when the log has gone on since what is known', async () => {
    const log = restorable();
    await log.write(3);
    const known = await log.seal(a);
    await expect(log.rebase(b)).rejects.toMatchObject({ code: 'conflict' });
    await log.write(1);
    await log.seal(a);
    await expect(log.rebase(b, { known })).rejects.toMatchObject({ code: 'conflict' });
    expect(await log.memory.read(a.origin)).not.toHaveProperty('successor');
    await log.write(1);
    expect(readTreeHead(await log.seal(a))).toMatchObject({ size: 5 });
  });

  it('does not cover an alteration: a log that did not grow out of what is known is refused', async () => {
    const log = restorable();
    await log.write(3);
    await log.seal(a);
    const root = new Uint8Array(32).fill(3);
    const other = await signCheckpoint({ origin: a.origin, size: 2, root }, a);
    await expect(log.rebase(b, { known: other, memory: memoryCheckpoints() })).rejects.toMatchObject(inconsistent);
  });

  it('takes the largest checkpoint that is known, whichever is given', async () => {
    const { log, before } = await lostTwo();
    expect(await log.rebase(b, { known: before })).toMatchObject({ oldSize: 5, lost: 2 });
  });

  it('needs one where the memory is new, and the key that opens it', async () => {
    const { log, known } = await lostTwo();
    const memory = memoryCheckpoints();
    await expect(log.rebase(b, { memory })).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(log.rebase(b, { memory, known, previousKeys: [c.verifierKey] })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    expect(await log.rebase(b, { memory, known })).toMatchObject({ status: 'rebased', lost: 2 });
  });

  it('goes on from nothing when all was lost', async () => {
    const log = restorable();
    const backup = log.backUp();
    await log.write(4);
    const known = await log.seal(a);
    await log.restore(backup);
    expect(await log.rebase(b, { known })).toMatchObject({ surviving: 0, lost: 4, survivors: 'proved' });
    await log.write(1);
    await log.seal(b);
    expect(await verifyLog({ store: log.log, verifierKeys: allKeys })).toMatchObject({ ok: true, size: 2, lost: 4 });
  });

  it('asks for who decided, why, an origin of its own, and a memory', async () => {
    const { log } = await lostTwo();
    const wrong = { code: 'invalid_input' };
    await expect(log.rebase(b, { reason: ' ' })).rejects.toMatchObject(wrong);
    await expect(log.rebase(b, { decidedBy: { id: '' } })).rejects.toMatchObject(wrong);
    await expect(log.rebase(a, { previousKeys: [a.verifierKey] })).rejects.toMatchObject(wrong);
    await expect(log.rebase(signerOf(a.origin, 9))).rejects.toMatchObject(wrong);
    await expect(log.rebase(b, { previousKeys: ['none'] })).rejects.toMatchObject(wrong);
    await expect(log.rebase(b, { memory: 'unguarded' as never })).rejects.toThrow(/memory/);
  });
});

describe('after a rebase', () => {
  it('nobody goes on under the old origin: not with its memory, nor without, nor after a restore to before the rebase', async () => {
    const { log, backup, known } = await lostTwo();
    const done = await log.rebase(b);
    await log.write(1);
    await expect(log.seal(a)).rejects.toMatchObject(inconsistent);
    await expect(log.seal(a, { memory: 'unguarded' })).rejects.toThrow(/rebased/);
    await log.seal(b);
    await log.restore(backup);
    await log.write(1);
    await expect(log.seal(a)).rejects.toMatchObject(inconsistent);
    await expect(log.seal(a, { trusted: known, memory: memoryCheckpoints() })).rejects.toMatchObject(inconsistent);
    await expect(log.seal(a, { trusted: done.checkpoint, memory: memoryCheckpoints() })).rejects.toMatchObject({
      code: 'invalid_configuration',
    });
    await expect(log.seal(b)).rejects.toMatchObject(inconsistent);
    await expect(log.seal(b, { previousKeys: [a.verifierKey], memory: 'unguarded' })).rejects.toMatchObject(
      inconsistent,
    );
    // Nor does the first rebase pass for enough: what the new origin has signed is lost by now.
    await expect(log.rebase(b)).rejects.toMatchObject({ code: 'invalid_input' });
  });

  it('another one begins where the first was lost, and says what both have cost', async () => {
    const { log, backup, known } = await lostTwo();
    const first = await log.rebase(b);
    await log.write(4);
    const second = await log.seal(b); // 8 leaves
    await log.restore(backup);
    expect(await log.rebase(c)).toMatchObject({ oldOrigin: b.origin, oldSize: 8, surviving: 3, lost: 5 });
    await log.write(1);
    await log.seal(c);
    const verdict = await verifyLog({ store: log.log, verifierKeys: allKeys });
    expect(verdict).toMatchObject({ ok: true, size: 5, lost: 7, origin: c.origin });
    expect(verdict.rebases).toMatchObject([
      { oldOrigin: a.origin, newOrigin: b.origin, lost: 2, record: 'lost' },
      { oldOrigin: b.origin, newOrigin: c.origin, lost: 5, record: 'present', oldCheckpoint: second },
    ]);
    for (const [checkpoint, count] of [
      [known, 2],
      [first.checkpoint, 1],
      [second, 5],
    ] as const)
      expect(await verifyLog({ store: log.log, verifierKeys: allKeys, checkpoint })).toMatchObject({
        ok: false,
        findings: [{ kind: 'leaves_lost', index: 3, count }],
      });
    for (const signer of [a, b]) await expect(log.seal(signer)).rejects.toMatchObject(inconsistent);
  });

  it('a second one within the new origin keeps both records', async () => {
    const { log } = await lostTwo();
    await log.rebase(b);
    await log.write(1);
    await log.seal(b);
    const backup = log.backUp();
    await log.write(3);
    await log.seal(b);
    await log.restore(backup);
    await expect(log.rebase(b)).rejects.toMatchObject({ code: 'invalid_input' });
    expect(await log.rebase(c)).toMatchObject({ oldOrigin: b.origin, surviving: 5, lost: 3 });
    const verdict = await verifyLog({ store: log.log, verifierKeys: allKeys });
    expect(verdict).toMatchObject({ ok: true, lost: 5, rebases: [{ record: 'present' }, { record: 'present' }] });
  });

  it('an old copy of the ended origin, with what it lost, is not gone on with either', async () => {
    const log = restorable();
    await log.write(3);
    await log.seal(a);
    const backup = log.backUp();
    await log.write(2);
    await log.seal(a);
    const { steps, back } = { steps: log.backUp(), back: log };
    expect(steps).toBeGreaterThan(backup);
    await log.restore(backup);
    await log.rebase(b);
    const known = await log.seal(b);
    // The old primary comes back: five leaves of the old origin.
    const old = restorable(log.memory);
    await old.audit.append(scope, back.events);
    await old.seal(a, { memory: 'unguarded' });
    await expect(old.rebase(c, { known })).rejects.toMatchObject(inconsistent);
    await old.write(1);
    await expect(old.seal(a)).rejects.toMatchObject(inconsistent);
  });
});

describe('a rebase that is interrupted', () => {
  const died = () => Promise.reject(new MedzenError('store_unavailable', 'died'));

  it('at any step goes on with the same bytes, and no other signer begins in its place unseen', async () => {
    for (let step = 0; step < 40; step++) {
      const { log } = await lostTwo();
      let calls = 0;
      const counted = <F extends (...args: never[]) => Promise<unknown>>(run: F, lost: boolean): F =>
        (async (...args: never[]) => {
          const at = calls++;
          if (at === step && !lost) return died();
          const answer = await run(...args);
          return at === step ? died() : answer;
        }) as F;
      for (const lost of [false, true]) {
        calls = 0;
        const store: LogStore = {
          ...log.log,
          head: counted(log.log.head, lost),
          commitRebase: counted(log.log.commitRebase, lost),
          leafOf: counted(log.log.leafOf, lost),
        };
        const memory = {
          read: counted(log.memory.read, lost),
          replace: counted(log.memory.replace, lost),
        };
        await log.rebase(b, { store, memory }).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'store_unavailable' });
        });
      }
      const size = (await log.log.head()).size;
      const done = await log.rebase(b);
      expect(done).toMatchObject({ status: size === 4 ? 'repeated' : 'rebased', lost: 2 });
      expect((await log.log.head()).checkpoint).toBe(done.checkpoint);
      await log.write(1);
      await log.seal(b);
      const verdict = await verifyLog({ store: log.log, verifierKeys: allKeys });
      expect(verdict).toMatchObject({ ok: true, size: 5, lost: 2 });
      expect((await log.audit.search(scope, { action: 'audit.rebase' })).events).toHaveLength(1);
      if (calls < step) break;
    }
  });

  it('and then given to another signer, counts the checkpoint that was decided as known', async () => {
    const { log } = await lostTwo();
    await expect(log.rebase(b, { store: { ...log.log, commitRebase: died } })).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    await expect(log.seal(a)).rejects.toMatchObject(inconsistent);
    await expect(log.seal(b)).rejects.toMatchObject(inconsistent);
    expect(await log.rebase(c)).toMatchObject({ oldOrigin: b.origin, oldSize: 4, surviving: 3, lost: 1 });
    expect(await verifyLog({ store: log.log, verifierKeys: allKeys })).toMatchObject({ ok: true, lost: 3 });
  });

  it('two at once do it once, with one key or with two', async () => {
    for (const others of [
      [b, b, b],
      [b, c, b],
    ]) {
      const { log } = await lostTwo();
      const answers = await Promise.allSettled(others.map((signer) => log.rebase(signer)));
      const done = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      expect(done.length).toBeGreaterThanOrEqual(1);
      const origins = new Set(done.map(({ newOrigin }) => newOrigin));
      const head = await log.log.head();
      expect(done.some(({ checkpoint }) => checkpoint === head.checkpoint)).toBe(true);
      expect(origins.size).toBe(1);
      expect((await log.audit.search(scope, { action: 'audit.rebase' })).events).toHaveLength(1);
      expect(await verifyLog({ store: log.log, verifierKeys: allKeys })).toMatchObject({ ok: true, size: 4, lost: 2 });
    }
  });
});

describe('an owner who would hide events by a rebase', () => {
  it('cannot name an older checkpoint: the later one shows that the loss is understated', async () => {
    const log = restorable();
    await log.write(2);
    await log.seal(a);
    const backup = log.backUp();
    await log.write(1);
    const older = await log.seal(a);
    await log.write(3);
    const held = await log.seal(a); // kept by an auditor
    await log.restore(backup);
    await log.rebase(b, { known: older, memory: memoryCheckpoints() }); // the owner brings a memory of their own
    const verdict = await verifyLog({ store: log.log, verifierKeys: allKeys, checkpoint: held });
    expect(verdict).toMatchObject({
      ...{ ok: false, lost: 1 },
      findings: [{ kind: 'loss_understated', said: 3, trustedSize: 6 }],
    });
  });

  it('cannot bring a sequencer to believe it whose checkpoint knows more', async () => {
    const log = restorable();
    await log.write(2);
    await log.seal(a);
    const backup = log.backUp();
    await log.write(1);
    const older = await log.seal(a);
    await log.write(3);
    const held = await log.seal(a);
    await log.restore(backup);
    const memory = memoryCheckpoints();
    await log.rebase(b, { known: older, memory });
    const deps = { memory, previousKeys: [a.verifierKey] };
    await expect(log.seal(b, { ...deps, trusted: held })).rejects.toMatchObject(inconsistent);
    expect(readTreeHead(await log.seal(b, { ...deps, trusted: older }))).toMatchObject({ size: 3 });
  });

  it('cannot alter or remove the record: the tree holds it, and each checkpoint says the same', async () => {
    const { log } = await lostTwo();
    const { eventId } = await log.rebase(b);
    await log.write(1);
    await log.seal(b);
    const [leaf] = await log.log.readLeaves(3, 1);
    const event = openEvent(leaf?.body ?? new Uint8Array());
    const forged = new TextEncoder().encode(
      canonicalize({ ...event, detail: { ...event.detail, lost: 1, oldSize: 4 } }),
    );
    log.inspect().damage(eventId, forged);
    const altered = await verifyLog({ store: log.log, verifierKeys: allKeys });
    expect(altered).toMatchObject({ ok: false, lost: 2 });
    if (!altered.ok) expect(altered.findings.map(({ kind }) => kind)).toContain('event_altered');
    log.inspect().damage(eventId, undefined);
    const removed = await verifyLog({ store: log.log, verifierKeys: allKeys });
    expect(removed).toMatchObject({ ok: false, lost: 2, findings: [{ kind: 'event_missing', index: 3 }] });
  });

  it('cannot pass another event for the record, nor drop the line from later checkpoints', async () => {
    const { log } = await lostTwo();
    await log.rebase(b);
    const head = await log.log.head();
    const later = await signCheckpoint({ origin: b.origin, size: head.size, root: head.root }, b);
    const bare = { ...log.log, head: async () => ({ ...head, checkpoint: later }) };
    const verdict = await verifyLog({ store: bare, verifierKeys: allKeys, checkpoint: head.checkpoint ?? '' });
    expect(verdict).toMatchObject({ ok: false, findings: [{ kind: 'rebase_invalid', reason: 'lineage_changed' }] });
    await expect(log.seal(b, { store: bare })).rejects.toMatchObject(inconsistent);

    const plain = restorable();
    await plain.write(5);
    await plain.seal(b);
    const root = (await plain.log.head()).root;
    const extensions = readTreeHead(head.checkpoint)?.extensions ?? [];
    const claim = await signCheckpoint({ origin: b.origin, size: 5, root, extensions }, b);
    const posing = { ...plain.log, head: async () => ({ size: 5, root, checkpoint: claim }) };
    expect(await verifyLog({ store: posing, verifierKeys: allKeys })).toMatchObject({
      ...{ ok: false, lost: 2 },
      findings: [{ kind: 'rebase_invalid', index: 3, reason: 'no_record' }],
    });
  });
});

describe('a published log that was rebased', () => {
  it('keeps the files of the old origin, says where it goes on, and proves what survived', async () => {
    const { kept, target } = files();
    const log = restorable();
    await log.write(300);
    await log.seal(a);
    const backup = log.backUp();
    await log.write(400);
    await log.seal(a);
    await publishLog({ store: log.log, target, entries: true });
    const old = new Map(kept);
    await log.restore(backup);
    // Not into the files of the old origin, as if nothing were.
    await log.write(1);
    const done = await log.rebase(b, { published: target });
    expect(done).toMatchObject({ surviving: 300, lost: 400, survivors: 'proved' });
    await log.seal(b);
    expect(await publishLog({ store: log.log, target, entries: true })).toMatchObject({ size: 302, from: 0 });
    for (const [path, bytes] of old) expect(kept.get(path)).toEqual(bytes);
    const source = await presentEpoch(target);
    const verdict = await verifyLog({ store: tileLog(source, { entries: 'absent' }), verifierKeys: allKeys });
    expect(verdict).toMatchObject({ ok: true, size: 302, lost: 400 });
    const entries = await verifyLog({ store: tileLog(source, { entries: 'present' }), verifierKeys: allKeys });
    expect(entries.rebases).toMatchObject([{ record: 'present', survivors: 'proved', ...decision }]);
    expect(await publishLog({ store: log.log, target, entries: true })).toMatchObject({ files: 0 });
  });

  it('is published nowhere that knows more than the rebase has said', async () => {
    const { target } = files();
    const log = restorable();
    await log.write(2);
    await log.seal(a);
    const backup = log.backUp();
    await log.write(1);
    const older = await log.seal(a);
    await log.write(1);
    await log.seal(a);
    await publishLog({ store: log.log, target });
    await log.restore(backup);
    await log.rebase(b, { known: older, memory: memoryCheckpoints() });
    await expect(publishLog({ store: log.log, target })).rejects.toMatchObject(inconsistent);
    // With the files at hand the larger one would have counted.
    await log.restore(backup);
    expect(await log.rebase(c, { known: older, memory: memoryCheckpoints(), published: target })).toMatchObject({
      oldSize: 4,
      lost: 2,
    });
  });

  it('shows when what was restored is no copy of it', async () => {
    const { target } = files();
    const log = restorable();
    await log.write(3);
    const known = await log.seal(a);
    await publishLog({ store: log.log, target });
    const other = restorable();
    await other.write(2);
    await other.seal(a);
    await expect(other.rebase(b, { known, published: target, memory: memoryCheckpoints() })).rejects.toMatchObject(
      inconsistent,
    );
    // Without the files nothing but the old signatures speaks for it, and that is said.
    expect(await other.rebase(b, { known, memory: memoryCheckpoints() })).toMatchObject({ survivors: 'signed' });
  });
});

it('an event that only looks like one of a rebase changes nothing', async () => {
  const log = restorable();
  const event = sealEvent({
    ...{ action: 'audit.rebase', kind: 'execute', outcome: 'success', tenant: 'default', source: {}, reason: 'x' },
    actor: { id: 'medzen.rebase', type: 'service' },
    detail: { oldOrigin: a.origin, oldSize: 9, surviving: 0, lost: 9 },
  });
  await log.audit.append(scope, [event]);
  await log.seal(a);
  expect(await verifyLog({ store: log.log, verifierKeys: allKeys })).toMatchObject({ ok: true, lost: 0, rebases: [] });
});
