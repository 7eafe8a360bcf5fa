import { MedzenError } from '@medzen/core';
import { formatAddCheckpoint } from './add-checkpoint.ts';
import { openCheckpoint } from './checkpoint.ts';
import { readText } from './read-text.ts';
import { parseVerifierKey } from './verifier-key.ts';

/** How a witness is reached. */
export interface WitnessClientOptions {
  /** The submission prefix, `https://…`; `/add-checkpoint` is added. */
  readonly url: string;
  /** The witness's, got from its operator, not from the witness. */
  readonly verifierKey: string;
  readonly fetch?: (request: Request) => Promise<Response>;
  /** For each request, 1–60 000; 10 000 when absent. */
  readonly timeoutMs?: number;
}

/** What a witness made of a checkpoint. */
export type Cosigned =
  | {
      readonly status: 'cosigned';
      /** Signature line, with its newline: append it to the checkpoint. */
      readonly line: string;
      readonly at: Date;
    }
  /**
   * The witness has cosigned a larger tree. Either another sequencer of the log was faster; or, if the log's own head is smaller too, the log
   * was cut back or restored from an old copy.
   */
  | { readonly status: 'ahead'; readonly witnessSize: number }
  /** The witness has cosigned a tree that this one did not grow out of: the log was forked, or its past rewritten. */
  | { readonly status: 'inconsistent' };

/** What is put before a witness. */
export interface CosignRequest {
  /** As the log signed it; cosignatures already on it do no harm. */
  readonly checkpoint: string;
  /** Its leaves. */
  readonly size: number;
  /** Proves growth from an earlier size, 1 to `size`. */
  readonly consistencyProof: (from: number) => Promise<readonly Uint8Array[]>;
  readonly signal?: AbortSignal;
}

/** A log's side of one witness. */
export interface WitnessClient {
  readonly verifierKey: string;
  /**
   * Asks for a cosignature. Learns from the witness which size it knows, and proves growth from there.
   *
   * @throws MedzenError `provider_unavailable` (retryable) when the witness does not answer, or not with a cosignature that holds;
   * `invalid_configuration` when it does not look after this log, or not with this key
   */
  cosign(request: CosignRequest): Promise<Cosigned>;
}

/** Two that learn of each other's progress need one more turn each; a witness that never agrees is given up. */
const maxTurns = 4;
const maxAnswerBytes = 65_536;
const maxLines = 16;

/**
 * Makes the client of one witness.
 *
 * @throws MedzenError `invalid_configuration` for a key or a URL that is none
 * @see C2SP tlog-witness
 * @example
 * ```ts
 * import { createSequencer, witnessClient, type Signer } from '@medzen/audit';
 * import type { LogStore } from '@medzen/core';
 * function sequencer(store: LogStore, signer: Signer, verifierKey: string) {
 *   const witnesses = [witnessClient({ url: 'https://witness.example', verifierKey })];
 *   return createSequencer({ store, signer, witnesses, memory: 'witnesses' });
 * }
 * ```
 */
export function witnessClient(options: WitnessClientOptions): WitnessClient {
  const { verifierKey, timeoutMs = 10_000, fetch: send = (request: Request) => fetch(request) } = options;
  if (parseVerifierKey(verifierKey)?.type !== 'cosignature')
    throw new MedzenError('invalid_configuration', 'verifierKey must be a witness (cosignature) key');
  if (!URL.canParse(options.url) || !(timeoutMs >= 1 && timeoutMs <= 60_000))
    throw new MedzenError('invalid_configuration', 'url must be an absolute URL and timeoutMs from 1 to 60,000');
  const url = `${options.url.replace(/\/+$/, '')}/add-checkpoint`;
  let knownSize = 0; // asked with a wrong one, the witness says what it knows

  const post = async (body: string, signal: AbortSignal | undefined): Promise<{ status: number; text: string }> => {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await send(
        new Request(url, {
          method: 'POST',
          body,
          headers: { 'Content-Type': 'text/plain; charset=utf-8' },
          redirect: 'manual', // no answer of a witness; Workers know no 'error'
          signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
        }),
      );
      const read = await readText(response, maxAnswerBytes);
      return { status: response.status, text: 'text' in read ? read.text : '' };
    } catch (cause) {
      signal?.throwIfAborted();
      throw new MedzenError('provider_unavailable', 'The witness did not answer', { cause });
    }
  };

  const accept = async (checkpoint: string, lines: string): Promise<Cosigned> => {
    for (const line of lines.split('\n').slice(0, maxLines)) {
      const opened = await openCheckpoint(`${unsigned(checkpoint)}${line}\n`, [verifierKey]);
      const at = opened.ok ? opened.signatures[0]?.cosignedAt : undefined;
      if (at !== undefined) return { status: 'cosigned', line: `${line}\n`, at };
    }
    throw new MedzenError('provider_unavailable', 'The witness answered without a cosignature that holds');
  };

  return {
    verifierKey,
    cosign: async ({ checkpoint, size, consistencyProof, signal }) => {
      for (let turn = 0; turn < maxTurns; turn++) {
        const oldSize = Math.min(knownSize, size);
        const proof = oldSize === 0 ? [] : await consistencyProof(oldSize);
        const { status, text } = await post(formatAddCheckpoint({ oldSize, proof, checkpoint }), signal);
        if (status === 200) {
          const cosigned = await accept(checkpoint, text);
          knownSize = size;
          return cosigned;
        }
        if (status === 403 || status === 404)
          throw new MedzenError(
            'invalid_configuration',
            'The witness does not look after this log, or not with this key',
          );
        if (status === 422) return { status: 'inconsistent' };
        const witnessSize = status === 409 ? sizeIn(text) : undefined;
        if (witnessSize === undefined)
          throw new MedzenError('provider_unavailable', `The witness answered with ${status}`);
        if (witnessSize > size) return { status: 'ahead', witnessSize };
        if (witnessSize === oldSize) return { status: 'inconsistent' };
        knownSize = witnessSize;
      }
      throw new MedzenError('provider_unavailable', 'The witness names another size each time');
    },
  };
}

/** The checkpoint's body and the blank line, without signatures. */
function unsigned(checkpoint: string): string {
  return checkpoint.slice(0, checkpoint.lastIndexOf('\n\n') + 2);
}

function sizeIn(text: string): number | undefined {
  const size = /^(0|[1-9][0-9]{0,15})\n$/.exec(text)?.[1];
  return size !== undefined && Number.isSafeInteger(Number(size)) ? Number(size) : undefined;
}
