import { type CheckpointFailure, type OpenCheckpoint, openCheckpoint } from '../checkpoint.ts';
import { logLinesOf } from '../signed-note.ts';
import { isOfKey, parseVerifierKey } from '../verifier-key.ts';

/** A checkpoint that its log's signature opens. */
export type OwnCheckpoint = OpenCheckpoint & {
  /** Set when a signature line that is not the log's own is damaged: it is no line at all, or a witness's that fails. It counts for nothing. */
  readonly damagedLines?: true;
  /** The note that opened: the given text, without its damaged lines. */
  readonly note: string;
};

/**
 * Opens a checkpoint that this log keeps: the log's own signature decides.
 *
 * C2SP signed-note calls a note with a damaged line malformed, and says that clients should reject one on which a known key fails. For a
 * note of a stranger `openCheckpoint` does both. Here they would harm: cosignatures are rows beside the log's own line,
 * so that one bad row would hide which tree was signed, stop the sequencer, and leave the verifier nothing to walk. The text that was signed and the
 * log's line are whole without them. A failing line of one of the log's own keys refuses the checkpoint here too.
 *
 * @param text - as stored, cosignatures included
 * @param verifierKeys - keys of the log and of its witnesses
 */
export async function openOwnCheckpoint(
  text: string,
  verifierKeys: readonly string[],
): Promise<OwnCheckpoint | CheckpointFailure> {
  const opened = await openCheckpoint(text, verifierKeys);
  if (opened.ok) return { ...opened, note: text };
  if (opened.reason !== 'malformed' && opened.reason !== 'bad_signature') return opened;
  const ofLog = verifierKeys.flatMap((key) => {
    const parsed = parseVerifierKey(key);
    return parsed?.type === 'ed25519' ? [parsed] : [];
  });
  const own = logLinesOf(text, (line) => ofLog.some((key) => isOfKey(line, key)));
  if (own === undefined || ofLog.length === 0) return opened;
  const again = await openCheckpoint(
    own,
    ofLog.map((key) => key.text),
  );
  return again.ok ? { ...again, damagedLines: true, note: own } : opened;
}
