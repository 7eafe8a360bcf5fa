import { type Clock, equalBytes, type LogHead, sha256, systemClock } from '@medzen/core';
import type { VerifyArchiveOptions } from './archive/verify-archive.ts';
import { isSignedByLog, type LogOrigin, type OpenCheckpoint } from './checkpoint.ts';
import { createEarlierRoot } from './earlier-root.ts';
import { isHash } from './is-hash.ts';
import type { LogFinding } from './log-finding.ts';
import { isSize } from './proof-ranges.ts';
import type { ReadableLog } from './tile-log.ts';
import { createTreeHasher } from './tree-hasher.ts';
import { archiveProof } from './verify/archive-proof.ts';
import { createFindings } from './verify/findings.ts';
import { walkLog } from './verify/log-walk.ts';
import { openOwnCheckpoint } from './verify/own-checkpoint.ts';
import { createPurgeProofs } from './verify/purge-proofs.ts';
import { createRebaseCheck, judgeTrusted, type VerifiedRebase } from './verify/rebases.ts';
import { createSideEvidence } from './verify/side-evidence.ts';
import { untilAborted } from './verify/until-aborted.ts';

/** Options of a verification: the log, and the keys and checkpoints to verify it against. */
export interface VerifyLogOptions extends LogOrigin {
  /** The log's store, or its published files: see {@link tileLog}. */
  readonly store: ReadableLog;
  /** Keys you trust to sign for this log: texts as `Signer.verifierKey` gives. Kept outside the database. */
  readonly verifierKeys: readonly string[];
  /**
   * A checkpoint held elsewhere (a file, a witness, a mail). Without one, an owner of the database who also holds an older signed checkpoint
   * can cut the log back to it unseen; with one, neither that nor a rewritten past goes unnoticed.
   */
  readonly checkpoint?: string;
  /** No purge is believed that is dated more than a day later than this clock shows; the machine's own when absent. */
  readonly clock?: Clock;
  /**
   * The archive, where the log has one: each purge is proved by it too. Every byte of a purged range is read and compared with the signed root, so a run takes
   * longer by as much as was purged. Without it a purge is believed when nothing in the log contradicts it.
   */
  readonly archive?: Pick<VerifyArchiveOptions, 'objects' | 'prefix' | 'deadlines'>;
  /** Ends the verification with its reason, while the store does not answer too. */
  readonly signal?: AbortSignal;
  /** Told after each page. */
  readonly onProgress?: (progress: { readonly verified: number; readonly size: number }) => void;
  /** Most findings to list, ≥ 1; 100 when absent. The walk goes on to the end all the same. */
  readonly maxFindings?: number;
}

/** Rebases of a log, reported whatever else is found. */
export interface AcrossRebases {
  /** The origins that rebases have ended, the oldest first; empty where there was none. */
  readonly rebases: readonly VerifiedRebase[];
  /** Leaves that were lost by all of them. They are gone, and the log says so in every checkpoint: 0 where there was no rebase. */
  readonly lost: number;
}

/** Verdict of a verification. A log that was rebased is `ok` as far as it goes; look at `lost`. */
export type LogVerdict = AcrossRebases & (LogVerdictOk | LogVerdictDamaged);

interface LogVerdictOk {
  readonly ok: true;
  readonly origin: string | undefined;
  /** Leaves verified: all of them. */
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** The stored checkpoint's text; absent while the log is empty. Keep it elsewhere, and hand it to the next verification. */
  readonly checkpoint?: string;
  /** Leaves of which only the hash is left, because the event was purged after its retention. */
  readonly purged: number;
  /** Committed events that are not in the tree yet, and so are not proved by anything. */
  readonly unsequenced: number;
}

interface LogVerdictDamaged {
  readonly ok: false;
  readonly size: number;
  /** In the order of discovery, at least one. */
  readonly findings: readonly LogFinding[];
  /** All that were found, also those not listed. */
  readonly total: number;
  readonly unsequenced: number;
}

/**
 * Verifies the whole log: every stored event against the tree, the tree against the signed checkpoint, the checkpoint against the keys and,
 * if given, against one held elsewhere. Streams: flat memory, whatever the length. The log may grow meanwhile.
 *
 * A log that was rebased (see `rebaseLog`) is verified across: give the keys of the old origins too. The verdict says what was lost; leaves that the
 * given checkpoint covers and that are lost are a finding.
 *
 * @returns a verdict; never throws because the log is damaged
 * @throws MedzenError `store_unavailable`, of the archive's objects too; the signal's reason when it is aborted
 * @see 45 CFR 164.312(c)(2); RFC 6962 §2.1
 * @example
 * ```ts
 * import { verifyLog } from '@medzen/audit';
 * import type { LogStore } from '@medzen/core';
 * async function nightly(store: LogStore, verifierKey: string, lastNight: string): Promise<string | undefined> {
 *   const verdict = await verifyLog({ store, verifierKeys: [verifierKey], checkpoint: lastNight });
 *   if (!verdict.ok) throw new Error(`Damaged: ${verdict.findings.map(({ kind }) => kind).join(', ')}`);
 *   return verdict.checkpoint;
 * }
 * ```
 */
export async function verifyLog(options: VerifyLogOptions): Promise<LogVerdict> {
  const { store, maxFindings = 100, clock = systemClock, signal } = options;
  const hasher = createTreeHasher();
  const found = createFindings(maxFindings);
  const { report } = found;

  signal?.throwIfAborted();
  const head = await untilAborted(signal, store.head());
  const trusted = options.checkpoint === undefined ? undefined : await open(options.checkpoint, 'trusted');
  const signed = await openStored(head);
  const size = signed?.size ?? (isSize(head.size) ? head.size : 0);
  const rebases = createRebaseCheck({ store, hasher, signed, verifierKeys: options.verifierKeys, report });
  // Of an origin that a rebase has ended, only what survived can be compared.
  const isOlder = trusted !== undefined && signed !== undefined && trusted.origin !== signed.origin;
  const compared = isOlder ? judgeTrusted(trusted, signed, report) : trusted?.size;
  const earlier =
    compared !== undefined && compared >= 1 && compared <= size ? createEarlierRoot(hasher, compared) : undefined;

  const hashesOnly = store.entries === 'absent';
  const purges = createPurgeProofs({
    notes: store.entries === undefined,
    now: clock.now().getTime(),
    cosigned: cosignedTimes(compared === undefined ? undefined : trusted),
    fromArchive: options.archive && archiveProof({ ...options.archive, verifierKeys: options.verifierKeys, signal }),
    idAt: async (index) => {
      const [leaf] = await untilAborted(signal, store.readLeaves(index, 1));
      return leaf?.index === index ? leaf.eventId : undefined;
    },
  });
  const beside = createSideEvidence({ report, signal });
  const proved = await walkLog({
    store,
    hasher,
    size,
    sizeIsSigned: signed !== undefined,
    root: signed?.root ?? (isHash(head.root) ? head.root : undefined),
    hashesOnly,
    report,
    reserve: found.reserve,
    purges,
    onLeaf: beside.leaf,
    signal,
    onRow: (level, index, hashes) => {
      earlier?.take(level, index, hashes);
      rebases.take(level, index, hashes);
    },
    onPage: (verified) => options.onProgress?.({ verified, size }),
  });
  const absences = await purges.judge();
  for (const [slot, said] of absences.findings) found.fill(slot, said);
  const purged = hashesOnly ? size : absences.purged;
  if (!proved) report({ kind: 'root_mismatch', size });

  const told = await untilAborted(signal, rebases.finish());
  const lostLeaves = told.reduce((sum, { lost }) => sum + lost, 0);
  if (trusted !== undefined && !isOlder && trusted.size > size)
    report({ kind: 'size_regressed', size, trustedSize: trusted.size });
  if (trusted !== undefined && earlier !== undefined) {
    const root = earlier.root();
    if (root === undefined || !equalBytes(root, trusted.root))
      report({ kind: 'history_rewritten', size, trustedSize: trusted.size });
  }
  if (signed !== undefined && trusted !== undefined && !isOlder && trusted.size >= 1 && !isSameLineage(signed, trusted))
    report({ kind: 'rebase_invalid', index: size, reason: 'lineage_changed' });

  await beside.finish(store, [...absences.findings.values()].flat());
  const { pending: unsequenced, lost } = await untilAborted(signal, store.lag());
  if (lost > 0) report({ kind: 'pending_lost', count: lost });
  const { findings, total } = found.all();
  const across = { rebases: told, lost: lostLeaves };
  if (total > 0) return { ok: false, size, findings, total, unsequenced, ...across };
  const { checkpoint } = head;
  return {
    ok: true,
    origin: signed?.origin,
    size,
    root: signed?.root ?? sha256(),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    purged,
    unsequenced,
    ...across,
  };

  async function open(text: string, which: 'stored' | 'trusted'): Promise<OpenCheckpoint | undefined> {
    const opened = await openOwnCheckpoint(text, options.verifierKeys);
    if (opened.ok && opened.damagedLines === true) report({ kind: 'cosignature_damaged', which });
    if (opened.ok && isSignedByLog(opened, options)) return opened;
    // Of an origin that a rebase has ended: whether it belongs to this log is judged by what the log says of it.
    if (opened.ok && which === 'trusted' && isSignedByLog(opened)) return opened;
    if (opened.ok || opened.reason === 'unknown_key') report({ kind: 'wrong_key', which });
    else report({ kind: 'checkpoint_invalid', which, reason: opened.reason });
    return undefined;
  }

  /** The stored checkpoint, if it holds; the head row must say the same. */
  async function openStored(stored: LogHead): Promise<OpenCheckpoint | undefined> {
    const empty = stored.size === 0 && isHash(stored.root) && equalBytes(stored.root, sha256());
    if (stored.checkpoint === undefined) {
      if (!empty) report({ kind: 'checkpoint_invalid', which: 'stored', reason: 'missing' });
      return undefined;
    }
    const opened = await open(stored.checkpoint, 'stored');
    if (opened === undefined) return undefined;
    if (opened.size !== stored.size || !isHash(stored.root) || !equalBytes(opened.root, stored.root))
      report({ kind: 'head_altered', size: opened.size });
    return opened;
  }
}

/** When a witness saw a tree as the largest of the log: the checkpoint's own size, and its cosignatures' times. */
function cosignedTimes(opened: OpenCheckpoint | undefined): readonly { readonly size: number; readonly at: number }[] {
  return (opened?.signatures ?? []).flatMap(({ cosignedAt }) =>
    cosignedAt === undefined ? [] : [{ size: opened?.size ?? 0, at: cosignedAt.getTime() }],
  );
}

/** The lines about rebases never change under one origin. */
function isSameLineage(a: OpenCheckpoint, b: OpenCheckpoint): boolean {
  return (a.extensions ?? []).join('\n') === (b.extensions ?? []).join('\n');
}
