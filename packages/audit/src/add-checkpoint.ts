import { toBase64 } from '@medzen/core';
import { readHashLines } from './hash-lines.ts';

/** A C2SP add-checkpoint request to a witness. */
export interface AddCheckpoint {
  /** Leaves of the last checkpoint that the witness cosigned; 0 when there is none, or to be told. */
  readonly oldSize: number;
  /** The consistency proof from the old size on; none when it is 0. Each 32 bytes. */
  readonly proof: readonly Uint8Array[];
  /** The checkpoint as the log signed it. */
  readonly checkpoint: string;
}

/** More lines than a proof between two sizes below 2⁶⁴ can have are refused. */
const maxProof = 63;

/** Longest body that is looked at, in bytes: the longest checkpoint, and the proof. */
export const maxAddCheckpointBytes: number = 400_000;

/**
 * The body of a request.
 *
 * @see C2SP tlog-witness, “add-checkpoint”
 */
export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return `old ${oldSize}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${checkpoint}`;
}

/**
 * Reads the body of a request.
 *
 * @param text - of a stranger
 * @returns undefined when it is not one; the checkpoint itself is not looked at
 */
export function parseAddCheckpoint(text: string): AddCheckpoint | undefined {
  const split = text.indexOf('\n\n');
  if (split < 0) return undefined;
  const [old, ...lines] = text.slice(0, split).split('\n');
  const size = /^old (0|[1-9][0-9]{0,15})$/.exec(old ?? '')?.[1];
  if (size === undefined || !Number.isSafeInteger(Number(size)) || lines.length > maxProof) return undefined;
  const proof = readHashLines(lines);
  return proof === undefined ? undefined : { oldSize: Number(size), proof, checkpoint: text.slice(split + 2) };
}
