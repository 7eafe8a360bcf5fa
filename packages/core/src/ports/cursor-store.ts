/**
 * How far each of those who follow the log has come. The log is one over all tenants, and belongs to the operator; hence no `scope`.
 */
export interface CursorStore {
  /**
   * The leaf to go on from: everything below it is done. 0 for a name that was never moved.
   *
   * @param name - 1–128 of `a-z`, `0-9`, `.`, `_` and `-`, starting with a letter or digit
   * @throws MedzenError `store_unavailable`
   */
  read(name: string): Promise<number>;

  /**
   * Compares and swaps, forward or back.
   *
   * @param from - where it has to be now
   * @param to - 0 up to the size of the log
   * @returns `conflict` when it is elsewhere: another of this name moved it
   * @throws MedzenError `invalid_input` for no such name, or a place outside the log; `store_unavailable`
   */
  move(name: string, from: number, to: number): Promise<{ readonly status: 'moved' } | { readonly status: 'conflict' }>;
}
