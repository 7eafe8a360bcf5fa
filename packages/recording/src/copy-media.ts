import {
  equalBytes,
  errorFields,
  isMedzenError,
  MedzenError,
  type ObjectHead,
  type Recording,
  type RecordingChange,
  type StoredObject,
  sha256Hasher,
  toHex,
} from '@medzen/core';
import { codeOf } from './backoff.ts';
import { withDeadline } from './deadline.ts';
import { lockNow } from './deletion/read-lock.ts';
import type { ProviderMediaStream } from './provider.ts';
import { providerOf, type Room } from './room.ts';
import { storageOf, storeOf } from './storage/object-stores.ts';
import type { Lease } from './transfer/keep-lease.ts';
import { headBytes, mayBegin } from './transfer/media-kind.ts';
import { mediaReader, type Wholeness } from './transfer/media-reader.ts';
import { type Implausible, tooShort } from './transfer/plausible.ts';

/** Changes to the row of copied media. */
type CopiedMedia = Required<Pick<RecordingChange, 'object' | 'storage'>> & Pick<RecordingChange, 'lock'>;

/** Result of a copy. */
export type Copied =
  | { readonly status: 'copied'; readonly stored: CopiedMedia; readonly wholeness: Wholeness }
  /** It arrived whole, and cannot be what was captured. Nothing of it stays in the object store; the provider keeps its own. */
  | { readonly status: 'implausible'; readonly why: Implausible; readonly detail: Readonly<Record<string, number>> };

/**
 * Streams the media from the provider into the object store, in flat memory. The digest is taken over the bytes as they pass by; the
 * store's own, read back, must be the same. Whatever fails, no version stays that is not what was sent.
 *
 * @throws MedzenError `checksum_mismatch`, `provider_unavailable`, `store_unavailable`, `not_available`; the reason of `lease.signal`
 */
export async function copyMedia(room: Room, recording: Recording, lease: Lease): Promise<Copied> {
  const { signal } = lease;
  // Parts of an attempt that died: the claim is ours alone, so nobody else is sending.
  await objects(room, signal, (aborting) =>
    storeOf(room, recording).abortUploads(recording.objectPrefix, { signal: aborting }),
  );
  // Its body is read long after the call: it ends with the lease, not with the deadline of the call.
  const opening = providerOf(room, recording).media(recording, signal);
  const limit = { ms: room.timeouts.providerMs, code: 'provider_unavailable', signal } as const;
  const media = await withDeadline(limit, () => opening).catch((error: unknown) => {
    opening.then(
      (late) => late.body.cancel().catch(() => {}),
      () => {},
    );
    throw error;
  });
  await lease.moved();
  const stated = media.size ?? recording.media?.size;
  // Said by the provider itself: another try brings no byte more.
  if (media.size === 0) {
    await media.body.cancel().catch(() => {});
    return { status: 'implausible', why: 'empty', detail: {} };
  }
  if (recording.media?.size !== undefined && stated !== recording.media.size) {
    await media.body.cancel().catch(() => {});
    throw new MedzenError('checksum_mismatch', 'The provider states two sizes for the same media', { retryable: true });
  }
  const accepted = recording.media?.acceptedBy !== undefined;
  const { head, body } = await peek(media.body, lease);
  const why = head.length === 0 ? 'empty' : mayBegin(media.contentType, head) ? undefined : 'not_media';
  if (why !== undefined && (!accepted || why === 'empty')) {
    await body.cancel().catch(() => {});
    return { status: 'implausible', why, detail: {} };
  }
  return store(room, recording, media, body, stated, accepted, lease);
}

async function store(
  room: Room,
  recording: Recording,
  media: ProviderMediaStream,
  body: ReadableStream<Uint8Array>,
  stated: number | undefined,
  accepted: boolean,
  lease: Lease,
): Promise<Copied> {
  const { signal } = lease;
  const hasher = sha256Hasher();
  const reader = mediaReader(media.contentType);
  let size = 0;
  const counted = body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: async (chunk, controller) => {
        hasher.update(chunk);
        reader.feed(chunk);
        size += chunk.length;
        await lease.moved();
        controller.enqueue(chunk);
      },
    }),
    { signal },
  );
  const written = await put(room, recording, counted, media.contentType, stated, lease);
  const sent = { size, sha256: hasher.digest(), contentType: media.contentType };
  const object = stored(written, sent);
  // It may have to read all bytes, and takes as long as they move.
  const moved = (): void => void lease.moved();
  const head = await untilAborted(
    signal,
    storeOf(room, recording).head(written.key, written.versionId, { signal, moved }),
  );
  if (head === undefined || !same(head, sent) || (stated !== undefined && stated !== size)) {
    await dropVersion(room, recording, object);
    throw new MedzenError('checksum_mismatch', 'The stored media is not what the provider sent', { retryable: true });
  }
  const facts = reader.end();
  const why = facts.wholeness === 'truncated' ? 'truncated' : tooShort(recording, facts, media, room.plausibility);
  if (why === undefined || accepted) {
    // As many bytes as the provider said it has: that tells what a format without an end of its own cannot.
    const wholeness = facts.wholeness === 'unknown' && stated !== undefined ? 'whole' : facts.wholeness;
    return { status: 'copied', stored: described(room, recording, head, sent), wholeness };
  }
  await dropVersion(room, recording, object);
  return { status: 'implausible', why, detail: lengths(recording, facts.seconds, media) };
}

/** Describes the version for the row: its properties, location and lock. */
function described(room: Room, recording: Recording, head: ObjectHead, sent: Sent): CopiedMedia {
  const { storageClass } = head;
  const lock = lockNow(room, head.lock);
  return {
    object: stored(head, sent),
    storage: { ...storageOf(storeOf(room, recording)), ...(storageClass === undefined ? {} : { storageClass }) },
    ...(lock === undefined ? {} : { lock }),
  };
}

function lengths(
  { durationSeconds }: Recording,
  seconds: number | undefined,
  media: ProviderMediaStream,
): Readonly<Record<string, number>> {
  const stated = media.durationSeconds ?? durationSeconds;
  return {
    ...(seconds === undefined ? {} : { seconds: Math.round(seconds) }),
    ...(stated === undefined ? {} : { statedSeconds: stated }),
    ...(media.capturedSeconds === undefined ? {} : { capturedSeconds: media.capturedSeconds }),
  };
}

/** Reads the head, and gives a body that begins with it all the same. */
async function peek(
  body: ReadableStream<Uint8Array>,
  lease: Lease,
): Promise<{ readonly head: Uint8Array; readonly body: ReadableStream<Uint8Array> }> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let ended = false;
  try {
    while (length < headBytes && !ended) {
      const { done, value } = await untilAborted(lease.signal, reader.read());
      ended = done;
      if (value === undefined || value.length === 0) continue;
      chunks.push(value);
      length += value.length;
      await lease.moved();
    }
  } catch (error) {
    await reader.cancel().catch(() => {});
    if (isMedzenError(error)) throw error;
    throw new MedzenError('provider_unavailable', 'The transfer broke off', { cause: error });
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return {
    head: all.subarray(0, headBytes),
    body: new ReadableStream<Uint8Array>({
      start: (controller) => {
        if (length > 0) controller.enqueue(all);
      },
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    }),
  };
}

/** A call of the object store that moves no media. */
function objects<T>(
  room: Room,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withDeadline({ ms: room.timeouts.objectsMs, code: 'store_unavailable', signal }, call);
}

/**
 * Stops waiting for work when the signal is aborted; work that ignores the signal goes on unobserved.
 *
 * @throws the signal's reason
 */
async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(isMedzenError(signal.reason) ? signal.reason : aborting());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop);
  }
}

function aborting(): MedzenError {
  return new MedzenError('provider_unavailable', 'The transfer was aborted');
}

async function put(
  room: Room,
  recording: Recording,
  body: ReadableStream<Uint8Array>,
  contentType: string,
  contentLength: number | undefined,
  lease: Lease,
): Promise<ObjectHead> {
  const { signal } = lease;
  const moved = (): void => void lease.moved();
  const options = { contentType, ...(contentLength === undefined ? {} : { contentLength }), signal, moved };
  const writing = storeOf(room, recording).put(`${recording.objectPrefix}media`, body, options);
  try {
    return await untilAborted(signal, writing);
  } catch (error) {
    // Left behind, it may still come to something: a version that nothing refers to.
    writing.then(
      (late) => dropVersion(room, recording, late),
      () => {},
    );
    await body.cancel().catch(() => {});
    // The stream broke under the store's hands: the network's fault, and worth another try.
    if (codeOf(error) === 'internal')
      throw isMedzenError(signal.reason)
        ? signal.reason
        : new MedzenError('provider_unavailable', 'The transfer broke off', { cause: error });
    throw error;
  }
}

interface Sent {
  readonly size: number;
  readonly sha256: Uint8Array;
  readonly contentType: string;
}

function same(head: ObjectHead, sent: Sent): boolean {
  return head.size === sent.size && head.contentType === sent.contentType && equalBytes(head.sha256, sent.sha256);
}

function stored(head: ObjectHead, sent: Sent): StoredObject {
  return {
    key: head.key,
    versionId: head.versionId,
    size: sent.size,
    sha256: toHex(sent.sha256),
    contentType: sent.contentType,
    ...(head.encryption === undefined ? {} : { encryption: head.encryption.algorithm }),
  };
}

/** Removes a version that nothing refers to. What cannot be removed now goes with the recording itself. */
export async function dropVersion(
  room: Room,
  recording: Recording,
  { key, versionId }: Pick<StoredObject, 'key' | 'versionId'>,
): Promise<void> {
  try {
    await objects(room, undefined, (signal) =>
      storeOf(room, recording).deleteVersions([{ key, versionId }], { signal }),
    );
  } catch (error) {
    room.logger.warn('recording: a superfluous version stays for now', { ...errorFields(error) });
  }
}

/** Removes what earlier attempts left beside the version that the recording refers to. Failing at it harms nothing but the bill. */
export async function keepOnly(
  room: Room,
  recording: Recording,
  { versionId }: StoredObject,
  signal: AbortSignal,
): Promise<void> {
  try {
    const store = storeOf(room, recording);
    let cursor: string | undefined;
    do {
      const from = cursor === undefined ? {} : { cursor };
      const page = await objects(room, signal, () => store.listVersions(recording.objectPrefix, from));
      const others = page.versions.filter((version) => version.versionId !== versionId);
      if (others.length > 0) await objects(room, signal, () => store.deleteVersions(others));
      cursor = page.cursor;
    } while (cursor !== undefined);
  } catch (error) {
    room.logger.warn('recording: superfluous versions stay for now', {
      recording: recording.id,
      ...errorFields(error),
    });
  }
}
