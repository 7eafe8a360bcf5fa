import type { Claim, LegalHold, RateLimitDecision, RateLimitRequest, Recording, SealedEvent } from '@medzen/core';
import { sqlstateOf } from '@medzen/sql';

/** A hold as those see it who asked for it. */
interface KnownHold {
  readonly target: LegalHold['target'];
  /** Its release has been asked for: from here on it may or may not hold. */
  leaving: boolean;
}

/** What those who worked were told, against which the database is held at the end. */
export interface SoakLedger {
  /** Events whose write was answered for. */
  readonly written: Set<string>;
  /** Events of calls that answered that nothing was written, and of transactions that were rolled back. */
  readonly unwritten: Set<string>;
  /** Host rows that were committed, by the id of their event. */
  readonly hostRows: Set<string>;
  /** SQLSTATE or code of what nobody expected, and how often. */
  readonly errors: Map<string, number>;
  /** What must never happen, in words. */
  readonly violations: Set<string>;
  /** Calls by what they were answered. */
  readonly answers: Map<string, number>;
  /** Units taken from each rate limit. */
  readonly spent: Map<string, number>;
  /** Notes a call's answer. @returns the answer */
  answered<A extends { readonly status: string }>(call: string, answer: A, event: SealedEvent, wrote: string): A;
  /** Notes what was thrown. */
  threw(error: unknown): void;
  /** Notes a claim that was given: nobody else may have it. */
  claimed(claim: Claim): void;
  /** Notes that the worker is about to give it up, by whatever way. */
  letGo(claim: Claim): void;
  /**
   * Runs a move that is made without a claim, which ends whatever claim there is. While it runs nobody can tell which claims of the recording
   * came before it and which after.
   */
  moving<T>(id: string, move: () => Promise<T>): Promise<T>;
  placed(hold: LegalHold): void;
  leaving(holdId: string): void;
  /** The holds that stand in the way of a recording's deletion now. */
  holdsOn(recording: Recording): readonly string[];
  /** Whether one of them still stands, so that the deletion should have been refused. */
  stillHeld(holdIds: readonly string[]): boolean;
  /** A hold to release; it is given to one caller only. */
  takeHold(pick: number): string | undefined;
  consumed(requests: readonly RateLimitRequest[], decisions: readonly RateLimitDecision[]): void;
}

/** Opens an empty one. */
export function soakLedger(): SoakLedger {
  const holds = new Map<string, KnownHold>();
  const owned = new Map<string, string>();
  const tokens = new Map<string, bigint>();
  const moved = new Set<string>();
  const count = (map: Map<string, number>, key: string, by = 1): void => void map.set(key, (map.get(key) ?? 0) + by);
  const ledger: SoakLedger = {
    written: new Set(),
    unwritten: new Set(),
    hostRows: new Set(),
    errors: new Map(),
    violations: new Set(),
    answers: new Map(),
    spent: new Map(),
    answered(call, answer, event, wrote) {
      count(ledger.answers, `${call} ${answer.status}`);
      (answer.status === wrote ? ledger.written : ledger.unwritten).add(event.id);
      return answer;
    },
    threw(error) {
      let cause: unknown = error;
      let name: string | undefined;
      for (let depth = 0; depth < 5 && cause instanceof Error && name === undefined; depth++) {
        name = sqlstateOf(cause);
        cause = cause.cause;
      }
      count(ledger.errors, name ?? (error instanceof Error ? `${error.name}: ${error.message}` : 'something else'));
    },
    claimed({ recording: { id }, token }) {
      if (owned.has(id) && !moved.has(id)) ledger.violations.add(`recording ${id} was claimed twice at once`);
      const before = tokens.get(id);
      if (before !== undefined && BigInt(token) <= before) ledger.violations.add(`a token of ${id} did not grow`);
      tokens.set(id, BigInt(token));
      owned.set(id, token);
    },
    letGo({ recording: { id }, token }) {
      if (owned.get(id) === token) owned.delete(id);
    },
    async moving(id, move) {
      moved.add(id);
      owned.delete(id);
      try {
        return await move();
      } finally {
        moved.delete(id);
        owned.delete(id);
      }
    },
    placed: ({ id, target }) => void holds.set(id, { target, leaving: false }),
    leaving(holdId) {
      const hold = holds.get(holdId);
      if (hold !== undefined) hold.leaving = true;
    },
    holdsOn: ({ id, patient }) =>
      [...holds]
        .filter(
          ([, { target, leaving }]) =>
            !leaving && ('patient' in target ? target.patient === patient : target.recordingId === id),
        )
        .map(([holdId]) => holdId),
    stillHeld: (holdIds) => holdIds.some((id) => holds.get(id)?.leaving === false),
    takeHold(pick) {
      const free = [...holds].filter(([, { leaving }]) => !leaving).map(([id]) => id);
      const id = free[Math.floor(pick * free.length)];
      if (id !== undefined) ledger.leaving(id);
      return id;
    },
    consumed(requests, decisions) {
      const passed = decisions.every(({ allowed }) => allowed);
      count(ledger.answers, passed ? 'consume allowed' : 'consume refused');
      if (passed) for (const { key, cost } of requests) count(ledger.spent, key, cost);
    },
  };
  return ledger;
}
