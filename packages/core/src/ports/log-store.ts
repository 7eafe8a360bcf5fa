import type { SealedEvent } from '../audit/audit-event.ts';
import type { Scope } from '../scope.ts';

/** The state of the tree as last committed. */
export interface LogHead {
  /** Leaves in the tree, ≥ 0. */
  readonly size: number;
  /** RFC 6962 root, 32 bytes; SHA-256 of nothing for the empty tree. */
  readonly root: Uint8Array;
  /** The signed checkpoint's text, with the cosignatures that were added to it; absent while the tree is empty. */
  readonly checkpoint?: string;
}

/** 256 (or, at the right edge, fewer) hashes of one level of the tree, as C2SP tlog-tiles lays them out. */
export interface LogTile {
  /** 0 for leaf hashes; level n holds the roots of full tiles of level n − 1. */
  readonly level: number;
  /** Position in its level, ≥ 0. */
  readonly index: number;
  /** 32 × (1–256) bytes. */
  readonly hashes: Uint8Array;
}

/** Leaves and checkpoint that one batch adds. */
export interface LogCommit {
  /** Compare: the head must still be this. */
  readonly expectedSize: number;
  readonly expectedRoot: Uint8Array;
  /** Swap: event ids in leaf order; the first becomes leaf `expectedSize`. */
  readonly eventIds: readonly string[];
  /** The leaf hashes in the same order, so that the store can compare them with its own. */
  readonly leafHashes: readonly Uint8Array[];
  /** Every tile that changed, whole: partial tiles replace their earlier, narrower selves. */
  readonly tiles: readonly LogTile[];
  readonly root: Uint8Array;
  readonly checkpoint: string;
}

/** A leaf with its body. `body` is what is stored now, whatever it was when it was sequenced. */
export interface LogLeaf {
  readonly index: number;
  readonly eventId: string;
  /** Absent when the event row is missing (damaged, or purged). */
  readonly body?: Uint8Array;
  /**
   * The event is not there because its retention ended and it was purged: what remains of it is its hash in the tiles. Only set once the event of the purge
   * has a leaf behind the range, which proves it.
   */
  readonly purged?: true;
  /**
   * The body may be sound, but what searches and reports find the event by (its tenant, patient, actor, time, …) says something else than the
   * body: somebody hid it, or put it under another's name. Only `true` is ever set; a store that searches the bodies themselves has no such case.
   */
  readonly misfiled?: true;
  /**
   * Fault of the rows that a bulk write touched, whose hash the event carries (`detail.rowsHash`): `missing`, the store
   * has no rows; `altered`, the rows have another hash; `unbound`, there are rows but the event carries no hash. Absent
   * when the rows match.
   */
  readonly rows?: 'missing' | 'altered' | 'unbound';
  /** Pseudonyms in the event for which the store knows nobody. An erasure that is in the log explains that; nothing else does. */
  readonly unknown?: readonly string[];
}

/** A row beside the log that nothing sealed explains: it was inserted or changed. */
export type Stray =
  /** An event that has no leaf in the tree and does not wait for one. Searches show it. */
  | { readonly kind: 'event'; readonly eventId: string }
  /** A leaf past the end of the tree, or before its beginning. */
  | { readonly kind: 'leaf'; readonly index: string; readonly eventId: string }
  /** Rows of a bulk write whose event is not there, or carries no hash of them. */
  | { readonly kind: 'rows'; readonly eventId: string }
  /** `identity`: value and salt do not give the pseudonym. `restored`: the log says that it was erased, and it is there again. */
  | { readonly kind: 'identity' | 'restored'; readonly tenant: string; readonly pseudonym: string }
  /** A finding of the review that is about another event than it says, or that nobody signed as it says. */
  | { readonly kind: 'review'; readonly tenant: string; readonly id: string }
  /** `archive`: a range, by its first leaf, that is called purged without a sealed event, or does not follow the one before. `checkpoint`: one, by its size, that says something else. */
  | { readonly kind: 'archive' | 'checkpoint'; readonly index: string };

/** Some of them. */
export interface StrayPage {
  readonly strays: readonly Stray[];
  /** Cursor of the next page; absent when everything was read. Opaque. */
  readonly next?: string;
}

/** A transaction that has written events and has not ended. Until it does, nobody sees them, and the tree cannot hold them. */
export interface OpenWriter {
  /**
   * True for a prepared transaction (`PREPARE TRANSACTION`): it outlives every connection until someone commits it or
   * rolls it back.
   */
  readonly prepared: boolean;
  /** Its process on the database server; absent of a prepared one. */
  readonly pid?: number;
  /** When it began (or was prepared), RFC 3339; absent where the database does not show that to the owner of the schema. */
  readonly since?: string;
  /** Milliseconds since then. */
  readonly openMs?: number;
}

/** A transaction of the whole cluster that has been open for more than a minute, in any of its databases. */
export interface OldTransaction extends OpenWriter {
  /** True when it runs in another database than the log. */
  readonly elsewhere: boolean;
}

/** Lag of the tree behind the writers. */
export interface LogLag {
  /** Committed events without a leaf, counted up to 10 000: the oldest. */
  readonly pending: number;
  /** Set when there are more than were counted. */
  readonly more?: true;
  /**
   * The counted events that no longer exist: removed before they became tamper-evident. Never more than 0 by the
   * library's doing.
   */
  readonly lost: number;
  /** Milliseconds since the oldest of them was written; 0 when there is none. */
  readonly oldestMs: number;
  /** The oldest transaction that still holds events back; absent when none does, and of stores without transactions. */
  readonly openWriter?: OpenWriter;
  /**
   * The oldest transaction that has been open for more than a minute, whatever it does: while it is, the database cannot clean up behind the
   * sequencer, and reading the queue takes longer and longer. Absent when there is none, and of stores without transactions.
   */
  readonly oldestTransaction?: OldTransaction;
}

/**
 * The sequencer's side of the audit log. One log per installation, over all tenants: one checkpoint to publish and to
 * witness, and no tenant whose absence could go unnoticed; hence no `scope`. Its methods belong to the operator.
 */
export interface LogStore {
  /** The head. The empty tree when nothing was sequenced yet. @throws MedzenError `store_unavailable` */
  head(): Promise<LogHead>;

  /**
   * Committed events that have no leaf, in the order in which they are to become leaves: by the writer's transaction, then
   * by event id. An event of a transaction that commits late appears once it is committed. Costs the same whatever the
   * number of sequenced events. One that was lost (see `LogLag`) is passed over, and holds up none behind it.
   *
   * @param limit - 1–10 000
   */
  readBatch(limit: number): Promise<readonly SealedEvent[]>;

  /**
   * Compares the head and swaps it, writing leaves and tiles in the same transaction.
   *
   * @returns `conflict` when the head moved or an event has a leaf already: read again
   * @throws MedzenError `invalid_input` when an event does not exist or its leaf hash differs; `store_unavailable`
   */
  commitBatch(commit: LogCommit): Promise<{ readonly status: 'committed' } | { readonly status: 'conflict' }>;

  /**
   * Writes the event that records a rebase and makes it the next leaf, under the first checkpoint of the new origin, in one transaction: the event is
   * never stored without its leaf.
   *
   * @param scope - of the event
   * @param event - of action `audit.rebase`, by a service, so that no store puts a pseudonym into it
   * @param commit - names this one event
   * @returns `conflict` when the head moved: nothing was written; read again
   * @throws MedzenError `invalid_input` for another event, more than one, or another leaf hash than the stored event's; `audit_conflict` when the id
   * is taken; `store_unavailable`
   */
  commitRebase(
    scope: Scope,
    event: SealedEvent,
    commit: LogCommit,
  ): Promise<{ readonly status: 'committed' } | { readonly status: 'conflict' }>;

  /** The tile, or undefined. A partial tile is returned at its present width. */
  readTile(level: number, index: number): Promise<LogTile | undefined>;

  /**
   * Leaves from an index on, ascending, without gaps up to the head.
   *
   * @param from - first index, ≥ 0
   * @param limit - 1–10 000
   */
  readLeaves(from: number, limit: number): Promise<readonly LogLeaf[]>;

  /** The leaf index of an event, or undefined while it is not sequenced. */
  leafOf(eventId: string): Promise<number | undefined>;

  /**
   * Adds a witness's cosignature to a committed checkpoint. Of each key the first one stays; the checkpoint itself never changes.
   *
   * @param size - of the checkpoint
   * @param line - a C2SP signature line with its newline, ≤ 8192 characters, its key's name as C2SP signed-note has it; verified by the caller
   * @returns `added`; `repeated` when this key's is there; `unknown` when no checkpoint has this size
   * @throws MedzenError `invalid_input` for what is no signature line, or past 64 cosignatures or 131 072 characters of one checkpoint, with its
   * cosignatures, which is as far as readers look; `store_unavailable`
   */
  addCosignature(size: number, line: string): Promise<{ readonly status: 'added' | 'repeated' | 'unknown' }>;

  /** The checkpoints after a size, ascending, with their cosignatures, for witnesses and auditors. @param limit - 1–1000 */
  checkpoints(
    afterSize: number,
    limit: number,
  ): Promise<readonly { readonly size: number; readonly checkpoint: string }[]>;

  /**
   * Looks for rows that nothing sealed explains, some rows a call. A verifier calls it after its walk. A store that keeps nothing beside the
   * events themselves has none.
   *
   * @param after - `next` of the page before; from the beginning when absent
   * @param limit - rows to look at, 1–10 000
   * @throws MedzenError `invalid_input` for a foreign place; `store_unavailable`
   */
  readStrays(after: string | undefined, limit: number): Promise<StrayPage>;

  /**
   * Reads how far the tree lags, and which open transaction holds events back.
   *
   * @throws MedzenError `store_unavailable`
   */
  lag(): Promise<LogLag>;
}
