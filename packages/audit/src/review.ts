import {
  type AuditContext,
  type AuditEvent,
  type AuditStore,
  type Clock,
  type CursorStore,
  canonicalize,
  createIds,
  draftEvent,
  type IdentityStore,
  type Ids,
  type LogStore,
  MedzenError,
  type Random,
  type ReviewFinding,
  type ReviewPage,
  type ReviewQuery,
  type ReviewSignOff,
  type ReviewStore,
  replaceIdentities,
  type Scope,
  type SignOffResult,
  sealEvent,
  sha256,
  systemClock,
  systemRandom,
  toHex,
} from '@medzen/core';
import { type LogEvent, openLeaves } from './open-leaves.ts';
import { type RecentEvents, recentEvents } from './recent-events.ts';
import { revealLeaves } from './reveal-leaves.ts';
import type { ReviewRule } from './review-rule.ts';
import { untilAborted } from './verify/until-aborted.ts';

/** What a review is made of. */
export interface ReviewDeps {
  readonly rules: readonly ReviewRule[];
  readonly log: Pick<LogStore, 'readLeaves'>;
  readonly cursors: CursorStore;
  readonly reviews: ReviewStore;
  /** Tells rules who is meant where the log holds pseudonyms. The queue holds pseudonyms too, and shows who is meant. */
  readonly identities?: Pick<IdentityStore, 'reveal'>;
  /** For the refusal of a sign-off, which is an event too. */
  readonly audit: Pick<AuditStore, 'append'>;
  /** The cursor's name; `review` when absent. Under another one, rules that were added later see the whole log. */
  readonly name?: string;
  /** Leaves read at a time, 1–10 000; 1000 when absent. */
  readonly batch?: number;
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly random?: Random;
}

/** What a scan came to. */
export interface ScanResult {
  /** Leaves that this scan has been through. */
  readonly scanned: number;
  /** Findings that were new. */
  readonly queued: number;
  readonly purged: number;
  /** Leaves whose event could not be read: see `verifyLog`. No rule has seen these. */
  readonly damaged: number;
}

/**
 * Regular review of what was done: rules look at each new event of the log, and somebody at what they find.
 *
 * @see 45 CFR 164.308(a)(1)(ii)(D), https://www.ecfr.gov/current/title-45/section-164.308
 */
export interface AuditReview {
  /**
   * Looks at every event that was sequenced since the last scan, of all tenants, and queues what the rules find. In the order of the log, so that a
   * transaction that commits late is not missed. A scan that breaks off begins again where its last batch ended, and any number may
   * run at once: what is found twice is queued once.
   *
   * @throws MedzenError `store_unavailable`; what a rule throws
   */
  scan(options?: { readonly signal?: AbortSignal }): Promise<ScanResult>;

  /**
   * The queue, in the order of the log. Not itself recorded: run it in `audited` with `audit.search`.
   *
   * @throws MedzenError `invalid_input` for a bad limit or cursor; `store_unavailable`
   */
  list(scope: Scope, query?: ReviewQuery): Promise<ReviewPage>;

  /**
   * Signs one off in the name of the context's actor: the event `audit.review` commits with it, or neither does. Whoever is the finding's own actor gets `own`
   * and leaves a denied event, unless `own: true` is said (a practice of one). Who else may sign off is the host's to decide.
   *
   * @throws MedzenError `invalid_input` for too long a note; `store_unavailable`
   */
  signOff(ctx: AuditContext, signOff: ReviewSignOff): Promise<SignOffResult>;
}

/** A day: no rule looks further back. */
const mostMs = 86_400_000;
/** Leaves to read again at most, for what the rules have to remember, when a scan does not go on where this one ended. */
const mostBack = 50_000;

/**
 * Makes a review over a log.
 *
 * @throws MedzenError `invalid_configuration` for a rule whose id or window is out of bounds, or two of one id
 * @example
 * ```ts
 * import { createReview, reviewRules } from '@medzen/audit';
 * import type { Stores } from '@medzen/core';
 * async function daily(stores: Stores): Promise<number> {
 *   const review = createReview({ ...stores, rules: reviewRules() });
 *   await review.scan();
 *   const { reviews } = await review.list({ tenant: 'default' });
 *   return reviews.length;
 * }
 * ```
 */
export function createReview(deps: ReviewDeps): AuditReview {
  const { rules, log, cursors, reviews, audit, identities, name = 'review', batch = 1000 } = deps;
  const { clock = systemClock, random = systemRandom } = deps;
  const sealing = { clock, random, ids: deps.ids ?? createIds(clock, random) };
  checkRules(rules);
  const windowMs = Math.max(0, ...rules.map((rule) => rule.windowMs ?? 0));
  /** What the actors did lately, as of a place in the log. */
  let memory: { readonly at: number; readonly recent: RecentEvents } | undefined;

  /** Reads back as far as the rules look. */
  const recall = async (at: number): Promise<RecentEvents> => {
    const recent = recentEvents();
    if (windowMs === 0) return recent;
    let [start, latest] = [at, Number.NEGATIVE_INFINITY];
    while (start > 0 && at - start < mostBack) {
      const end = start;
      start = Math.max(0, end - batch);
      const { events } = openLeaves(await log.readLeaves(start, end - start));
      const times = events.map(({ event }) => Date.parse(event.at));
      for (const time of times) latest = Math.max(latest, time);
      if (times.length > 0 && times.every((time) => time < latest - windowMs)) break;
    }
    for (; start < at; start += batch)
      for (const { event } of (
        await revealLeaves(openLeaves(await log.readLeaves(start, Math.min(batch, at - start))), identities)
      ).events)
        recent.add(event);
    return recent;
  };

  /** @param stored - the same events as the log holds them */
  const lookAt = async (
    events: readonly LogEvent[],
    stored: readonly LogEvent[],
    recent: RecentEvents,
  ): Promise<Map<string, ReviewFinding[]>> => {
    const byTenant = new Map<string, ReviewFinding[]>();
    for (const [at, { index, event }] of events.entries()) {
      const tenant = event.tenant ?? '';
      for (const rule of rules) {
        const found = await rule.look(event, rule.windowMs === undefined ? [] : recent.before(event, rule.windowMs));
        if (found === undefined) continue;
        const list = byTenant.get(tenant) ?? [];
        byTenant.set(tenant, list);
        list.push(findingOf(rule, event, stored[at]?.event ?? event, index, found));
      }
      if (windowMs > 0) recent.add(event);
    }
    return byTenant;
  };

  return {
    scan: async ({ signal } = {}) => {
      const sum = { scanned: 0, queued: 0, purged: 0, damaged: 0 };
      let from = await cursors.read(name);
      while (signal?.aborted !== true) {
        const leaves = await untilAborted(signal, log.readLeaves(from, batch)).catch((error: unknown) => {
          if (signal?.aborted !== true) throw error;
          return []; // told to end while the store does not answer
        });
        if (leaves.length === 0) break;
        const recent = memory?.at === from ? memory.recent : await recall(from);
        memory = undefined; // whatever goes wrong from here on, it is not what the cursor says
        const opened = openLeaves(leaves);
        const { events } = await revealLeaves(opened, identities);
        for (const [tenant, findings] of await lookAt(events, opened.events, recent))
          for (let i = 0; i < findings.length; i += 1000)
            sum.queued += (await reviews.queue({ tenant }, findings.slice(i, i + 1000))).queued;
        sum.scanned += leaves.length;
        sum.purged += opened.purged;
        sum.damaged += opened.damaged.length;
        const to = from + leaves.length;
        const { status } = await cursors.move(name, from, to);
        if (status === 'moved') memory = { at: to, recent };
        from = status === 'moved' ? to : await cursors.read(name); // another scan was faster
      }
      return sum;
    },

    list: (scope, query = {}) => reviews.list(scope, query),

    signOff: async (ctx, signOff) => {
      const { id, outcome, note } = signOff;
      const draft = draftEvent(
        {
          action: 'audit.review',
          kind: 'update',
          outcome: 'success',
          target: { type: 'review', id },
          detail: { outcome },
          purpose: ctx.purpose ?? 'HOPERAT',
          ...(note === undefined ? {} : { reason: note }),
        },
        ctx,
      );
      const result = await reviews.signOff(ctx.scope, signOff, sealEvent(draft, sealing));
      if (result.status === 'own')
        await audit.append(ctx.scope, [sealEvent({ ...draft, outcome: 'denied' }, sealing)], {
          durability: 'independent',
        });
      return result;
    },
  };
}

/** @param seen - by the rule, in clear. What is queued, the key in the id too, tells no more than the log does */
function findingOf(
  rule: ReviewRule,
  seen: AuditEvent,
  event: AuditEvent,
  leafIndex: number,
  found: ReviewFindingParts,
): ReviewFinding {
  const own = found.key === undefined ? event.id : asStored(found.key.toWellFormed(), seen, event);
  const key = canonicalize([event.tenant ?? '', rule.id, own]);
  return {
    id: toHex(sha256(new TextEncoder().encode(key))),
    rule: rule.id,
    eventId: event.id,
    leafIndex,
    at: new Date(event.at).toISOString(),
    actor: withoutNul(event.actor.id),
    ...(event.patient === undefined ? {} : { patient: withoutNul(event.patient) }),
    ...(found.detail === undefined ? {} : { detail: found.detail }),
  };
}

/** A rule's key with the pseudonyms of the event in place of what they stand for. */
function asStored(key: string, seen: AuditEvent, stored: AuditEvent): string {
  const [clear, kept] = [seen, stored].map((event) => {
    const texts: string[] = [];
    replaceIdentities(event, ({ value }) => {
      texts.push(value);
      return value;
    });
    return texts;
  });
  const pairs = (clear ?? []).map((text, at) => [text, kept?.[at] ?? text] as const).filter(([a, b]) => a !== b);
  pairs.sort(([a], [b]) => b.length - a.length); // a text may be part of another
  return pairs.reduce((text, [value, pseudonym]) => {
    const quoted = JSON.stringify(value).slice(1, -1);
    return text.replaceAll(quoted, pseudonym).replaceAll(value, pseudonym);
  }, key);
}

type ReviewFindingParts = NonNullable<Awaited<ReturnType<ReviewRule['look']>>>;

/** As the store's own columns show it: a text with a NUL in it must not stop every scan. */
function withoutNul(text: string): string {
  return text.replaceAll('\u0000', '\ufffd');
}

function checkRules(rules: readonly ReviewRule[]): void {
  const ids = new Set(rules.map(({ id }) => id));
  const bounded = rules.every(
    ({ id, windowMs = 0 }) => /^[a-z0-9-]{1,64}$/.test(id) && windowMs >= 0 && windowMs <= mostMs,
  );
  if (ids.size !== rules.length || !bounded)
    throw new MedzenError('invalid_configuration', 'Each rule has an id of its own, and a window of a day at most');
}
