import { type AuditEvent, openEvent, openStoredEvent } from '@medzen/core';
import { isSize } from '../proof-ranges.ts';

/** Claim of a sealed `audit.purge` event: the purged leaves, and the years after which they may go. */
export interface PurgeClaim {
  /** Index of the event's own leaf. */
  readonly index: number;
  readonly eventId: string;
  /** When, in milliseconds since 1970, as the event says. */
  readonly at: number;
  readonly first: number;
  /** One past the last leaf. */
  readonly end: number;
  /** Calendar years (UTC) that each event was kept, 6–100. */
  readonly years: number;
  /** SHA-256 of the archive's manifest, 64 lowercase hexadecimal digits. */
  readonly manifestSha256: string;
}

/** Leaves that one range of the archive may hold: `ArchiveStore.begin` gives no more. */
const mostPurgedLeaves = 1_000_000;

/**
 * Reads what an event claims to have purged. Its place in the log counts: what was sealed after it, it cannot have removed.
 *
 * @param index - of its leaf
 * @returns undefined for an event that records no purge, or not in the form that the archiver writes
 */
export function purgeClaimOf(index: number, body: Uint8Array): PurgeClaim | undefined {
  const event = openStoredEvent(body);
  if (event === undefined || !recordsPurge(event)) return undefined;
  const { first, end, years, manifestSha256 } = event.detail ?? {};
  if (!isSize(first) || !isSize(end) || first >= end || end - first > mostPurgedLeaves || end > index) return undefined;
  if (typeof years !== 'number' || !Number.isInteger(years) || years < 6 || years > 100) return undefined;
  if (typeof manifestSha256 !== 'string' || !/^[0-9a-f]{64}$/.test(manifestSha256)) return undefined;
  if (event.target?.id !== `${first}-${end}`) return undefined;
  return { index, eventId: event.id, at: Date.parse(event.at), first, end, years, manifestSha256 };
}

/**
 * The instant that an event says of itself, in milliseconds since 1970. Asks less of it than `openStoredEvent`: any event has one.
 *
 * @param body - bytes of whatever origin
 */
export function instantIn(body: Uint8Array): number | undefined {
  try {
    const { at } = openEvent(body);
    const instant = typeof at === 'string' ? Date.parse(at) : Number.NaN;
    return Number.isNaN(instant) ? undefined : instant;
  } catch {
    return undefined; // no event
  }
}

function recordsPurge({ action, kind, outcome, target }: AuditEvent): boolean {
  return action === 'audit.purge' && kind === 'delete' && outcome === 'success' && target?.type === 'audit_archive';
}

/** From when on an event of this instant need not be kept, in milliseconds. 29 February becomes 1 March. */
export function keptUntil(at: number, years: number): number {
  const until = new Date(at);
  until.setUTCFullYear(until.getUTCFullYear() + years);
  return until.getTime();
}
