/** Where the static files of a log are read: a folder, a web server, a bucket. Nothing it gives is believed before a signed root proves it. */
export interface TileSource {
  /**
   * @param path - below the log's prefix: `checkpoint`, `tile/0/x001/234`, `tile/entries/000.p/17`
   * @returns undefined when there is no such file
   * @throws MedzenError `store_unavailable`
   */
  read(path: string): Promise<Uint8Array | undefined>;
}

/** Where they are written. */
export interface TileTarget extends TileSource {
  /**
   * Stores a file, whole or not at all, durable before it resolves.
   *
   * @param options.immutable - it never changes: a target that finds other bytes there already throws
   * @throws MedzenError `checkpoint_inconsistent` for other bytes under an immutable path; `store_unavailable`
   */
  write(
    path: string,
    bytes: Uint8Array,
    options: { readonly contentType: string; readonly immutable: boolean },
  ): Promise<void>;
}
