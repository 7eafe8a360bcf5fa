import type { S3Operation } from './operations.ts';

/** Which requests a fault applies to. Absent members match everything. */
export interface FaultMatch {
  readonly operation?: S3Operation;
  readonly method?: string;
  /** The whole key, or a pattern. */
  readonly key?: string | RegExp;
}

/** When a connection is cut. */
export type ResetMoment =
  /** As soon as the request's headers are in: nothing was done. */
  | 'before'
  /** After half of the response body. */
  | 'midway'
  /** After the work, before a byte of the answer: the client cannot know that it was done. */
  | 'after';

/** What goes wrong next. Each counts down from `times` (default 1) and is used in the order it was asked for. */
export interface S3Faults {
  /** Answers an S3 error instead of doing the work: `SlowDown` (503), `InternalError` (500), … */
  fail(fault: {
    readonly match?: FaultMatch;
    readonly times?: number;
    readonly code: string;
    readonly status: number;
  }): void;
  /** Cuts the connection. */
  reset(fault: { readonly match?: FaultMatch; readonly times?: number; readonly when: ResetMoment }): void;
  /** Flips one bit in the middle of a response body. */
  corrupt(fault?: { readonly match?: FaultMatch; readonly times?: number }): void;
  /** Puts an `Error` for these keys inside a 200 of a multi-delete. */
  refuseDelete(fault: {
    readonly key: string | RegExp;
    readonly times?: number;
    readonly code: string;
    readonly message?: string;
  }): void;
  /** Delays every matching request by so many milliseconds, until cleared. */
  latency(milliseconds: number, match?: FaultMatch): void;
  /** Forgets all faults. */
  clear(): void;
}

type Planned =
  | { readonly kind: 'fail'; readonly match: FaultMatch; left: number; readonly code: string; readonly status: number }
  | { readonly kind: 'reset'; readonly match: FaultMatch; left: number; readonly when: ResetMoment }
  | { readonly kind: 'corrupt'; readonly match: FaultMatch; left: number };

/** A request as faults see it. */
export interface FaultSubject {
  readonly operation: S3Operation;
  readonly method: string;
  readonly key: string;
}

/** What the server asks of the plan. */
export interface FaultPlan {
  readonly faults: S3Faults;
  /** Takes the next fault of this kind for the request, if any is due. */
  take<K extends Planned['kind']>(
    kind: K,
    subject: FaultSubject,
    when?: ResetMoment,
  ): Extract<Planned, { kind: K }> | undefined;
  /** The error due for one key of a multi-delete. */
  takeDelete(key: string): { code: string; message: string } | undefined;
  /** Milliseconds to wait. */
  delay(subject: FaultSubject): number;
}

function sameKey(wanted: string | RegExp | undefined, key: string): boolean {
  if (wanted === undefined) return true;
  return typeof wanted === 'string' ? wanted === key : wanted.test(key);
}

function applies(match: FaultMatch, subject: FaultSubject): boolean {
  return (
    (match.operation === undefined || match.operation === subject.operation) &&
    (match.method === undefined || match.method === subject.method) &&
    sameKey(match.key, subject.key)
  );
}

/** An empty plan. */
export function createFaultPlan(): FaultPlan {
  const planned: Planned[] = [];
  const refusals: { key: string | RegExp; left: number; code: string; message: string }[] = [];
  const delays: { milliseconds: number; match: FaultMatch }[] = [];
  return {
    faults: {
      fail: ({ match = {}, times = 1, code, status }) => {
        planned.push({ kind: 'fail', match, left: times, code, status });
      },
      reset: ({ match = {}, times = 1, when }) => {
        planned.push({ kind: 'reset', match, left: times, when });
      },
      corrupt: ({ match = {}, times = 1 } = {}) => {
        planned.push({ kind: 'corrupt', match, left: times });
      },
      refuseDelete: ({ key, times = 1, code, message = code }) => {
        refusals.push({ key, left: times, code, message });
      },
      latency: (milliseconds, match = {}) => {
        delays.push({ milliseconds, match });
      },
      clear: () => {
        planned.length = 0;
        refusals.length = 0;
        delays.length = 0;
      },
    },
    take: (kind, subject, when) => {
      for (const fault of planned) {
        if (fault.kind !== kind || fault.left < 1 || !applies(fault.match, subject)) continue;
        if (fault.kind === 'reset' && fault.when !== when) continue;
        fault.left -= 1;
        return fault as Extract<Planned, { kind: typeof kind }>; // its kind was just compared
      }
      return undefined;
    },
    takeDelete: (key) => {
      const refusal = refusals.find((candidate) => candidate.left > 0 && sameKey(candidate.key, key));
      if (refusal === undefined) return undefined;
      refusal.left -= 1;
      return { code: refusal.code, message: refusal.message };
    },
    delay: (subject) =>
      delays.filter((one) => applies(one.match, subject)).reduce((sum, one) => sum + one.milliseconds, 0),
  };
}
