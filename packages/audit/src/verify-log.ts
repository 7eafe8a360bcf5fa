import { type Clock, equalBytes, type LogHead, sha256 } from '@medzen/core';
import { isSignedByLog, type LogOrigin, type OpenCheckpoint, openCheckpoint } from './checkpoint.ts';
import { createEarlierRoot } from './earlier-root.ts';
import { isHash } from './is-hash.ts';
import type { LogFinding } from './log-finding.ts';
import { isSize } from './proof-ranges.ts';
import type { ReadableLog } from './tile-log.ts';
import { createTreeHasher } from './tree-hasher.ts';
import { createFindings } from './verify/findings.ts';
import { walkLog } from './verify/log-walk.ts';
import { createPurgeProofs } from './verify/purge-proofs.ts';
import { untilAborted } from './verify/until-aborted.ts';

/** What is verified, against what. */
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
  /** No purge is believed that is dated later than it shows; not compared when absent. */
  readonly clock?: Clock;
  /** Ends the verification with its reason, while the store does not answer too. */
  readonly signal?: AbortSignal;
  /** Told after each page. */
  readonly onProgress?: (progress: { readonly verified: number; readonly size: number }) => void;
  /** Most findings to list, ≥ 1; 100 when absent. The walk goes on to the end all the same. */
  readonly maxFindings?: number;
}

/** What a verification came to. */
export type LogVerdict =
  | {
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
  | {
      readonly ok: false;
      readonly size: number;
      /** In the order of discovery, at least one. */
      readonly findings: readonly LogFinding[];
      /** All that were found, also those not listed. */
      readonly total: number;
      readonly unsequenced: number;
    };

/**
 * Verifies the whole log: every stored event against the tree, the tree against the signed checkpoint, the checkpoint against the keys and,
 * if given, against one held elsewhere. Streams: flat memory, whatever the length. The log may grow meanwhile.
 *
 * @returns a verdict; never throws because the log is damaged
 * @throws MedzenError `store_unavailable`; the signal's reason when it is aborted
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
  const { store, maxFindings = 100, signal } = options;
  const hasher = createTreeHasher();
  const found = createFindings(maxFindings);
  const { report } = found;

  signal?.throwIfAborted();
  const head = await untilAborted(signal, store.head());
  const trusted = options.checkpoint === undefined ? undefined : await open(options.checkpoint, 'trusted');
  const signed = await openStored(head);
  const size = signed?.size ?? (isSize(head.size) ? head.size : 0);
  const earlier =
    trusted !== undefined && trusted.size >= 1 && trusted.size <= size
      ? createEarlierRoot(hasher, trusted.size)
      : undefined;

  const hashesOnly = store.entries === 'absent';
  const purges = createPurgeProofs({
    notes: store.entries === undefined,
    now: options.clock?.now().getTime(),
    cosigned: cosignedTimes(trusted),
    idAt: async (index) => {
      const [leaf] = await untilAborted(signal, store.readLeaves(index, 1));
      return leaf?.index === index ? leaf.eventId : undefined;
    },
  });
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
    signal,
    onRow: earlier?.take,
    onPage: (verified) => options.onProgress?.({ verified, size }),
  });
  const absences = await purges.judge();
  for (const [slot, said] of absences.findings) found.fill(slot, said);
  const purged = hashesOnly ? size : absences.purged;
  if (!proved) report({ kind: 'root_mismatch', size });

  if (trusted !== undefined && trusted.size > size) report({ kind: 'size_regressed', size, trustedSize: trusted.size });
  if (trusted !== undefined && earlier !== undefined) {
    const root = earlier.root();
    if (root === undefined || !equalBytes(root, trusted.root))
      report({ kind: 'history_rewritten', size, trustedSize: trusted.size });
  }
  if (signed !== undefined && trusted !== undefined && signed.origin !== trusted.origin)
    report({ kind: 'wrong_key', which: 'stored' });

  const { pending: unsequenced, lost } = await untilAborted(signal, store.lag());
  if (lost > 0) report({ kind: 'pending_lost', count: lost });
  const { findings, total } = found.all();
  if (total > 0) return { ok: false, size, findings, total, unsequenced };
  const { checkpoint } = head;
  return {
    ok: true,
    origin: signed?.origin,
    size,
    root: signed?.root ?? sha256(),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    purged,
    unsequenced,
  };

  async function open(text: string, which: 'stored' | 'trusted'): Promise<OpenCheckpoint | undefined> {
    const opened = await openCheckpoint(text, options.verifierKeys);
    if (opened.ok && isSignedByLog(opened, options)) return opened;
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
