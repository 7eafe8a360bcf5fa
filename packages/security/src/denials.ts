import {
  type Actor,
  type AuditEventDraft,
  type AuditFacts,
  type AuditSource,
  type AuditStore,
  type Clock,
  draftEvent,
  errorFields,
  type Ids,
  type Logger,
  type Random,
  scopeOf,
  sealEvent,
  withDeadline,
} from '@medzen/core';

/** One refusal, as the guard tells it. */
export interface Denial {
  readonly tenant: string;
  readonly action: 'request.denied' | 'rate_limit.exceeded' | 'rate_limit.unavailable' | 'webhook.reject';
  readonly outcome: 'denied' | 'failed';
  /** Undefined before an identity is known. */
  readonly actor: Actor | undefined;
  readonly source: AuditSource;
  /** The template, never the path. */
  readonly route: string;
  readonly status: number;
  readonly code: string;
  /** Reason of the denial, one of the guard's own codes. */
  readonly reason: string;
  /** Key that denials are counted by: an actor or a network. */
  readonly subject: string;
}

/** Records denials in the audit log. */
export interface DenialLog {
  /** Resolves when the event is written, counted, or given up for the deadline. Never rejects. */
  record(denial: Denial): Promise<void>;
  /** Writes counts whose window has ended. Never rejects. Undefined when there is nothing to do. */
  flushDue(): Promise<void> | undefined;
  /** Writes every count. Never rejects. */
  flush(): Promise<void>;
}

/** Dependencies of the denial log. */
export interface DenialDeps {
  readonly audit: AuditStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly logger: Pick<Logger, 'error'>;
  readonly windowMs: number;
  readonly deadlineMs: number;
}

interface Window {
  readonly first: Denial;
  count: number;
  from: number;
  to: number;
  endsAt: number;
}

/** Kinds of refusal that are told apart at once; past that they are counted together by tenant and code. */
const maxWindows = 1000;

/**
 * Writes the first refusal of a kind at once and counts those that follow within the window, so that an attack on the
 * service does not become an attack on the audit log. Counts are written as one event with `{count, from, to}`; one that
 * cannot be written is kept and added to.
 */
export function createDenialLog(deps: DenialDeps): DenialLog {
  const { audit, clock, logger, windowMs, deadlineMs } = deps;
  const windows = new Map<string, Window>();
  let nextEnd = Number.POSITIVE_INFINITY;

  const append = async (draft: AuditEventDraft): Promise<boolean> => {
    try {
      const event = sealEvent(draft, { clock, ids: deps.ids, random: deps.random });
      const limit = { ms: deadlineMs, what: 'The audit store' };
      const scope = scopeOf(draft.tenant ?? '');
      await withDeadline(limit, async () => audit.append(scope, [event], { durability: 'independent' }));
      return true;
    } catch (cause) {
      const about = { action: draft.action, route: draft.target?.id ?? '' };
      logger.error('A denial could not be audited', { ...about, ...errorFields(cause) });
      return false;
    }
  };

  const open = (key: string, denial: Denial, now: number): void => {
    windows.set(key, { first: denial, count: 0, from: now, to: now, endsAt: now + windowMs });
    nextEnd = Math.min(nextEnd, now + windowMs);
  };

  const close = async (key: string, window: Window): Promise<void> => {
    windows.delete(key);
    if (window.count === 0) return;
    const counted = { count: window.count, from: instant(window.from), to: instant(window.to) };
    if (await append(draftOf(window.first, counted))) return;
    const now = clock.now().getTime();
    const newer = windows.get(key);
    if (newer === undefined) windows.set(key, { ...window, endsAt: now + windowMs });
    else {
      newer.count += window.count;
      newer.from = Math.min(newer.from, window.from);
    }
    nextEnd = Math.min(nextEnd, now + windowMs);
  };

  const closeAll = async (which: (window: Window) => boolean): Promise<void> => {
    const due = [...windows].filter(([, window]) => which(window));
    nextEnd = Number.POSITIVE_INFINITY;
    for (const [, window] of windows) if (!which(window)) nextEnd = Math.min(nextEnd, window.endsAt);
    await Promise.all(due.map(([key, window]) => close(key, window)));
  };

  // A window that ends later than one opened now was opened before the clock was set back.
  const ended = (endsAt: number, now: number): boolean => endsAt <= now || endsAt - now > windowMs;

  const find = (denial: Denial): { readonly key: string; readonly window: Window | undefined } => {
    const { tenant, route, code, reason, subject } = denial;
    const own = JSON.stringify([tenant, route, code, reason, subject]);
    const window = windows.get(own);
    if (window !== undefined || windows.size < maxWindows) return { key: own, window };
    const shared = JSON.stringify([tenant, code]);
    return { key: shared, window: windows.get(shared) };
  };

  const count = (window: Window, now: number): void => {
    window.from = window.count === 0 ? now : Math.min(window.from, now);
    window.to = window.count === 0 ? now : Math.max(window.to, now);
    window.count++;
  };

  return {
    flush: () => closeAll(() => true),
    flushDue: () => {
      const now = clock.now().getTime();
      if (windows.size === 0 || !ended(nextEnd, now)) return undefined;
      return closeAll((window) => ended(window.endsAt, now));
    },
    record: async (denial) => {
      const now = clock.now().getTime();
      const { key, window } = find(denial);
      if (window !== undefined && !ended(window.endsAt, now)) return count(window, now);
      const closing = window === undefined ? undefined : close(key, window);
      open(key, denial, now);
      const written = await append(draftOf(denial, undefined));
      const opened = windows.get(key);
      if (!written && opened !== undefined) count(opened, now);
      await closing;
    },
  };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

function draftOf(
  denial: Denial,
  counted: { readonly count: number; readonly from: string; readonly to: string } | undefined,
): AuditEventDraft {
  const { tenant, actor, action, outcome, route, status, code, reason } = denial;
  // The request id of the first says nothing about those that were counted after it.
  const { requestId, traceId, ...origin } = denial.source;
  const facts: AuditFacts = {
    action,
    kind: 'execute',
    outcome,
    target: { type: 'route', id: route },
    source: counted === undefined ? denial.source : origin,
    detail: { status, code, reason, ...counted },
    ...(actor === undefined ? { actor: { id: 'anonymous', type: 'user' } } : {}),
  };
  return draftEvent(facts, { scope: { tenant }, ...(actor === undefined ? {} : { actor }) });
}
