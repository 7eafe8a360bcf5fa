/** What storage-js answers. */
export interface StorageAnswer<Data> {
  readonly data: Data | null;
  readonly error: unknown;
}

/** A row of a listing. */
export interface StorageRow {
  readonly name: string;
  readonly metadata: { readonly size?: number; readonly mimetype?: string; readonly lastModified?: string } | null;
}

/** One bucket, as `storage.from(bucket)` of supabase-js 2 gives it. */
export interface StorageBucketLike {
  upload(
    path: string,
    body: Uint8Array | ReadableStream<Uint8Array>,
    options: { readonly contentType: string; readonly upsert: false; readonly headers: Record<string, string> },
  ): PromiseLike<StorageAnswer<unknown>>;
  listV2(options: {
    readonly prefix: string;
    readonly limit: number;
    readonly cursor?: string;
  }): PromiseLike<
    StorageAnswer<{ readonly hasNext: boolean; readonly nextCursor?: string; readonly objects: readonly StorageRow[] }>
  >;
  remove(paths: string[]): PromiseLike<StorageAnswer<readonly { readonly name: string }[]>>;
  createSignedUrl(
    path: string,
    expiresIn: number,
    options?: { readonly download?: string },
  ): PromiseLike<StorageAnswer<{ readonly signedUrl: string }>>;
}

/** What `supabaseObjects` asks of supabase-js 2: a `SupabaseClient`. */
export interface SupabaseStorageLike {
  readonly storage: {
    getBucket(
      id: string,
    ): PromiseLike<StorageAnswer<{ readonly public: boolean; readonly versioning_status?: string }>>;
    from(id: string): StorageBucketLike;
  };
}

/** What the parts of the store share. */
export interface Bucket {
  /** The bucket, once it has been looked at. @throws MedzenError `invalid_configuration`, `store_unavailable` */
  api(): Promise<StorageBucketLike>;
  readonly fetch: typeof fetch;
  random(): Uint8Array;
  /** Whether a put reads all bytes back. */
  readonly readBack: boolean;
}
