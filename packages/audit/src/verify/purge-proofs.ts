import type { LogLeaf } from '@medzen/core';
import type { LogFinding, PurgeDoubt } from '../log-finding.ts';
import { instantIn, keptUntil, type PurgeClaim, purgeClaimOf } from './purge-claim.ts';

/** Evidence on which proofs of purges rest. */
export interface PurgeProofOptions {
  /** True when the store also records its own purges; its records must then match the sealed events. */
  readonly notes: boolean;
  /** The verifier's clock, in milliseconds: no purge lies ahead of it. */
  readonly now: number;
  /** When trees of these sizes were the largest of the log, by cosignatures that were verified. */
  readonly cosigned: readonly { readonly size: number; readonly at: number }[];
  /** The id in a leaf's row, for a leaf whose event is gone; undefined where it has none. */
  readonly idAt: (index: number) => Promise<string | undefined>;
  /** Proves a purge by the archive: the latest instant of its events, or why the archive does not hold it. Absent without an archive. */
  readonly fromArchive: ((claim: PurgeClaim) => Promise<number | string>) | undefined;
}

/** Verdict about absent events. */
interface AbsenceVerdict {
  /** Leaves whose events were purged, with proof. */
  readonly purged: number;
  /** Findings in the order of the leaves, by the slot in which each was reserved. */
  readonly findings: ReadonlyMap<number, readonly LogFinding[]>;
}

/** Collects what is missing and what claims to have purged it, and judges at the end: a purge is sealed long after what it removed. */
export interface PurgeProofs {
  /** A leaf whose event is there. */
  present(index: number, body: Uint8Array): void;
  /** A leaf that was sealed turned out to be altered: what it says proves nothing. */
  distrust(index: number): void;
  /** Leaves whose events are gone. @param reserve - gives the slot of what will be said of them */
  missing(index: number, count: number, leaf: LogLeaf | undefined, reserve: () => number): void;
  judge(): Promise<AbsenceVerdict>;
}

/** A survivor beside a gap. */
interface Neighbor {
  readonly index: number;
  /** Milliseconds since 1970; undefined for bytes that are no event. */
  readonly at: number | undefined;
}

interface Gap {
  readonly slot: number;
  readonly first: number;
  end: number;
  /** The store says that it purged all of them. */
  noted: boolean;
  readonly before: Neighbor | undefined;
  after: Neighbor | undefined;
  /** Rows that still name their event. */
  readonly ids: Map<number, string>;
}

const dayMs = 86_400_000;
/** A range of the archive ends with its month, and what follows it may be younger by as much. */
const monthMs = 31 * dayMs;
const mostGaps = 100_000;
const mostIds = 1000;

/** Makes the collection. Memory grows with the number of gaps and of purges, not with the log. */
export function createPurgeProofs(options: PurgeProofOptions): PurgeProofs {
  const gaps: Gap[] = [];
  const claims = new Map<number, PurgeClaim>();
  let last: { readonly index: number; readonly body: Uint8Array } | undefined;
  /** Gaps that wait for the first survivor behind them which is no purge. */
  let open: Gap[] = [];
  const afterClaim = new Map<number, number>(); // a claim's leaf → the instant of the first survivor behind it
  let unfollowed: number[] = [];

  return {
    present: (index, body) => {
      const claim = isPurge(body) ? purgeClaimOf(index, body) : undefined;
      if (claim !== undefined) claims.set(index, claim);
      if (claim === undefined && (open.length > 0 || unfollowed.length > 0)) {
        const at = instantIn(body);
        if (at !== undefined) {
          for (const gap of open) gap.after = { index, at };
          for (const of of unfollowed) afterClaim.set(of, at);
          [open, unfollowed] = [[], []];
        }
      }
      if (claim !== undefined) unfollowed.push(index);
      last = { index, body };
    },

    distrust: (index) => {
      claims.delete(index);
    },

    missing: (index, count, leaf, reserve) => {
      const noted = leaf?.purged === true;
      let gap = gaps.at(-1);
      if (gap === undefined || gap.end !== index || gap.noted !== noted) {
        const slot = gaps.length < mostGaps ? reserve() : (gap?.slot ?? reserve());
        gap = { slot, first: index, end: index, noted, before: beside(last), after: undefined, ids: new Map() };
        gaps.push(gap);
        open.push(gap);
      }
      gap.end = index + count;
      if (leaf !== undefined && gap.ids.size < mostIds) gap.ids.set(index, leaf.eventId);
    },

    judge: async () => {
      const accepted: PurgeClaim[] = [];
      const doubts = new Map<PurgeClaim, PurgeDoubt>();
      for (const claim of [...claims.values()].sort((a, b) => a.index - b.index)) {
        const concerned = gaps.filter(({ first, end }) => first < claim.end && end > claim.first);
        if (concerned.length === 0) continue; // nothing of it is missing: nothing to prove
        const overlaps = accepted.some(({ first, end }) => first < claim.end && end > claim.first);
        const doubt = overlaps ? 'overlapping' : await doubtIn(claim, concerned);
        if (doubt === undefined) accepted.push(claim);
        else doubts.set(claim, doubt);
      }
      accepted.sort((a, b) => a.first - b.first);
      const findings = new Map<number, LogFinding[]>();
      let purged = 0;
      for (const gap of gaps) {
        const list = findings.get(gap.slot) ?? [];
        findings.set(gap.slot, list);
        let from = gap.first;
        for (const { first, end, eventId } of accepted) {
          const [start, stop] = [Math.max(first, from), Math.min(end, gap.end)];
          if (start >= stop) continue;
          missed(list, gap, from, start, doubts);
          purged += stop - start;
          if (options.notes && !gap.noted)
            list.push({ kind: 'purge_altered', index: start, count: stop - start, eventId });
          from = stop;
        }
        missed(list, gap, from, gap.end, doubts);
      }
      return { purged, findings };
    },
  };

  /** Finds the reason why a purge is not believed; undefined when nothing speaks against it. */
  async function doubtIn(claim: PurgeClaim, concerned: readonly Gap[]): Promise<PurgeDoubt | undefined> {
    const { at, years, first, end, index } = claim;
    const tooYoung = (instant: number | undefined): boolean =>
      instant !== undefined && keptUntil(instant, years) > at + dayMs;
    // Leaves are sealed in order: what was sealed before the range is at least as old as the range, by and large.
    const [earliest] = concerned;
    if (tooYoung(earliest?.before?.at)) return 'too_young';
    // What was sealed behind it is hardly older than it.
    const after = concerned.at(-1)?.after;
    if (after !== undefined && after.index < index && keptUntil(after.at ?? 0, years) > at + monthMs + dayMs)
      return 'too_young';
    if (options.cosigned.some((seen) => seen.size <= first && tooYoung(seen.at))) return 'too_young';
    const followed = afterClaim.get(index);
    const ahead = Math.min(followed ?? Number.POSITIVE_INFINITY, options.now);
    if (at > ahead + dayMs) return 'dated_ahead';
    if (options.fromArchive !== undefined) {
      const newest = await options.fromArchive(claim);
      if (typeof newest === 'string') return 'not_in_archive';
      if (keptUntil(newest, years) > at) return 'too_young';
    }
    // The id of the range's last event tells its time. It is a row of the database: it can only speak against the purge.
    const id = await options.idAt(end - 1);
    return id !== undefined && tooYoung(instantOfId(id)) ? 'too_young' : undefined;
  }
}

/** Says that leaves are missing: those whose rows are there one by one, the others together. */
function missed(
  list: LogFinding[],
  { noted, ids }: Gap,
  from: number,
  to: number,
  doubts: ReadonlyMap<PurgeClaim, PurgeDoubt>,
): void {
  const about = (index: number): { readonly purge?: PurgeDoubt; readonly purgeEventId?: string } => {
    for (const [claim, purge] of doubts)
      if (claim.first <= index && index < claim.end) return { purge, purgeEventId: claim.eventId };
    return noted ? { purge: 'not_sealed' } : {};
  };
  const say = (index: number, count: number, eventId?: string): void => {
    list.push({ kind: 'event_missing', index, count, ...(eventId !== undefined && { eventId }), ...about(index) });
  };
  let next = from;
  for (const [index, eventId] of ids) {
    if (index < next || index >= to) continue;
    if (index > next) say(next, index - next);
    say(index, 1, eventId);
    next = index + 1;
  }
  if (next < to) say(next, to - next);
}

const purgeStart = new TextEncoder().encode('{"action":"audit.purge",');

function isPurge(body: Uint8Array): boolean {
  return purgeStart.every((byte, at) => body[at] === byte);
}

function beside(leaf: { readonly index: number; readonly body: Uint8Array } | undefined): Neighbor | undefined {
  return leaf && { index: leaf.index, at: instantIn(leaf.body) };
}

/** The milliseconds of a UUIDv7. */
function instantOfId(id: string): number | undefined {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;
}
