/** Encryption of an object at rest. */
export type ObjectEncryption =
  | { readonly algorithm: 'aws:kms'; readonly keyId?: string }
  | { readonly algorithm: 'AES256' };

/** The store and bucket that hold objects. Two stores with the same `store` and `bucket` are one place. */
export interface ObjectLocation {
  /** The kind of store, or the name that the host gave it: `s3`, `supabase`, `disk`. 1–64 characters. */
  readonly store: string;
  /** 1–512 characters. */
  readonly bucket: string;
  /** Says more and tells nothing apart. 1–64 characters. */
  readonly region?: string;
}

/** Protection that keeps a version from being deleted: S3 Object Lock or an equivalent. */
export interface ObjectLock {
  readonly mode?: 'governance' | 'compliance';
  readonly retainUntil?: Date;
  /** Stands until it is lifted, whatever the date. */
  readonly legalHold?: boolean;
}

/** Options of every call. */
export interface ObjectCallOptions {
  /** Ends the call early. It may have taken effect all the same. */
  readonly signal?: AbortSignal;
  /** As `PutObjectOptions.moved`. Only `head` may have to read the bytes. */
  readonly moved?: () => void;
}

/** Metadata of an object to store, and the conditions that it must meet. */
export interface PutObjectOptions {
  /** From the provider, never guessed. */
  readonly contentType: string;
  /** Bytes, when known beforehand; a stream of another length is refused. */
  readonly contentLength?: number;
  /** SHA-256 that the bytes must have, 32 bytes; a stream of other bytes is refused and nothing stays. */
  readonly sha256?: Uint8Array;
  /** `absent`: refuse with `conflict` when the key has a current version. */
  readonly ifExists?: 'add-version' | 'refuse';
  /** Aborting leaves nothing behind. */
  readonly signal?: AbortSignal;
  /** Called as the store reads back what it stored, which no stream of the caller shows: for a caller that waits only while something moves. */
  readonly moved?: () => void;
}

/** Properties of one stored version, as read back from the store. */
export interface ObjectHead {
  readonly key: string;
  readonly versionId: string;
  readonly size: number;
  readonly contentType: string;
  /** 32 bytes; computed over the bytes as they were stored. */
  readonly sha256: Uint8Array;
  /** Read back, not what was asked for. Absent where the store does not encrypt. */
  readonly encryption?: ObjectEncryption;
  readonly lastModified: Date;
  /** Absent where the version is not locked, or the store does not tell. */
  readonly lock?: ObjectLock;
  /** `STANDARD_IA`, `GLACIER`, …; absent where the store has one class only, or for its usual one. */
  readonly storageClass?: string;
}

/** A version or delete marker in a listing. */
export interface ObjectVersion {
  readonly key: string;
  readonly versionId: string;
  readonly isDeleteMarker: boolean;
  readonly isLatest: boolean;
  /** 0 for a delete marker. */
  readonly size: number;
}

/** One page of a listing of versions. */
export interface ObjectVersionPage {
  readonly versions: readonly ObjectVersion[];
  /** Absent on the last page. */
  readonly cursor?: string;
}

/** Outcome of each version of a deletion. */
export interface DeleteVersionsResult {
  /** Gone now, or gone before: a version that does not exist counts as deleted. */
  readonly deleted: readonly { readonly key: string; readonly versionId: string }[];
  readonly errors: readonly {
    readonly key: string;
    readonly versionId: string;
    /** `locked`: retention, legal hold or no permission; asking again now will not help. `transient`: slow down, try again. */
    readonly reason: 'locked' | 'transient';
    /** The store's own code: `AccessDenied`, `SlowDown`, … */
    readonly code: string;
  }[];
}

/** A link that anyone who holds it may use until it expires. */
export interface PresignOptions {
  /** The version that is meant. Always pinned. */
  readonly versionId: string;
  /** Whole seconds, 1–604 800. */
  readonly expiresInSeconds: number;
  /** The whole Content-Disposition header. ASCII. */
  readonly contentDisposition?: string;
  readonly contentType?: string;
}

/** A presigned link. A secret: never log it. */
export interface PresignedUrl {
  readonly url: string;
  /** When it stops working: never later than asked for, sooner when the credentials expire sooner. */
  readonly expiresAt: Date;
}

/**
 * A versioned object store: every put adds a version, nothing is overwritten, and only `deleteVersions` removes bytes.
 * Keys are 1–1024 bytes of UTF-8; any of them is safe to use. Keys carry no PHI.
 *
 * Every call may be given a signal. When it is aborted, the call rejects with the signal's reason, at once or when the store answers;
 * a call whose signal was aborted before begins nothing.
 */
export interface ObjectStore {
  /**
   * The store and bucket that it uses, known without a call. Recordings remember it: a store that is set to another
   * bucket must have another location, or a deletion would look for their bytes in the wrong place.
   */
  readonly location: ObjectLocation;

  /**
   * Stores a new version, streaming in flat memory. All or nothing: after a failure the key has no new version, and no
   * part of it stays anywhere that `listVersions` or `abortUploads` cannot see.
   *
   * @returns the version, read back from the store
   * @throws MedzenError `checksum_mismatch` (length or digest), `conflict` (`ifExists: 'refuse'`), `store_unavailable`, `invalid_input`
   */
  put(key: string, body: Uint8Array | ReadableStream<Uint8Array>, options: PutObjectOptions): Promise<ObjectHead>;

  /** A version, or the current one; undefined when there is none or it is a delete marker. @throws `store_unavailable` */
  head(key: string, versionId?: string, options?: ObjectCallOptions): Promise<ObjectHead | undefined>;

  /**
   * The bytes, or a part of them.
   *
   * @param options.range - inclusive offsets, as HTTP has them
   * @returns undefined when there is no such version
   * @throws MedzenError `invalid_input` when the range starts past the end; `store_unavailable`
   */
  get(
    key: string,
    options?: ObjectCallOptions & {
      readonly versionId?: string;
      readonly range?: { readonly first: number; readonly last?: number };
    },
  ): Promise<{ readonly head: ObjectHead; readonly body: ReadableStream<Uint8Array> } | undefined>;

  /**
   * Every version and delete marker whose key starts with the prefix.
   *
   * @param options.limit - 1–1000; 1000 when absent
   */
  listVersions(
    prefix: string,
    options?: ObjectCallOptions & { readonly cursor?: string; readonly limit?: number },
  ): Promise<ObjectVersionPage>;

  /**
   * Removes versions for good. One version's failure does not stop the others.
   *
   * @param versions - 0–1000
   * @throws MedzenError `store_unavailable` when nothing is known of any of them; `invalid_input`
   */
  deleteVersions(
    versions: readonly { readonly key: string; readonly versionId: string }[],
    options?: ObjectCallOptions,
  ): Promise<DeleteVersionsResult>;

  /**
   * Aborts uploads begun under the prefix and not finished, whose parts no listing of versions shows.
   *
   * @returns how many there were
   */
  abortUploads(prefix: string, options?: ObjectCallOptions): Promise<number>;

  /**
   * Signs a link to one version. Does not look whether it exists.
   *
   * @throws MedzenError `invalid_input`
   */
  presignGet(key: string, options: PresignOptions): Promise<PresignedUrl>;
}
