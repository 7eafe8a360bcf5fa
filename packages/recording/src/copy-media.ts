import {
  equalBytes,
  MedzenError,
  type ObjectHead,
  type Recording,
  type StoredObject,
  sha256Hasher,
  toHex,
} from '@medzen/core';
import { codeOf } from './backoff.ts';
import { providerOf, type Room } from './room.ts';

/**
 * Streams the media from the provider into the object store, in flat memory. The digest is taken over the bytes as they pass by; the
 * store's own, read back, must be the same. Whatever fails, no version stays that is not what was sent.
 *
 * @throws MedzenError `checksum_mismatch`, `provider_unavailable`, `store_unavailable`, `not_available`
 */
export async function copyMedia(room: Room, recording: Recording, signal: AbortSignal): Promise<StoredObject> {
  const provider = providerOf(room, recording);
  // Parts of an attempt that died: the claim is ours alone, so nobody else is sending.
  await room.objects.abortUploads(recording.objectPrefix);
  const media = await provider.media(recording, signal);
  const stated = media.size ?? recording.media?.size;
  if (recording.media?.size !== undefined && stated !== recording.media.size) {
    await media.body.cancel().catch(() => {});
    throw new MedzenError('checksum_mismatch', 'The provider states two sizes for the same media', { retryable: true });
  }
  const hasher = sha256Hasher();
  let size = 0;
  const counted = media.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        hasher.update(chunk);
        size += chunk.length;
        controller.enqueue(chunk);
      },
    }),
    { signal },
  );
  const written = await put(room, recording, counted, media.contentType, stated, signal);
  const sent = { size, sha256: hasher.digest(), contentType: media.contentType };
  const head = await room.objects.head(written.key, written.versionId);
  const object = stored(written, sent);
  if (head === undefined || !same(head, sent) || (stated !== undefined && stated !== size)) {
    await dropVersion(room, object);
    throw new MedzenError('checksum_mismatch', 'The stored media is not what the provider sent', { retryable: true });
  }
  return stored(head, sent);
}

async function put(
  room: Room,
  recording: Recording,
  body: ReadableStream<Uint8Array>,
  contentType: string,
  contentLength: number | undefined,
  signal: AbortSignal,
): Promise<ObjectHead> {
  try {
    return await room.objects.put(`${recording.objectPrefix}media`, body, {
      contentType,
      ...(contentLength === undefined ? {} : { contentLength }),
      signal,
    });
  } catch (error) {
    await body.cancel().catch(() => {});
    // The stream broke under the store's hands: the network's fault, and worth another try.
    if (codeOf(error) === 'internal')
      throw new MedzenError('provider_unavailable', 'The transfer broke off', { cause: error });
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
export async function dropVersion(room: Room, { key, versionId }: StoredObject): Promise<void> {
  try {
    await room.objects.deleteVersions([{ key, versionId }]);
  } catch (error) {
    room.logger.warn('recording: a superfluous version stays for now', { code: codeOf(error) });
  }
}

/** Removes what earlier attempts left beside the version that the recording refers to. Failing at it harms nothing but the bill. */
export async function keepOnly(room: Room, recording: Recording, { versionId }: StoredObject): Promise<void> {
  try {
    let cursor: string | undefined;
    do {
      const page = await room.objects.listVersions(recording.objectPrefix, cursor === undefined ? {} : { cursor });
      const others = page.versions.filter((version) => version.versionId !== versionId);
      if (others.length > 0) await room.objects.deleteVersions(others);
      cursor = page.cursor;
    } while (cursor !== undefined);
  } catch (error) {
    room.logger.warn('recording: superfluous versions stay for now', { recording: recording.id, code: codeOf(error) });
  }
}
