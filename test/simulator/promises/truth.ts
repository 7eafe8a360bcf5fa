import type { ConsentRecord, LegalHold, Recording, RetentionFact } from '@medzen/core';
import type { ProviderRoom } from '../provider-world.ts';
import type { Fiber } from '../scheduler.ts';

/** What people were told of a coming deletion. */
interface Notice {
  /** Milliseconds: nothing is deleted before it. */
  readonly deadline: number;
  readonly at: number;
}

/** One recording as it really is, beside what its row says. */
export interface TrueRecording {
  readonly id: string;
  readonly room: ProviderRoom;
  /** Milliseconds of the true time at which the row was written. */
  readonly startedAt: number;
  /** The row after the last effect on it. */
  row: Recording;
  /** The latest notice that went out. */
  notice?: Notice;
  /** By worker: whether the oracle allowed deletion when it claimed the row, or committed the intent. */
  readonly allowed: Map<Fiber, boolean>;
  /** Who has claimed it, and has neither given it back nor finished. */
  worker?: Fiber;
  /** Who had it when the present worker claimed it, and was still at work. */
  takenFrom?: Fiber;
  /** The first removal of the deletion that stands was noted at a moment at which it was allowed. */
  lawful: boolean;
  /** How often a removal was noted. */
  notes: number;
  /** The floor that people set for it: milliseconds. */
  keptUntil?: number;
  /** Removed from its prefix since the deletion that stands was begun. */
  removed: { versions: number; bytes: number };
  /** The provider was asked to remove its copy since the deletion was begun, and did. */
  forgotten: boolean;
  /** Events that say that it was stopped, and that it was deleted. */
  stopEvents: number;
  deleteEvents: number;
  /** The provider, by its own fault, no longer has what was not yet at home. */
  lostAtProvider: boolean;
}

/** An access request as the world knows it. */
interface TrueRequest {
  readonly id: string;
  readonly recordingId?: string;
  readonly patient?: string;
  open: boolean;
}

/** What happened, written down by the simulator itself as each effect came about. */
export interface Truth {
  readonly recordings: Map<string, TrueRecording>;
  /** The last word of each participant, by session. */
  readonly consents: Map<string, Map<string, ConsentRecord>>;
  /** When consent was last taken back in a session. */
  readonly withdrawals: Map<string, number>;
  readonly facts: Map<string, RetentionFact[]>;
  readonly holds: Map<string, LegalHold & { released: boolean }>;
  readonly requests: Map<string, TrueRequest>;
}

export function createTruth(): Truth {
  return {
    recordings: new Map(),
    consents: new Map(),
    withdrawals: new Map(),
    facts: new Map(),
    holds: new Map(),
    requests: new Map(),
  };
}

/** Holds that stand on a recording or its patient. */
export function holdsOn(truth: Truth, { id, row }: TrueRecording): number {
  let standing = 0;
  for (const { target, released } of truth.holds.values()) {
    if (released) continue;
    if ('patient' in target ? target.patient === row.patient : target.recordingId === id) standing += 1;
  }
  return standing;
}

/** Whether somebody waits for a copy of it. */
export function isRequested(truth: Truth, { id, row }: TrueRecording): boolean {
  for (const request of truth.requests.values())
    if (request.open && (request.recordingId === id || request.patient === row.patient)) return true;
  return false;
}

/** Who of a session has taken consent back, and stands by it. */
export function withdrawn(truth: Truth, { row }: TrueRecording): readonly string[] {
  const words = truth.consents.get(row.sessionId);
  if (words === undefined) return [];
  return [...words.values()].filter(({ decision }) => decision === 'withdrawn').map(({ participant }) => participant);
}
