import { type LogStore, MedzenError } from '@medzen/core';

/** What is verified, against what. */
export interface VerifyLogOptions {
  readonly store: LogStore;
  /** Keys you trust to sign for this log: texts as `Signer.verifierKey` gives. Kept outside the database. */
  readonly verifierKeys: readonly string[];
  /**
   * A checkpoint held elsewhere (a file, a witness, a mail). Without one, an owner of the database who also holds an older signed checkpoint
   * can cut the log back to it unseen; with one, neither that nor a rewritten past goes unnoticed.
   */
  readonly checkpoint?: string;
  readonly signal?: AbortSignal;
  /** Told after each page. */
  readonly onProgress?: (progress: { readonly verified: number; readonly size: number }) => void;
  /** Most findings to list, ≥ 1; 100 when absent. The walk goes on to the end all the same. */
  readonly maxFindings?: number;
}

/** One thing that is wrong. */
export type LogFinding =
  /** The stored event is not the one that was sealed: its bytes, or its id, were changed. */
  | { readonly kind: 'event_altered'; readonly index: number; readonly eventId: string }
  /** The leaf is in the tree; its event is not in the database. `count` leaves from `index` on; the id when it is still known. */
  | { readonly kind: 'event_missing'; readonly index: number; readonly count: number; readonly eventId?: string }
  /** Events and the hashes over them were changed together: one or more of `count` events from `index` on. */
  | { readonly kind: 'range_altered'; readonly index: number; readonly count: number }
  /** A stored tile (or one hash of it, at `position`) is missing or altered; the events under it may be sound. */
  | { readonly kind: 'tile_altered'; readonly level: number; readonly index: number; readonly position?: number }
  /** The tree over what is stored has another root than the checkpoint. */
  | { readonly kind: 'root_mismatch'; readonly size: number }
  /** The head row says something else than its signed checkpoint. */
  | { readonly kind: 'head_altered'; readonly size: number }
  /** A checkpoint cannot be opened: missing, malformed, or its signature fails. */
  | { readonly kind: 'checkpoint_invalid'; readonly which: 'stored' | 'trusted'; readonly reason: string }
  /** A checkpoint is by none of the given keys, or is another log's. */
  | { readonly kind: 'wrong_key'; readonly which: 'stored' | 'trusted' }
  /** The log is shorter than the trusted checkpoint: it was cut, or an old copy was restored. */
  | { readonly kind: 'size_regressed'; readonly size: number; readonly trustedSize: number }
  /** The trusted checkpoint's tree is not a beginning of the stored one: the past was rewritten, and signed. */
  | { readonly kind: 'history_rewritten'; readonly size: number; readonly trustedSize: number };

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
  throw new MedzenError('internal', `Not built yet: ${options.verifierKeys.length}`);
}
