import { constants, type FileHandle, open } from 'node:fs/promises';
import { fromHex, isMedzenError, MedzenError, type ObjectHead, toHex } from '@medzen/core';

// One file is one version: its bytes, then a line of JSON that describes them, then the length of that line and a mark.
// Because everything is in one file, giving it its name is the whole commit: there is no moment in which the bytes are
// there without their description.

const mark = 'medzen1\n';
const tailSize = 8 + mark.length;

/** What a file says of itself. */
export interface FileDescription {
  readonly key: string;
  /** Random part of the version id, so that a number that is used again is not the same version. */
  readonly nonce: string;
  readonly deleteMarker: boolean;
  readonly size: number;
  readonly contentType: string;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly lastModified: string;
}

/** The end of a file. */
export function writeDescription(description: FileDescription): Uint8Array {
  const line = Buffer.from(`\n${JSON.stringify(description)}\n`);
  return Buffer.concat([line, Buffer.from(String(line.length).padStart(8, '0') + mark)]);
}

/** The version id, made of its place among the versions of its key and of its own random part. */
export function versionIdOf(place: number, nonce: string): string {
  return `${String(place).padStart(16, '0')}-${nonce}`;
}

/** The place in a version id, or undefined when it is none of this store's. */
export function placeOf(versionId: string): number | undefined {
  const match = /^(\d{16})-[0-9a-f]{16}$/.exec(versionId);
  return match === null ? undefined : Number(match[1]);
}

/** An open file and what it says. The caller closes it. */
export interface OpenObject {
  readonly handle: FileHandle;
  readonly description: FileDescription;
}

/**
 * Opens a version without following links.
 *
 * @returns undefined when there is no such file
 * @throws MedzenError `store_unavailable` when the file is not one of ours or is damaged
 */
export async function openObject(path: string): Promise<OpenObject | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    return { handle, description: await describe(handle) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function describe(handle: FileHandle): Promise<FileDescription> {
  const { size: whole } = await handle.stat();
  const tail = Buffer.alloc(Math.min(tailSize, whole));
  await handle.read(tail, 0, tail.length, whole - tail.length);
  const length = Number(tail.toString('latin1', 0, 8));
  const damaged = () => new MedzenError('store_unavailable', 'A stored object is damaged', { retryable: false });
  if (tail.toString('latin1', 8) !== mark || !(length > 0) || length > whole - tailSize) throw damaged();
  const line = Buffer.alloc(length);
  await handle.read(line, 0, length, whole - tailSize - length);
  let description: FileDescription;
  try {
    description = JSON.parse(line.toString('utf8')) as FileDescription; // written by writeDescription; the size is checked below
  } catch (cause) {
    throw new MedzenError('store_unavailable', 'A stored object is damaged', { retryable: false, cause });
  }
  if (description.size !== whole - tailSize - length) throw damaged();
  return description;
}

/** What the port calls a head. */
export function headOf(description: FileDescription, place: number): ObjectHead {
  return {
    key: description.key,
    versionId: versionIdOf(place, description.nonce),
    size: description.size,
    contentType: description.contentType,
    sha256: fromHex(description.sha256),
    lastModified: new Date(description.lastModified),
  };
}

/** The random part of the id under which a file that can no longer be read is listed, so that it can be removed. */
const damagedNonce: string = '0'.repeat(16);

/** What a file says of itself, even when it is damaged; undefined when there is no such file. */
export async function describeFile(path: string): Promise<FileDescription | undefined> {
  try {
    const found = await openObject(path);
    await found?.handle.close();
    return found?.description;
  } catch (error) {
    if (!isMedzenError(error)) throw error;
    return { ...describeBytes('', damagedNonce, '', 0, new Uint8Array(32), new Date(0)) };
  }
}

/** A description of stored bytes. */
export function describeBytes(
  key: string,
  nonce: string,
  contentType: string,
  size: number,
  digest: Uint8Array,
  at: Date,
): FileDescription {
  const lastModified = at.toISOString();
  return { key, nonce, deleteMarker: false, size, contentType, sha256: toHex(digest), lastModified };
}

/** Whether an error says that a file or folder is not there. */
export function isMissing(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'ENOENT'; // Node's own errors carry a code
}

/**
 * The bytes of a part, read as they are asked for. The file is opened with the first of them and closed with the last, so
 * that a stream nobody reads holds nothing open.
 */
export function readPart(path: string, nonce: string, first: number, last: number): ReadableStream<Uint8Array> {
  let at = first;
  let opened: OpenObject | undefined;
  async function next(): Promise<Uint8Array | undefined> {
    const wanted = Math.min(65_536, last + 1 - at);
    if (wanted <= 0) return undefined;
    opened ??= await openObject(path);
    if (opened?.description.nonce !== nonce) throw new MedzenError('not_found', 'The object was deleted meanwhile');
    const chunk = new Uint8Array(wanted);
    const { bytesRead } = await opened.handle.read(chunk, 0, wanted, at);
    if (bytesRead === 0) throw new MedzenError('store_unavailable', 'A stored object ended early');
    at += bytesRead;
    return chunk.subarray(0, bytesRead);
  }
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const chunk = await next();
          if (chunk !== undefined) controller.enqueue(chunk);
          if (at > last) {
            await opened?.handle.close();
            controller.close();
          }
        } catch (error) {
          await opened?.handle.close();
          throw error;
        }
      },
      cancel: () => opened?.handle.close(),
    },
    { highWaterMark: 0 },
  );
}
