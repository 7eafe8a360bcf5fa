import {
  type Clock,
  createIds,
  equalBytes,
  type Ids,
  type LogHead,
  type LogStore,
  MedzenError,
  type Random,
  type Scope,
  type SealedEvent,
  sha256,
  systemClock,
  systemRandom,
} from '@medzen/core';
import {
  isSignedByLog,
  type OpenCheckpoint,
  openCheckpoint,
  readStoredHead,
  readTreeHead,
  signCheckpoint,
} from '../checkpoint.ts';
import { verifyConsistency } from '../consistency-proof.ts';
import type { Signer } from '../signer.ts';
import { createTileReader, type TileReader } from '../tile-reader.ts';
import type { TileSource } from '../tile-storage.ts';
import { followEpochs } from '../tiles/epochs.ts';
import { createTreeHasher } from '../tree-hasher.ts';
import { parseVerifierKey } from '../verifier-key.ts';
import { openOwnCheckpoint } from '../verify/own-checkpoint.ts';
import type { CheckpointMemory, RememberedLog, Succession } from './checkpoint-memory.ts';
import { formatPredecessor, lineageOf } from './lineage.ts';
import { publishedProof } from './published-proof.ts';
import { readEdge } from './read-edge.ts';
import { type RebaseDecider, readRebase, sealRebase } from './rebase-record.ts';

/** Options of a rebase. */
export interface RebaseOptions {
  readonly store: LogStore;
  /** Signer of the new origin: a name and a key that have never signed for this log. */
  readonly signer: Signer;
  /** Verifier keys of the origin that ends, and of those before it. */
  readonly previousKeys: readonly string[];
  /** The sequencers' memory, which from here on refuses the old origin. One that is new is as good, if `known` is given. */
  readonly memory: CheckpointMemory;
  /**
   * The last known checkpoint of the old origin, from wherever it was kept: a mail, a witness, the published files. The largest one counts, of this, the
   * memory's and the published one; to give a smaller one hides nothing.
   */
  readonly known?: string;
  /** The published files of the log. With them it is proved that what survived is a beginning of what was known. */
  readonly published?: TileSource;
  /** Scope of the event that records it. */
  readonly scope: Scope;
  /** The person who decided it. */
  readonly decidedBy: RebaseDecider;
  /** Reason of the rebase, in a sentence: 1–2048 characters. No names of patients. */
  readonly reason: string;
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly random?: Random;
}

/** Result of a rebase. */
export interface Rebased {
  /** `repeated`: it had been done, by this call's predecessor or by another process; nothing was written. */
  readonly status: 'rebased' | 'repeated';
  readonly oldOrigin: string;
  /** Leaves of the last known checkpoint. */
  readonly oldSize: number;
  /** Leaves that are still there; the leaf after them records the rebase. */
  readonly surviving: number;
  /** `oldSize` − `surviving`. */
  readonly lost: number;
  /**
   * `proved` when a proof shows that the surviving leaves are a beginning of the last known checkpoint. Otherwise
   * `signed`: only the old origin's own signatures say so.
   */
  readonly survivors: 'proved' | 'signed';
  readonly newOrigin: string;
  /** Id of the event that records it. */
  readonly eventId: string;
  /** The first checkpoint of the new origin: publish it, and keep it elsewhere. */
  readonly checkpoint: string;
}

/**
 * Lets a log go on that has lost events it had signed: an older backup was restored, or a replica took over that lacked the last ones. The old origin
 * ends. A new one, with a key of its own, continues the same tree: the events that survived keep their place and stay provable, and the next leaf is an
 * `audit.rebase` event that holds the last known checkpoint of the old origin, how much was lost, who decided and why. Every checkpoint from then on
 * says so too, in a line of its own. Two trees of one size under one key are never signed.
 *
 * Stop the sequencers first. Ended at any point, the same call goes on where it stopped; of two at once, one does it and the other hears so.
 *
 * @throws MedzenError `conflict` when nothing was lost: go on with the old signer; also when another rebase has been decided, or the log moved meanwhile.
 * `checkpoint_inconsistent` when the stored log is not a beginning of the known one: it was altered, which a rebase does not cover.
 * `invalid_input` for a checkpoint that cannot be opened, a signer that has signed before, or options that are incomplete; `store_unavailable`
 * @example
 * ```ts
 * import { type CheckpointMemory, rebaseLog, type Signer } from '@medzen/audit';
 * import type { LogStore } from '@medzen/core';
 * const afterTheRestore = (store: LogStore, memory: CheckpointMemory, signer: Signer, oldKey: string) =>
 *   rebaseLog({
 *     ...{ store, memory, signer, previousKeys: [oldKey], scope: { tenant: 'default' } },
 *     decidedBy: { id: 'officer-1', name: 'R. Jones' },
 *     reason: 'The disk failed; the backup of 02:00 was restored.',
 *   });
 * ```
 */
export async function rebaseLog(options: RebaseOptions): Promise<Rebased> {
  check(options);
  const { store, signer, memory } = options;
  const hasher = createTreeHasher();
  const tiles = createTileReader(store, hasher);
  const head = await store.head();
  const ended = await findEnded(options, head);
  if (ended.begun !== undefined) return finish(ended.begun);

  const { known, memorized } = ended;
  const { surviving, consistency } = await whatIsLeft(options, known, head, tiles);
  const { root } = head;
  const event = sealRebase(
    {
      ...{ oldOrigin: known.origin, oldSize: known.size, oldCheckpoint: known.text, surviving },
      ...(head.checkpoint !== undefined && { survivingCheckpoint: shortened(head.checkpoint) }),
      ...{ lost: known.size - surviving, newOrigin: signer.origin, newVerifierKey: signer.verifierKey },
      ...(consistency !== undefined && { consistency }),
      ...{ decidedBy: options.decidedBy, reason: options.reason },
    },
    options.scope,
    sealingOf(options),
  );
  const extensions = [
    ...(known.extensions ?? []),
    formatPredecessor({ origin: known.origin, size: known.size, root: known.root, surviving }),
  ];
  const edge = await readEdge(tiles, hasher, { size: surviving, root });
  edge.append(event.body);
  const checkpoint = await signCheckpoint(
    { origin: signer.origin, size: surviving + 1, root: edge.root(), extensions },
    signer,
  );
  // Decided before it is done: from here on the old origin signs no more, and each attempt to finish uses the same bytes.
  const body = new TextDecoder().decode(event.body);
  const successor: Succession = { origin: signer.origin, checkpoint, event: { id: event.id, body } };
  const decided: RememberedLog = { checkpoint: known.text, successor };
  if (!(await memory.replace(known.origin, memorized, decided))) {
    const again = (await memory.read(known.origin))?.successor;
    if (again?.origin !== signer.origin) throw moved();
    return finish(again);
  }
  return finish(successor);

  /** Does what was decided, as far as it is not done. */
  async function finish(decision: Succession): Promise<Rebased> {
    const sealed: SealedEvent = { id: decision.event.id, body: new TextEncoder().encode(decision.event.body) };
    const record = readRebase(sealed.body);
    const first = await openCheckpoint(decision.checkpoint, [signer.verifierKey]);
    if (record === undefined || !first.ok || first.origin !== signer.origin || first.size !== record.surviving + 1)
      throw new MedzenError('invalid_input', 'The rebase that was begun is not one of this signer; use its key');
    const { oldOrigin, oldSize, surviving, lost, newOrigin, consistency } = record;
    const done = (status: Rebased['status']): Rebased => ({
      ...{
        status,
        oldOrigin,
        oldSize,
        surviving,
        lost,
        newOrigin,
        eventId: sealed.id,
        checkpoint: decision.checkpoint,
      },
      survivors: consistency === undefined && surviving > 0 ? 'signed' : 'proved',
    });
    await remember(decision.checkpoint, first);
    if (await isDone(first, sealed.id)) return done('repeated');
    const present = await store.head();
    if (present.size !== surviving || !equalBytes(present.root, await rootBefore(present, first, sealed)))
      throw used(signer.origin);
    const growing = await readEdge(tiles, hasher, present);
    const leafHash = growing.append(sealed.body).slice();
    const { status } = await store.commitRebase(options.scope, sealed, {
      ...{ expectedSize: present.size, expectedRoot: present.root, eventIds: [sealed.id], leafHashes: [leafHash] },
      ...{ tiles: growing.changed(), root: first.root, checkpoint: decision.checkpoint },
    });
    if (status === 'committed') return done('rebased');
    if (await isDone(first, sealed.id)) return done('repeated');
    throw moved();
  }

  /** The root that the log has now, if the decided leaf leads from it to the decided checkpoint. */
  async function rootBefore(present: LogHead, first: OpenCheckpoint, event: SealedEvent): Promise<Uint8Array> {
    const trial = await readEdge(tiles, hasher, present);
    trial.append(event.body);
    return equalBytes(trial.root(), first.root) ? present.root : sha256();
  }

  /** Checks that the log holds the decided leaf, under the decided checkpoint or one that grew out of it. */
  async function isDone(first: OpenCheckpoint, eventId: string): Promise<boolean> {
    const present = await store.head();
    if (readStoredHead(present.checkpoint)?.origin !== signer.origin || present.size < first.size) return false;
    if ((await store.leafOf(eventId)) !== first.size - 1) return false;
    return growsFrom(tiles, first, present);
  }

  /** Before the commit, so that a checkpoint never exists that nobody remembers. */
  async function remember(checkpoint: string, first: OpenCheckpoint): Promise<void> {
    for (;;) {
      const found = await memory.read(signer.origin);
      if (found !== undefined) {
        // It has gone on since. If the database has forgotten that, this rebase is done, and another one is due.
        const last = readTreeHead(found.checkpoint)?.size ?? 0;
        if (found.successor !== undefined || (last > first.size && (await store.head()).size < last))
          throw used(signer.origin);
        return;
      }
      if (await memory.replace(signer.origin, undefined, { checkpoint })) return;
    }
  }
}

/** Expected result of a rebase. */
export type RebasePlan = Pick<Rebased, 'oldOrigin' | 'oldSize' | 'surviving' | 'lost' | 'survivors'>;

/**
 * Says what a rebase would cost, and does nothing.
 *
 * @throws MedzenError as `rebaseLog`; `conflict` also when one to this signer was begun: then only finishing it is left
 */
export async function planRebase(options: RebaseOptions): Promise<RebasePlan> {
  check(options);
  const head = await options.store.head();
  const { known, begun } = await findEnded(options, head);
  if (begun !== undefined)
    throw new MedzenError('conflict', 'A rebase to this signer was begun: call rebaseLog to finish it');
  const tiles = createTileReader(options.store, createTreeHasher());
  const { surviving, consistency } = await whatIsLeft(options, known, head, tiles);
  const survivors = consistency === undefined && surviving > 0 ? 'signed' : 'proved';
  return { oldOrigin: known.origin, oldSize: known.size, surviving, lost: known.size - surviving, survivors };
}

/** Finds how many of the known leaves the database holds, with a proof where there is one. */
async function whatIsLeft(
  { signer, memory, published }: RebaseOptions,
  known: Known,
  head: LogHead,
  tiles: TileReader,
): Promise<{ readonly surviving: number; readonly consistency: readonly Uint8Array[] | undefined }> {
  if (known.origin === signer.origin || (await memory.read(signer.origin)) !== undefined) throw used(signer.origin);
  if ((lineageOf(known) ?? []).some(({ origin }) => origin === signer.origin)) throw used(signer.origin);
  await mustBeLeft(head, known, tiles);
  return { surviving: head.size, consistency: await publishedProof(published, known, head) };
}

/** A checkpoint that counts as known. */
type Known = OpenCheckpoint & { readonly text: string };

interface Ended {
  readonly known: Known;
  /** Current entry of the memory for its origin. */
  readonly memorized: RememberedLog | undefined;
  /** A rebase to the given signer, as far as it was decided. */
  readonly begun?: Succession;
}

/** Finds the origin that ends, and the largest checkpoint that is known of it. */
async function findEnded(options: RebaseOptions, head: LogHead): Promise<Ended> {
  const { memory, signer, previousKeys, published } = options;
  const keys = [...new Set([...previousKeys, signer.verifierKey])];
  const open = async (text: string, which: string): Promise<Known> => {
    const opened = await openOwnCheckpoint(text, keys);
    if (opened.ok && isSignedByLog(opened)) return { ...opened, text: shortened(opened.note) };
    const reason = opened.ok ? 'not_by_log' : opened.reason;
    throw new MedzenError('invalid_input', `${which} must be a checkpoint that previousKeys open: ${reason}`);
  };
  const stored = head.checkpoint === undefined ? undefined : await open(head.checkpoint, 'The stored checkpoint');
  const given = options.known === undefined ? undefined : await open(options.known, 'known');

  // Done already, as far as the database goes.
  const last = stored?.origin === signer.origin ? (lineageOf(stored) ?? []).at(-1) : undefined;
  const before = last === undefined ? undefined : await memory.read(last.origin);
  if (stored !== undefined && before?.successor?.origin === signer.origin)
    return { known: stored, memorized: before, begun: before.successor };

  // From the origin that the database knows of, or that was named, to the last one that the memory knows of.
  let origin = stored?.origin ?? given?.origin;
  if (origin === undefined)
    throw new MedzenError('invalid_input', 'known must be given: the database holds no checkpoint');
  let memorized = await memory.read(origin);
  let first: string | undefined;
  for (let steps = 0; memorized?.successor !== undefined && steps < 1000; steps++) {
    if (memorized.successor.origin === signer.origin) {
      const known = await open(memorized.checkpoint, 'The remembered checkpoint');
      return { known, memorized, begun: memorized.successor };
    }
    first = memorized.successor.checkpoint;
    origin = memorized.successor.origin;
    memorized = await memory.read(origin);
  }
  const candidates = [first, memorized?.checkpoint].flatMap((text) => (text === undefined ? [] : [text]));
  const remembered = await Promise.all(candidates.map((text) => open(text, 'The remembered checkpoint')));
  const shown = published === undefined ? undefined : await publishedCheckpoint(published, origin, open);
  // A later origin than the database or the memory know of: the caller knows more.
  if (given !== undefined && given.origin !== origin) {
    if (!(lineageOf(given) ?? []).some((one) => one.origin === origin))
      throw new MedzenError('invalid_input', `known must be the last checkpoint of ${origin}, which signed last`);
    return { known: given, memorized: await memory.read(given.origin) };
  }
  const all = [...remembered, ...(given ? [given] : []), ...(shown ? [shown] : [])];
  const known = all.reduce<Known | undefined>(
    (most, one) => (most === undefined || one.size > most.size ? one : most),
    undefined,
  );
  if (known === undefined)
    throw new MedzenError('invalid_input', 'known must be given: the memory holds no checkpoint of this log');
  if (all.some(({ size, root }) => size === known.size && !equalBytes(root, known.root)))
    throw new MedzenError('checkpoint_inconsistent', 'Two trees of one size were signed under the old origin', {
      detail: { origin, size: known.size },
    });
  return { known, memorized };
}

async function publishedCheckpoint(
  published: TileSource,
  origin: string,
  open: (text: string, which: string) => Promise<Known>,
): Promise<Known | undefined> {
  for await (const { checkpoint } of followEpochs(published)) {
    if (readTreeHead(checkpoint)?.origin === origin) return open(checkpoint, 'The published checkpoint');
  }
  return undefined;
}

/** The database must hold fewer leaves than were known, of the known log or of what it grew out of. */
async function mustBeLeft(head: LogHead, known: Known, tiles: TileReader): Promise<void> {
  if (head.size < known.size) {
    const origin = readStoredHead(head.checkpoint)?.origin ?? known.origin;
    if (origin === known.origin) return;
    const older = (lineageOf(known) ?? []).find((one) => one.origin === origin);
    if (older !== undefined && head.size <= older.surviving) return;
    throw new MedzenError(
      'checkpoint_inconsistent',
      'The database holds leaves that an earlier rebase gave up, and no later ones: restore a later copy',
      { detail: { origin, size: head.size } },
    );
  }
  if (known.size > 0 && !(await growsFrom(tiles, known, head)))
    throw new MedzenError(
      'checkpoint_inconsistent',
      'The log did not grow out of the last known checkpoint: it was altered, which a rebase does not cover',
    );
  throw new MedzenError(
    'conflict',
    `The log lost no leaf: it has ${head.size}, and the last known checkpoint covers ${known.size}; go on with its own signer`,
    { detail: { size: head.size, known: known.size } },
  );
}

async function growsFrom(tiles: TileReader, earlier: OpenCheckpoint, head: LogHead): Promise<boolean> {
  const proof = await tiles.consistencyProof(earlier.size, head.size);
  return verifyConsistency({ size1: earlier.size, size2: head.size, root1: earlier.root, root2: head.root, proof });
}

/** The event has room for a note with some cosignatures, not for one with very many: then the log's own signature stays. */
function shortened(note: string): string {
  if (note.length <= maxNote) return note;
  const name = note.slice(0, note.indexOf('\n'));
  const split = note.indexOf('\n\n') + 2;
  const lines = note.slice(split).split('\n');
  return (
    note.slice(0, split) + lines.flatMap((line) => (line.startsWith(`\u2014 ${name} `) ? [`${line}\n`] : [])).join('')
  );
}

const maxNote = 16_384;

function sealingOf({ clock = systemClock, random = systemRandom, ids }: RebaseOptions) {
  return { clock, random, ids: ids ?? createIds(clock, random) };
}

function used(origin: string): MedzenError {
  return new MedzenError('invalid_input', 'signer has signed for this log before: take a new origin and a new key', {
    detail: { origin },
  });
}

function moved(): MedzenError {
  return new MedzenError('conflict', 'The log moved, or another rebase was decided: stop the sequencers and try again');
}

/** Also for plain JavaScript. */
function check({ signer, previousKeys, memory, reason, decidedBy }: RebaseOptions): void {
  const wrong = (message: string): never => {
    throw new MedzenError('invalid_input', message);
  };
  const given: unknown = memory;
  if (typeof given !== 'object' || given === null || !('read' in given) || !('replace' in given))
    wrong('memory must be a CheckpointMemory such as fileCheckpoints(folder)');
  if (!Array.isArray(previousKeys) || previousKeys.some((key) => parseVerifierKey(key)?.type !== 'ed25519'))
    wrong('previousKeys must be the Ed25519 verifier keys of the old origin');
  if (previousKeys.some((key) => parseVerifierKey(key)?.name === signer.origin))
    wrong('signer must have another origin than the one that ends');
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > 2048)
    wrong('reason must say in 1 to 2048 characters why the log goes on without what it lost');
  if (typeof decidedBy?.id !== 'string' || decidedBy.id === '') wrong('decidedBy.id must name the person who decided');
}
