import {
  type AppendResult,
  type AuditContext,
  type AuditEvent,
  type AuditFacts,
  type AuditQuery,
  type AuditStore,
  type Clock,
  checkedDeadline,
  createIds,
  draftEvent,
  type Ids,
  isMedzenError,
  MedzenError,
  type Random,
  type Scope,
  type SealedEvent,
  sealEvent,
  systemClock,
  systemRandom,
  withDeadline,
} from '@medzen/core';
import { type AccessReport, type AccessReportOptions, accessReport } from './access-report.ts';
import { type ErasableOptions, erasableGuard } from './erasable-guard.ts';
import type { EventPage } from './event-page.ts';
import { openPage } from './open-page.ts';
import type { Spool } from './spool.ts';

/** Dependencies of an audit log. */
export interface AuditLogDeps {
  /** Store for events: `sqlStores(wire).audit`, `memoryStores().audit`, or your own. */
  readonly store: AuditStore;
  /**
   * Where events wait while the store is down. With it, what is `independent` (reads, denials, failures) is accepted once it is durable there; what
   * belongs to a host's transaction never is, because nobody could tell whether that commits. Without it, nothing is accepted while the store is down.
   */
  readonly spool?: Spool;
  /**
   * Refuses to record while the store would keep identities in clear that are to be erasable (`eraseIdentity`). The switch itself is the
   * database's, so that events of triggers and of other services agree: `SELECT medzen.keep_erasable('patient', 'user', 'name', 'ip')`, or
   * `memoryStores({ erasable })`. A spool, while the store is down, holds events as they were recorded; what is drained is pseudonymised.
   */
  readonly erasable?: ErasableOptions;
  /**
   * Milliseconds that the store may take for one call, 1–2 147 483 647; 10 000 when absent. Past it the event goes to the spool, or `record` throws
   * `store_unavailable`. Where the late write arrives after all, the spooled copy has the same id and counts once.
   */
  readonly deadlineMs?: number;
  /** Gives `event.at`; the machine's own by default. */
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** Gives the nonces. */
  readonly random?: Random;
}

/** Transaction options of a record. */
export interface RecordOptions {
  /**
   * `joined` (default for changes that succeeded): commits, and vanishes, with the host's transaction, when the store's wire is in one.
   * `independent` (always so for reads, denials and failures): durable on its own.
   */
  readonly durability?: 'joined' | 'independent';
}

/** Where an event is: `durable`, in the store. `pending-commit`: becomes durable when the host commits. `spooled`: durable beside the store, which was down. */
export type RecordStatus = AppendResult['status'] | 'spooled';

/** One recorded event. */
export interface Recorded {
  readonly status: RecordStatus;
  /** UUIDv7. */
  readonly id: string;
}

/** Several, recorded together. */
export interface RecordedMany {
  readonly status: RecordStatus;
  /** In the order of the facts. */
  readonly ids: readonly string[];
}

/** Facts for `audited`, without the outcome, which is known only after `fn` ran. */
export type AuditedFacts = Omit<AuditFacts, 'outcome' | 'kind'> & { readonly kind: 'read' | 'execute' };

/**
 * The audit log of a host: who did what, to whose data, why and from where.
 */
export interface AuditLog {
  /**
   * Records one event. Fails closed: it resolves only when the answer is true, and rejects when the event may be missing.
   *
   * @param facts - what happened; `actor`, `source`, `purpose` and `reason` come from the context unless given
   * @param ctx - the caller's context, or `{ scope }` with facts that name their actor and source
   * @throws MedzenError `invalid_input` for an event that cannot be sealed; `store_unavailable` (retryable) for every trouble of the
   * store; `wire_busy` as the store's; `invalid_configuration` when `erasable` is asked for and the store does not do it
   * @example
   * ```ts
   * import type { AuditLog } from '@medzen/audit';
   * import type { CallContext } from '@medzen/core';
   * async function signedIn(audit: AuditLog, ctx: CallContext): Promise<void> {
   *   await audit.record({ action: 'session.start', kind: 'execute', outcome: 'success' }, ctx);
   * }
   * ```
   */
  record(facts: AuditFacts, ctx: AuditContext, options?: RecordOptions): Promise<Recorded>;

  /**
   * Records 1–1000 events, all or none, in one call.
   *
   * @throws MedzenError as `record`; `invalid_input` also for none, for too many, and when changes stand beside reads, denials or
   * failures without `durability: 'independent'`: the two kinds may not share the fate of one transaction
   */
  recordMany(facts: readonly AuditFacts[], ctx: AuditContext, options?: RecordOptions): Promise<RecordedMany>;

  /**
   * Runs a read and gives its result only once its event is durable, outside any transaction: no event, no result. When `fn` throws,
   * a `failed` event (`denied`, for a refusal such as `forbidden` or `held`) is made durable and the error is thrown on. `event.at` is when the
   * read began. For changes use the store's intents, or the host's own transaction with a wire in it.
   *
   * @param facts - all but the outcome; checked before `fn` runs
   * @param fn - the read
   * @returns what `fn` gave
   * @throws what `fn` threw; MedzenError `invalid_input` before `fn` runs; `store_unavailable` when the event could not be written (its
   * cause is an `AggregateError` of both, if `fn` had thrown as well)
   * @example
   * ```ts
   * import type { AuditLog } from '@medzen/audit';
   * import type { CallContext } from '@medzen/core';
   * function readNote(audit: AuditLog, ctx: CallContext, id: string, load: () => Promise<string>): Promise<string> {
   *   return audit.audited({ action: 'note.view', kind: 'read', patient: 'p1', target: { type: 'note', id } }, ctx, load);
   * }
   * ```
   */
  audited<T>(facts: AuditedFacts, ctx: AuditContext, fn: () => T | Promise<T>): Promise<T>;

  /**
   * Searches one tenant's events, newest first; by clear values, and with them, where the log holds pseudonyms that are not erased. A search is not itself recorded: run it in `audited` with `audit.search`.
   *
   * @throws MedzenError `invalid_input` for a bad limit or cursor; `store_unavailable`
   */
  search(scope: Scope, query: AuditQuery): Promise<EventPage>;

  /**
   * The same search, page after page, in flat memory; stable while others write.
   *
   * @param query - its `limit` is the size of a page
   */
  pages(scope: Scope, query: AuditQuery): AsyncIterable<EventPage>;

  /**
   * Everyone who touched one patient's record, or was refused it, with the latest events. Flat memory, whatever the length of the log.
   * Not the accounting of disclosures of 45 CFR 164.528.
   *
   * @param patient - the host's id of the patient
   */
  accessReport(scope: Scope, patient: string, options?: AccessReportOptions): Promise<AccessReport>;
}

/**
 * Makes the audit log over a store.
 *
 * @example
 * ```ts
 * import { createAuditLog } from '@medzen/audit';
 * import type { AuditStore } from '@medzen/core';
 * async function start(store: AuditStore): Promise<void> {
 *   const audit = createAuditLog({ store });
 *   await audit.record(
 *     { action: 'config.change', kind: 'update', outcome: 'success', actor: { id: 'deploy', type: 'service' }, source: {} },
 *     { scope: { tenant: 'default' } },
 *   );
 * }
 * ```
 */
export function createAuditLog(deps: AuditLogDeps): AuditLog {
  const { store, spool, clock = systemClock, random = systemRandom } = deps;
  const sealing = { clock, random, ids: deps.ids ?? createIds(clock, random) };

  const limit = { ms: checkedDeadline('deadlineMs', deps.deadlineMs), what: 'The audit store' };
  const assured = deps.erasable === undefined ? undefined : erasableGuard(deps.erasable);

  const append = async (
    scope: Scope,
    events: readonly SealedEvent[],
    durability: 'joined' | 'independent',
  ): Promise<{ readonly status: RecordStatus }> => {
    try {
      return await withDeadline(limit, async () => {
        await assured?.();
        return store.append(scope, events, { durability });
      });
    } catch (error) {
      const trouble = storeTrouble(error);
      if (spool === undefined || durability !== 'independent' || trouble.code !== 'store_unavailable') throw trouble;
      await spool.keep(scope, events);
      return { status: 'spooled' };
    }
  };

  const recordMany: AuditLog['recordMany'] = async (facts, ctx, options = {}) => {
    if (facts.length < 1 || facts.length > 1000)
      throw new MedzenError('invalid_input', 'record takes 1 to 1000 events per call');
    const events = facts.map((fact) => sealEvent(draftEvent(fact, ctx), sealing));
    const { status } = await append(ctx.scope, events, durabilityOf(facts, options));
    return { status, ids: events.map(({ id }) => id) };
  };

  const search: AuditLog['search'] = async (scope, query) => {
    try {
      return openPage(await withDeadline(limit, async () => store.search(scope, query)), scope, query);
    } catch (error) {
      throw storeTrouble(error);
    }
  };

  async function* pages(scope: Scope, query: AuditQuery): AsyncGenerator<EventPage> {
    let next: AuditQuery | undefined = query;
    while (next !== undefined) {
      const page: EventPage = await search(scope, next);
      yield page;
      next = page.cursor === undefined ? undefined : { ...query, cursor: page.cursor };
    }
  }

  return {
    record: async (facts, ctx, options) => {
      const event = sealEvent(draftEvent(facts, ctx), sealing);
      const { status } = await append(ctx.scope, [event], durabilityOf([facts], options ?? {}));
      return { status, id: event.id };
    },
    recordMany,
    audited: async (facts, ctx, fn) => {
      if (facts.kind !== 'read' && facts.kind !== 'execute')
        throw new MedzenError(
          'invalid_input',
          'audited() is for reads: a change commits with its event, in one transaction',
        );
      const draft = draftEvent({ ...facts, outcome: 'success' }, ctx);
      const seen = sealEvent(draft, sealing); // before fn: a draft that cannot be sealed must not cost a read
      await withDeadline(limit, async () => assured?.());
      let result: Awaited<ReturnType<typeof fn>>;
      try {
        result = await fn();
      } catch (error) {
        const failed = sealEvent({ ...draft, ...failureOf(error, draft.detail) }, sealing);
        await append(ctx.scope, [failed], 'independent').catch((trouble: unknown) => {
          throw storeTrouble(new AggregateError([error, trouble]));
        });
        throw error;
      }
      await append(ctx.scope, [seen], 'independent');
      return result;
    },
    search,
    pages,
    accessReport: (scope, patient, options) => accessReport({ pages }, scope, patient, { clock, ...options }),
  };
}

const refusals: ReadonlySet<string> = new Set([
  'unauthenticated',
  'forbidden',
  'consent_required',
  'retention_active',
  'held',
  'rate_limited',
]);

/** How a read that threw goes into the log: by its code, never by its message, which may name people. */
function failureOf(error: unknown, detail: AuditEvent['detail']): Pick<AuditFacts, 'outcome' | 'detail'> {
  if (!isMedzenError(error)) return { outcome: 'failed' };
  return { outcome: refusals.has(error.code) ? 'denied' : 'failed', detail: { ...detail, error: error.code } };
}

/** Reads, denials and failures must outlive a transaction that rolls back; a change must not. */
function durabilityOf(facts: readonly AuditFacts[], options: RecordOptions): 'joined' | 'independent' {
  const alone = facts.filter(({ kind, outcome }) => kind === 'read' || outcome !== 'success').length;
  if (options.durability === 'independent' || alone === facts.length) return 'independent';
  if (alone > 0) throw new MedzenError('invalid_input', 'Record changes apart from reads, denials and failures');
  return 'joined';
}

/** A store of the host's own may throw anything; to the caller it is one thing: the event may not be there. */
function storeTrouble(error: unknown): MedzenError {
  if (isMedzenError(error)) return error;
  return new MedzenError('store_unavailable', 'The audit store did not answer', { cause: error });
}
