import { fromBase64, MedzenError, toBase64, toHex } from '@medzen/core';
import { cosignatureTime } from './cosignature.ts';
import { verifies } from './ed25519.ts';
import { isHash } from './is-hash.ts';
import { isSize } from './proof-ranges.ts';
import { formatSignature, type NoteSignature, parseNote, wellFormedNote } from './signed-note.ts';
import type { Signer } from './signer.ts';
import { hashBytes } from './tree-hasher.ts';
import { isOfKey, parseVerifierKey, readVerifierKey, type VerifierKey } from './verifier-key.ts';

/** Size and root hash of a log. */
export interface TreeHead {
  /** The log's name. */
  readonly origin: string;
  /** Leaves, 0 to 2⁵³ − 1. */
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** Lines after the root, signed like the rest; absent when there are none. Ours tell of a rebase (see `rebaseLog`). */
  readonly extensions?: readonly string[];
}

/** A signature that was verified. */
export interface CheckpointSignature {
  /** The name of the key that made it. */
  readonly name: string;
  /** The key's id, 8 hexadecimal digits. */
  readonly keyId: string;
  /** The verifier key, as it was given. */
  readonly verifierKey: string;
  /** Set on a witness's cosignature: when it saw this tree as the largest of the log, by its own clock. */
  readonly cosignedAt?: Date;
}

/** A checkpoint whose signature holds. */
export interface OpenCheckpoint extends TreeHead {
  readonly ok: true;
  /** One or more, by known keys only. Lines of unknown keys are ignored, as the format demands. */
  readonly signatures: readonly CheckpointSignature[];
}

/** Reason a checkpoint was rejected. */
export interface CheckpointFailure {
  readonly ok: false;
  /**
   * `malformed`: not a signed note, or its body is not a tree head. `bad_verifier_key`: one of the given texts is not a
   * verifier key, two different ones share name and id, or all are of kinds that are not supported (Ed25519 keys of logs and
   * of witnesses are). `unknown_key`: no line is by a given key. `bad_signature`: a line that
   * claims to be by a given key does not verify.
   */
  readonly reason: 'malformed' | 'bad_verifier_key' | 'unknown_key' | 'bad_signature';
}

/**
 * Signs a tree head.
 *
 * @param head - `origin` must be the signer's own; `size` 0 to 2⁵³ − 1; `root` 32 bytes
 * @param signer - see `createSigner`
 * @returns the checkpoint's text: a C2SP signed note
 * @throws MedzenError `invalid_input` when the head is not so; `internal` when the signer gives anything but 64 bytes
 * @see C2SP tlog-checkpoint
 * @example
 * ```ts
 * import { createSigner, signCheckpoint, treeHash } from '@medzen/audit';
 * const signer = createSigner({ origin: 'example.org/audit', privateKey: new Uint8Array(32).fill(7) });
 * const text = await signCheckpoint({ origin: 'example.org/audit', size: 0, root: treeHash([]) }, signer);
 * text.split('\n')[0]; // 'example.org/audit'
 * ```
 */
export async function signCheckpoint(head: TreeHead, signer: Signer): Promise<string> {
  const { origin, size, root, extensions = [] } = head;
  if (origin !== signer.origin) throw new MedzenError('invalid_input', 'origin must equal signer.origin');
  if (!isSize(size) || !isHash(root))
    throw new MedzenError('invalid_input', 'size must be an integer ≥ 0 and root 32 bytes');
  if (extensions.some((line) => line === '' || line.includes('\n')))
    throw new MedzenError('invalid_input', 'An extension of a checkpoint is one line, not empty');
  const key = parseVerifierKey(signer.verifierKey);
  if (key?.type !== 'ed25519')
    throw new MedzenError('invalid_input', 'The signer has no Ed25519 verifier key of a log');
  const body = `${[origin, size, toBase64(root), ...extensions].join('\n')}\n`;
  const signature = await signer.sign(new TextEncoder().encode(body));
  if (signature.length !== 64) throw new MedzenError('internal', 'An Ed25519 signature is 64 bytes');
  return `${body}\n${formatSignature({ name: key.name, keyId: key.keyId, signature })}`;
}

/**
 * Opens a checkpoint: reads it and verifies it. Safe with input from anybody: whatever the text is, the answer is one of the
 * two. Compare `origin` with the log you mean: a key name need not be the origin's (the Go checksum database's is not).
 *
 * @param text - a C2SP signed note, at most 131 072 UTF-16 units and 100 signatures
 * @param verifierKeys - texts as `Signer.verifierKey` and `Cosigner.verifierKey` give; those you trust, no others. A key of another kind
 * (ML-DSA) is passed over, as its lines are. Witnesses' keys alone
 * open a checkpoint too, which says nothing of who issued it: see {@link isSignedByLog}
 * @returns the head and the signatures that hold; or why not. A note with a failing signature by a known key is refused, even if
 * another one holds
 * @throws never
 * @see C2SP tlog-checkpoint, signed-note
 * @example
 * ```ts
 * import { createSigner, openCheckpoint, signCheckpoint, treeHash } from '@medzen/audit';
 * const signer = createSigner({ origin: 'example.org/audit', privateKey: new Uint8Array(32).fill(7) });
 * const text = await signCheckpoint({ origin: 'example.org/audit', size: 0, root: treeHash([]) }, signer);
 * const opened = await openCheckpoint(text, [signer.verifierKey]);
 * if (opened.ok) opened.size; // 0
 * ```
 */
export async function openCheckpoint(
  text: string,
  verifierKeys: readonly string[],
): Promise<OpenCheckpoint | CheckpointFailure> {
  const keys = parseKeys(verifierKeys);
  if (keys === undefined) return { ok: false, reason: 'bad_verifier_key' };
  if (keys.length === 0 && verifierKeys.length > 0) return { ok: false, reason: 'bad_verifier_key' };
  const note = parseNote(text);
  const head = note === undefined ? undefined : parseHead(note.body);
  if (note === undefined || head === undefined) return { ok: false, reason: 'malformed' };

  const body = new TextEncoder().encode(note.body);
  const verified = new Map<VerifierKey, NoteSignature>();
  const cosignedAt = new Map<VerifierKey, Date>();
  for (const line of note.signatures) {
    const key = keys.find((candidate) => isOfKey(line, candidate));
    if (key === undefined) continue;
    // A second line by the same key can only be a repetition or a forgery: one failure ends the loop, so the work stays bounded.
    if (sameSignature(verified.get(key), line)) continue;
    if (key.type === 'cosignature') {
      const at = cosignatureTime(key.publicKey, body, line.signature);
      if (at === undefined) return { ok: false, reason: 'bad_signature' };
      cosignedAt.set(key, at);
    } else if (!verifies(key.publicKey, body, line.signature)) return { ok: false, reason: 'bad_signature' };
    verified.set(key, line);
  }
  if (verified.size === 0) return { ok: false, reason: 'unknown_key' };
  const signatures = [...verified.keys()].map((key) => {
    const at = cosignedAt.get(key);
    return {
      name: key.name,
      keyId: toHex(key.keyId),
      verifierKey: key.text,
      ...(at === undefined ? {} : { cosignedAt: at }),
    };
  });
  return { ok: true, ...head, signatures };
}

/** Whose signature counts as the log's own. */
export interface LogOrigin {
  /**
   * The first line that the log's checkpoints must have. C2SP tlog-checkpoint wants it to be the name of the log's key, and so it must be when this is absent,
   * or one of the keys has this name. Where none has (the Go checksum database signs `go.sum database tree` with the key `sum.golang.org`), every key
   * that is given and is no witness's counts as this log's: give none of another log beside it.
   */
  readonly origin?: string;
}

/**
 * Whether the log itself signed: by a key of the name that the checkpoint's first line gives, or, where the first line is the `origin` that is
 * expected and no given key has that name, by a key of any. A witness's cosignature is not that.
 *
 * @param checkpoint - as `openCheckpoint` gives
 * @param expected - which log is meant, and the keys that `openCheckpoint` was given
 * @example
 * ```ts
 * import { isSignedByLog, openCheckpoint } from '@medzen/audit';
 * async function accept(text: string, verifierKeys: string[]): Promise<boolean> {
 *   const opened = await openCheckpoint(text, verifierKeys);
 *   return opened.ok && isSignedByLog(opened);
 * }
 * ```
 */
export function isSignedByLog(
  checkpoint: OpenCheckpoint,
  { origin, verifierKeys = [] }: LogOrigin & { readonly verifierKeys?: readonly string[] } = {},
): boolean {
  if (origin !== undefined && origin !== checkpoint.origin) return false;
  const isOwn = (key: VerifierKey | undefined): boolean => key?.name === origin && key?.type !== 'cosignature';
  const byName = origin === undefined || verifierKeys.some((key) => isOwn(parseVerifierKey(key)));
  return checkpoint.signatures.some(
    ({ name, cosignedAt }) => (!byName || name === checkpoint.origin) && cosignedAt === undefined,
  );
}

function parseKeys(texts: unknown): readonly VerifierKey[] | undefined {
  if (!Array.isArray(texts)) return undefined;
  const keys: VerifierKey[] = [];
  for (const text of texts as readonly unknown[]) {
    const key = readVerifierKey(text);
    if (key === undefined) return undefined;
    if (key.type === 'unsupported') continue;
    const same = keys.find((other) => isOfKey(key, other));
    if (same !== undefined && same.text !== key.text) return undefined;
    if (same === undefined) keys.push(key);
  }
  return keys;
}

/** Parses a checkpoint without verifying signatures; undefined when malformed. */
export function readTreeHead(text: unknown): TreeHead | undefined {
  const note = parseNote(text);
  return note === undefined ? undefined : parseHead(note.body);
}

/**
 * Parses a checkpoint of the log's own store without verifying signatures, whatever became of the lines below its body; undefined when the body is no
 * tree head.
 */
export function readStoredHead(text: unknown): TreeHead | undefined {
  return typeof text === 'string' ? readTreeHead(wellFormedNote(text)) : undefined;
}

/** The body: origin, size, root, and extension lines that are tolerated; every line has something in it. */
function parseHead(body: string): TreeHead | undefined {
  const [origin, size, root, ...extensions] = body.slice(0, -1).split('\n');
  if (origin === undefined || size === undefined || root === undefined) return undefined;
  if (origin === '' || extensions.includes('')) return undefined;
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || !isSize(Number(size))) return undefined;
  if (!/^[A-Za-z0-9+/]{43}=$/.test(root)) return undefined;
  try {
    const bytes = fromBase64(root);
    if (bytes.length !== hashBytes) return undefined;
    return { origin, size: Number(size), root: bytes, ...(extensions.length > 0 && { extensions }) };
  } catch {
    return undefined; // bits beyond the last byte
  }
}

function sameSignature(a: NoteSignature | undefined, b: NoteSignature): boolean {
  return a !== undefined && toHex(a.signature) === toHex(b.signature);
}
