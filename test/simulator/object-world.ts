import {
  type DeleteVersionsResult,
  MedzenError,
  type ObjectHead,
  type ObjectStore,
  type ObjectVersion,
  sha256,
} from '@medzen/core';

/** One version in a bucket. */
interface SimVersion {
  readonly key: string;
  readonly versionId: string;
  /** Absent for a delete marker. */
  readonly bytes?: Uint8Array;
  readonly head?: ObjectHead;
  /** Object Lock: milliseconds until which it stays; infinite for a legal hold. */
  lockedUntil: number;
  /** Milliseconds from which listings show it. */
  readonly listedFrom: number;
}

/** A version that was removed, and that listings still show for a while. */
interface Ghost {
  readonly version: SimVersion;
  readonly until: number;
}

/** An upload that was begun and never finished. */
interface SimUpload {
  readonly key: string;
  readonly bytes: number;
}

/** A bucket as it really is. */
interface SimBucket {
  readonly name: string;
  readonly versions: SimVersion[];
  readonly uploads: SimUpload[];
  ghosts: Ghost[];
}

/** What came of each deletion of a version. */
export interface Removal {
  readonly bucket: string;
  readonly version: SimVersion;
}

/** What may go wrong with a part of a call: decided version by version. */
type PartialFault = () => 'none' | 'SlowDown' | 'InternalError' | 'AccessDenied';

/** What goes wrong with a store, as a process sees it. */
interface ObjectFaults {
  readonly partial: PartialFault;
  /** Milliseconds by which listings lag behind one version that is stored or removed now. */
  readonly listingLag: () => number;
  readonly onRemove: (removal: Removal) => void;
}

/** The object store's side of the world. */
export interface ObjectWorld {
  bucket(name: string): SimBucket;
  readonly buckets: ReadonlyMap<string, SimBucket>;
  /** The store as a process sees it. */
  store(name: string, faults: ObjectFaults): ObjectStore;
  versionsUnder(prefix: string): readonly { readonly bucket: string; readonly version: SimVersion }[];
  uploadsUnder(prefix: string): readonly SimUpload[];
  /** A person, or a replication rule, puts something beside the media. */
  addVersion(bucket: string, key: string, bytes: Uint8Array): SimVersion;
  addDeleteMarker(bucket: string, key: string): SimVersion;
}

export function createObjectWorld(now: () => number): ObjectWorld {
  const buckets = new Map<string, SimBucket>();
  let serial = 0;
  const bucketOf = (name: string): SimBucket => {
    const known = buckets.get(name);
    if (known !== undefined) return known;
    const made: SimBucket = { name, versions: [], uploads: [], ghosts: [] };
    buckets.set(name, made);
    return made;
  };
  const add = (bucket: SimBucket, key: string, bytes?: Uint8Array, contentType = 'video/webm', lag = 0): SimVersion => {
    serial += 1;
    const versionId = `v${String(serial).padStart(8, '0')}`;
    const head: ObjectHead | undefined =
      bytes === undefined
        ? undefined
        : {
            key,
            versionId,
            size: bytes.length,
            contentType,
            sha256: sha256(bytes),
            encryption: { algorithm: 'AES256' },
            lastModified: new Date(now()),
          };
    const version: SimVersion = {
      key,
      versionId,
      lockedUntil: 0,
      listedFrom: now() + lag,
      ...(bytes === undefined ? {} : { bytes }),
      ...(head === undefined ? {} : { head }),
    };
    bucket.versions.push(version);
    return version;
  };
  const find = (bucket: SimBucket, key: string, versionId?: string): SimVersion | undefined =>
    versionId === undefined
      ? bucket.versions.findLast((version) => version.key === key)
      : bucket.versions.find((version) => version.key === key && version.versionId === versionId);

  return {
    buckets,
    bucket: bucketOf,
    versionsUnder: (prefix) =>
      [...buckets.values()].flatMap(({ name, versions }) =>
        versions.filter(({ key }) => key.startsWith(prefix)).map((version) => ({ bucket: name, version })),
      ),
    uploadsUnder: (prefix) =>
      [...buckets.values()].flatMap(({ uploads }) => uploads.filter(({ key }) => key.startsWith(prefix))),
    addVersion: (bucket, key, bytes) => add(bucketOf(bucket), key, bytes),
    addDeleteMarker: (bucket, key) => add(bucketOf(bucket), key),
    store: (name, faults) => {
      const bucket = bucketOf(name);
      const store = {
        location: { store: 'sim', bucket: name, region: 'sim-1' },
        put: async (...[key, body, options]: Parameters<ObjectStore['put']>) => {
          const upload: SimUpload = { key, bytes: 0 };
          bucket.uploads.push(upload);
          const parts: Uint8Array[] = [];
          if (body instanceof Uint8Array) parts.push(body);
          else {
            try {
              for await (const part of body) {
                options.signal?.throwIfAborted();
                parts.push(part);
              }
            } catch (error) {
              drop(bucket.uploads, upload);
              throw error;
            }
          }
          const bytes = Buffer.concat(parts);
          drop(bucket.uploads, upload);
          options.signal?.throwIfAborted();
          if (options.contentLength !== undefined && options.contentLength !== bytes.length)
            throw new MedzenError('checksum_mismatch', 'The stream has another length');
          const { head } = add(bucket, key, new Uint8Array(bytes), options.contentType, faults.listingLag());
          if (head === undefined) throw new MedzenError('internal', 'A version without bytes');
          return head;
        },
        head: async (key: string, versionId?: string) => {
          const version = find(bucket, key, versionId);
          return version?.head === undefined ? undefined : { ...version.head, ...lockOf(version, now()) };
        },
        get: async (key: string, options: { readonly versionId?: string } = {}) => {
          const version = find(bucket, key, options.versionId);
          if (version?.head === undefined || version.bytes === undefined) return undefined;
          const { head, bytes } = version;
          return { head, body: new Blob([new Uint8Array(bytes)]).stream() };
        },
        listVersions: async (
          prefix: string,
          { cursor, limit = 1000 }: { readonly cursor?: string; readonly limit?: number } = {},
        ) => {
          bucket.ghosts = bucket.ghosts.filter(({ until }) => until > now());
          const listed = bucket.versions.filter(({ listedFrom }) => listedFrom <= now());
          const found = [...listed, ...bucket.ghosts.map(({ version }) => version)]
            .filter(({ key, versionId }) => key.startsWith(prefix) && (cursor === undefined || versionId > cursor))
            .sort((a, b) => (a.versionId < b.versionId ? -1 : 1));
          const page = found.slice(0, limit);
          const last = page.at(-1);
          const versions: ObjectVersion[] = page.map(({ key, versionId, bytes }) => ({
            key,
            versionId,
            isDeleteMarker: bytes === undefined,
            isLatest: find(bucket, key)?.versionId === versionId,
            size: bytes?.length ?? 0,
          }));
          return { versions, ...(found.length > limit && last !== undefined ? { cursor: last.versionId } : {}) };
        },
        deleteVersions: async (versions: readonly { readonly key: string; readonly versionId: string }[]) => {
          const deleted: { key: string; versionId: string }[] = [];
          const errors: DeleteVersionsResult['errors'][number][] = [];
          for (const { key, versionId } of versions) {
            const version = find(bucket, key, versionId);
            const fault = faults.partial();
            if (fault === 'SlowDown' || fault === 'InternalError')
              errors.push({ key, versionId, reason: 'transient', code: fault });
            else if (version !== undefined && (fault === 'AccessDenied' || version.lockedUntil > now()))
              errors.push({ key, versionId, reason: 'locked', code: 'AccessDenied' });
            else {
              if (version !== undefined) {
                drop(bucket.versions, version);
                const lag = faults.listingLag();
                if (lag > 0) bucket.ghosts.push({ version, until: now() + lag });
                faults.onRemove({ bucket: name, version });
              }
              deleted.push({ key, versionId });
            }
          }
          return { deleted, errors };
        },
        abortUploads: async (prefix: string) => {
          const found = bucket.uploads.filter(({ key }) => key.startsWith(prefix));
          for (const upload of found) drop(bucket.uploads, upload);
          return found.length;
        },
        presignGet: async (key: string, { versionId, expiresInSeconds }: Parameters<ObjectStore['presignGet']>[1]) => ({
          url: `https://${name}.sim.example/${key}?versionId=${versionId}`,
          expiresAt: new Date(now() + expiresInSeconds * 1000),
        }),
      };
      return store;
    },
  };
}

function lockOf({ lockedUntil }: SimVersion, now: number): Pick<ObjectHead, 'lock'> {
  if (lockedUntil <= now) return {};
  return { lock: Number.isFinite(lockedUntil) ? { retainUntil: new Date(lockedUntil) } : { legalHold: true } };
}

function drop<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
