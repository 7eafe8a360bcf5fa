import {
  type Clock,
  equalBytes,
  errorFields,
  type Logger,
  MedzenError,
  sha256,
  stderrLogger,
  systemClock,
} from '@medzen/core';
import { type AddCheckpoint, maxAddCheckpointBytes, parseAddCheckpoint } from './add-checkpoint.ts';
import { type OpenCheckpoint, openCheckpoint } from './checkpoint.ts';
import { verifyConsistency } from './consistency-proof.ts';
import { type Cosigner, cosign } from './cosigner.ts';
import { readText } from './read-text.ts';
import { parseNote } from './signed-note.ts';
import { parseVerifierKey } from './verifier-key.ts';
import type { WitnessState, WitnessStore } from './witness-store.ts';

/** A log that a witness looks after. */
export interface WitnessedLog {
  /** The first line of its checkpoints. */
  readonly origin: string;
  /** Its verifier keys; several after a rotation. */
  readonly verifierKeys: readonly string[];
}

/** What a witness is made of. */
export interface WitnessDeps {
  readonly cosigner: Cosigner;
  readonly logs: readonly WitnessedLog[];
  readonly store: WitnessStore;
  /** Dates the cosignatures. */
  readonly clock?: Clock;
  /** Told of what a log tried that it must not: two trees of one size, a tree that did not grow out of the last. */
  readonly logger?: Logger;
}

/** Someone else's memory of a log: cosigns each checkpoint that grew out of the last one it cosigned, and nothing else, ever. */
export interface Witness {
  /** Of its cosignatures. Publish it. */
  readonly verifierKey: string;
  /**
   * Serves `POST …/add-checkpoint`. Requests need no authentication beyond the log's signature.
   *
   * 200 with the signature line; 400 for what is not a request; 404 for a log it does not look after; 403 without a signature of that log; 409
   * with the size it knows, when the request starts from another or shows another tree of that size; 413; 422 for a proof that does not hold;
   * 503 when its memory does not answer.
   *
   * @see C2SP tlog-witness
   */
  readonly fetch: (request: Request) => Promise<Response>;
}

/**
 * Makes a witness. Run it where those who run the database have no hand: on another account, with another operator, on a small machine in the
 * compliance office. Its promise is as good as its `store`.
 *
 * @throws MedzenError `invalid_configuration` for a key that is none, a log named twice, or no log at all
 * @see C2SP tlog-witness; C2SP tlog-cosignature
 * @example
 * ```ts
 * import { createCosigner, createWitness, memoryWitnessStore } from '@medzen/audit';
 * const witness = createWitness({
 *   cosigner: createCosigner({ name: 'witness.example/w1', privateKey: new Uint8Array(32).fill(9) }),
 *   logs: [{ origin: 'clinic.example/audit', verifierKeys: ['clinic.example/audit+be42cc98+AX8pJX/wPDs+aJfTKMxVFOMMVIBCYUNgiZoPjG0DKwfs'] }],
 *   store: memoryWitnessStore(),
 * });
 * const answer = await witness.fetch(new Request('https://witness.example/add-checkpoint', { method: 'POST', body: 'old 0\n' }));
 * answer.status; // 400
 * ```
 */
export function createWitness(deps: WitnessDeps): Witness {
  const { cosigner, store, clock = systemClock, logger = stderrLogger } = deps;
  if (parseVerifierKey(cosigner.verifierKey)?.type !== 'cosignature')
    throw new MedzenError('invalid_configuration', 'The cosigner has no verifier key of a witness');
  const logs = keysByOrigin(deps.logs);

  const misbehaved = (checkpoint: OpenCheckpoint, what: string): void =>
    logger.error('a log asked for what no witness may sign', {
      origin: checkpoint.origin,
      size: checkpoint.size,
      what,
    });

  const judge = async ({ oldSize, proof, checkpoint: text }: AddCheckpoint): Promise<Response> => {
    const note = parseNote(text);
    if (note === undefined) return answer(400);
    const origin = note.body.slice(0, note.body.indexOf('\n'));
    const keys = logs.get(origin);
    if (keys === undefined) return answer(404);
    const opened = await openCheckpoint(text, keys);
    if (!opened.ok) return answer(opened.reason === 'malformed' ? 400 : 403);
    if (oldSize > opened.size) return answer(400);

    const known = await store.read(origin);
    const knownSize = known?.size ?? 0;
    if (oldSize !== knownSize) return conflict(knownSize);
    const refused = unproved(opened, known, proof);
    if (refused !== undefined) {
      misbehaved(
        opened,
        refused === 409 ? 'another tree of the same size' : 'a tree that did not grow out of the last',
      );
      return refused === 409 ? conflict(knownSize) : answer(422);
    }
    // The memory first: a cosignature must never be out in the world that this witness does not know of.
    const { size, root } = opened;
    if (!(await store.replace(origin, knownSize, { size, root, checkpoint: text })))
      return conflict((await store.read(origin))?.size ?? 0);
    return answer(200, await cosign(note.body, cosigner, clock));
  };

  return {
    verifierKey: cosigner.verifierKey,
    fetch: async (request) => {
      if (!new URL(request.url).pathname.endsWith('/add-checkpoint')) return answer(404);
      if (request.method !== 'POST') return answer(405, '', { Allow: 'POST' });
      const read = await readText(request, maxAddCheckpointBytes);
      if ('failure' in read) return answer(read.failure === 'too long' ? 413 : 400);
      const asked = parseAddCheckpoint(read.text);
      if (asked === undefined) return answer(400);
      try {
        return await judge(asked);
      } catch (error) {
        logger.error('the witness could not answer', errorFields(error));
        return answer(503);
      }
    },
  };
}

function keysByOrigin(logs: readonly WitnessedLog[]): ReadonlyMap<string, readonly string[]> {
  const known = new Map<string, readonly string[]>();
  for (const { origin, verifierKeys } of logs) {
    if (known.has(origin)) throw new MedzenError('invalid_configuration', `logs must not repeat an origin: ${origin}`);
    if (verifierKeys.length === 0 || verifierKeys.some((key) => parseVerifierKey(key)?.type !== 'ed25519'))
      throw new MedzenError(
        'invalid_configuration',
        `logs[].verifierKeys must be one or more Ed25519 log keys: ${origin}`,
      );
    known.set(origin, verifierKeys);
  }
  if (known.size === 0) throw new MedzenError('invalid_configuration', 'logs must not be empty');
  return known;
}

/** Why the new tree is not one that the witness may sign: 409, another tree of the known size; 422, no proof that it grew. */
function unproved(
  opened: OpenCheckpoint,
  known: WitnessState | undefined,
  proof: readonly Uint8Array[],
): 409 | 422 | undefined {
  const { size, root } = opened;
  if (size === 0 && !equalBytes(root, sha256())) return 422;
  if (known === undefined || known.size === 0) return proof.length === 0 ? undefined : 422;
  if (size === known.size && !equalBytes(root, known.root)) return 409;
  const holds = verifyConsistency({ size1: known.size, size2: size, root1: known.root, root2: root, proof });
  return holds ? undefined : 422;
}

function conflict(size: number): Response {
  return answer(409, `${size}\n`, { 'Content-Type': 'text/x.tlog.size' });
}

function answer(status: number, body = '', headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(body, {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...headers },
  });
}
