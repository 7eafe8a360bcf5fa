/** Turns the bytes of a body into what the handler gets. Made by `json`, `form` and `raw`. */
export interface BodyReader<T> {
  /** Media types that are accepted, lower case without parameters; empty = any. */
  readonly mediaTypes: readonly string[];
  /** Counted as the bytes come in, whatever Content-Length says. */
  readonly maxBytes: number;
  /**
   * @throws MedzenError `invalid_input` with pointers the schema knows
   */
  parse(bytes: Uint8Array): Promise<T>;
}
