import { fromBase64, toBase64 } from '@medzen/core';

/** One signature line, decoded. Nothing is verified yet. */
export interface NoteSignature {
  /** Of the key, as the line gives it. */
  readonly name: string;
  /** 4 bytes. */
  readonly keyId: Uint8Array;
  /** 1 byte or more. */
  readonly signature: Uint8Array;
}

/** A note taken apart: the bytes that were signed and the signatures that claim to be over them. */
export interface SignedNote {
  /** What is signed, with its last newline. */
  readonly body: string;
  readonly signatures: readonly NoteSignature[];
}

/** The longest note that is looked at, in UTF-16 units: room for 16 post-quantum signatures of 5 kB, and no more. */
const maxNoteLength = 131_072;
const maxSignatures = 100;
const emDash = '\u2014';

/**
 * Takes a signed note apart. Strict, so that no two texts are the same note: base64 without stray bits, no control
 * characters, nothing after the last signature line.
 *
 * @param text - anything; from a file, a request, a database that may be damaged
 * @returns undefined when it is not a signed note
 * @see C2SP signed-note
 */
export function parseNote(text: unknown): SignedNote | undefined {
  if (typeof text !== 'string' || text.length > maxNoteLength || !text.isWellFormed() || hasControls(text))
    return undefined;
  const split = text.lastIndexOf('\n\n');
  if (split < 0 || !text.endsWith('\n')) return undefined;
  const lines = text.slice(split + 2, -1).split('\n');
  if (lines.length > maxSignatures) return undefined;
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const signature = parseLine(line);
    if (signature === undefined) return undefined;
    signatures.push(signature);
  }
  return { body: text.slice(0, split + 1), signatures };
}

/**
 * Takes from a checkpoint's text what its log has signed: the body and the lines that are asked for. What else stands below the body may be damaged.
 *
 * @param text - as {@link parseNote}, but for the lines, of which only the first 131 072 UTF-16 units of the text are looked at
 * @param isAsked - whether a line that is well-formed is taken
 * @returns undefined when no line is taken, or the body is cut off
 */
export function logLinesOf(text: unknown, isAsked: (line: NoteSignature) => boolean): string | undefined {
  if (typeof text !== 'string') return undefined;
  // The first empty line, not the last: a checkpoint's body has none, and a damaged line may hold some.
  const split = text.indexOf('\n\n');
  if (split < 0 || split > maxNoteLength) return undefined;
  const lines = text.slice(split + 2, maxNoteLength).split('\n');
  const taken = lines.filter((line) => {
    const signature = parseLine(line);
    return signature !== undefined && isAsked(signature);
  });
  if (taken.length === 0) return undefined;
  return `${text.slice(0, split + 2)}${taken.slice(0, maxSignatures).join('\n')}\n`;
}

/** Drops the lines that are not well-formed from a note. Answers the note itself when it is well-formed, or when no line would be left. */
export function wellFormedNote(text: string): string {
  return parseNote(text) === undefined ? (logLinesOf(text, () => true) ?? text) : text;
}

/**
 * Writes a signature line, newline included.
 *
 * @param signature - name as {@link isKeyName} allows, key id of 4 bytes
 */
export function formatSignature({ name, keyId, signature }: NoteSignature): string {
  const payload = new Uint8Array(keyId.length + signature.length);
  payload.set(keyId);
  payload.set(signature, keyId.length);
  return `${emDash} ${name} ${toBase64(payload)}\n`;
}

/** Whether a text may name a key: not empty, no Unicode white space, no plus, no control characters; at most 1024 units. */
export function isKeyName(name: unknown): name is string {
  return (
    typeof name === 'string' &&
    name.length >= 1 &&
    name.length <= 1024 &&
    name.isWellFormed() &&
    !/[+\p{White_Space}]/u.test(name) &&
    !hasControls(name)
  );
}

function parseLine(line: string): NoteSignature | undefined {
  if (!line.startsWith(`${emDash} `)) return undefined;
  const space = line.indexOf(' ', 2);
  const name = line.slice(2, space);
  if (space < 0 || !isKeyName(name)) return undefined;
  const payload = decode(line.slice(space + 1));
  if (payload === undefined || payload.length < 5) return undefined;
  return { name, keyId: payload.slice(0, 4), signature: payload.slice(4) };
}

function decode(base64: string): Uint8Array | undefined {
  try {
    return fromBase64(base64);
  } catch {
    return undefined; // the one thing it throws for: not canonical base64
  }
}

/** Control characters other than the newline, which the format forbids. */
function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 && unit !== 0x0a) return true;
  }
  return false;
}
