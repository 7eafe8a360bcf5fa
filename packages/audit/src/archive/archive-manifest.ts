import { canonicalize, isUuid, type LeafSpan } from '@medzen/core';
import { isSize } from '../proof-ranges.ts';

/** A file of the archive. */
export interface ArchiveFile {
  /** Below the archive's prefix. */
  readonly path: string;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
}

/** Manifest of an archived range: a canonical JSON file (RFC 8785) beside it. */
export interface ArchiveManifest extends LeafSpan {
  readonly format: 'medzen-audit-archive/1';
  /** Ids of the first and of the last event. */
  readonly ids: { readonly first: string; readonly last: string };
  /** The events' canonical bytes, one a line, in leaf order. */
  readonly events: ArchiveFile & { readonly bytes: number; readonly count: number };
  /** The full tiles of leaf hashes that lie in the range; a partial one is proved by the checkpoint alone. */
  readonly tiles: readonly ArchiveFile[];
  /** The signed checkpoint that proves them, with its cosignatures; it covers the range or more. */
  readonly checkpoint: string;
}

/** Paths of a range's files below the archive prefix. Tiles use the C2SP tlog-tiles layout. */
export function archivePaths({ first, end }: LeafSpan): { readonly manifest: string; readonly events: string } {
  const name = `archive/${digits(first)}-${digits(end)}`;
  return { manifest: `${name}.json`, events: `${name}.ndjson` };
}

/** Sorted by name they are sorted by leaf. */
function digits(index: number): string {
  return String(index).padStart(12, '0');
}

/** The file's bytes. */
export function formatManifest(manifest: ArchiveManifest): Uint8Array {
  return new TextEncoder().encode(canonicalize(manifest));
}

/** Reads a file from anywhere; undefined for what is no manifest. */
export function parseManifest(bytes: Uint8Array): ArchiveManifest | undefined {
  try {
    const read: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isManifest(read) ? read : undefined;
  } catch {
    return undefined;
  }
}

function isManifest(value: unknown): value is ArchiveManifest {
  if (!isRecord(value) || !isRecord(value.events) || !isRecord(value.ids) || !Array.isArray(value.tiles)) return false;
  const { format, first, end, checkpoint, events, ids, tiles } = value;
  return (
    format === 'medzen-audit-archive/1' &&
    isSize(first) &&
    isSize(end) &&
    first < end &&
    typeof checkpoint === 'string' &&
    isFile(events) &&
    isSize(events.bytes) &&
    events.count === end - first &&
    [ids.first, ids.last].every((id) => typeof id === 'string' && isUuid(id)) &&
    tiles.every(isFile)
  );
}

function isFile(value: unknown): value is Record<string, unknown> & ArchiveFile {
  return (
    isRecord(value) &&
    typeof value.path === 'string' &&
    typeof value.sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(value.sha256)
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
