import {
  type AuditStore,
  type CallContext,
  createIds,
  draftEvent,
  isMedzenError,
  MedzenError,
  type SealDeps,
  sealEvent,
  systemClock,
  systemRandom,
} from '@medzen/core';
import { gatherAggregates } from './aggregate-reads.ts';
import type { AuditedModel } from './audited-model.ts';
import { type ModelShape, modelShapes } from './model-shape.ts';
import { gatherReads, hideAdded, type PatientReads } from './patient-reads.ts';
import { recordReads } from './record-reads.ts';
import { isSelection, nothingHidden, widenSelection } from './widen-selection.ts';

/** Options of `auditedModels`. */
export interface AuditedModelsOptions extends SealDeps {
  /** By the model's name in the Prisma schema. */
  readonly models: Readonly<Record<string, AuditedModel>>;
  /** Where the events go: `prismaStores(prisma).audit` of the client itself, never of one inside a transaction. */
  readonly audit: AuditStore;
  /** Returns the caller's context, usually from an `AsyncLocalStorage`. Without one, no PHI is read. */
  readonly context: () => CallContext | undefined | Promise<CallContext | undefined>;
}

/** What `prisma.$extends` takes. It changes no type of the client: rows, arguments and transactions stay what they are. */
export type AuditedModelsExtension = (client: object) => {
  $extends: { extArgs: Record<'result' | 'model' | 'query' | 'client', Record<never, never>> };
};

/** What Prisma hands to a query extension; `__internalParams` is none of its public interface. */
interface Operation {
  readonly model: string;
  readonly operation: string;
  readonly args: unknown;
  readonly query: (args: unknown) => PromiseLike<unknown>;
  readonly __internalParams?: {
    readonly dataPath?: readonly string[];
    readonly transaction?: { readonly kind: string };
  };
}

/** What answers with numbers only. All else, also what Prisma may add one day, answers with rows. */
const countings: ReadonlySet<string> = new Set(['count', 'createMany', 'updateMany', 'deleteMany']);
const creations: ReadonlySet<string> = new Set(['create', 'createManyAndReturn']);
const changes = /^(create|update|upsert|delete)/;

/**
 * A Prisma client extension that records every read of PHI fields before the rows are handed over: `find*`, what `include` and `select`
 * nest at any depth, also from models that are not audited, the rows that `update`, `upsert` and `delete` return, and the values
 * of `aggregate` and `groupBy`. One event `table.read` a patient and query, with the names of the fields that were returned, on
 * the root wire, so that it outlives a transaction that rolls back.
 *
 * Fails closed: without a caller, or without a durable event, the query rejects and returns nothing. What finds nothing, or returns no PHI
 * field, is no event. Outside are raw queries, counts, and what a filter tells by matching.
 *
 * A change whose rows are returned has been made by the time its event is written. Outside an interactive transaction it stands even if the event cannot
 * be written, and so does all of a sequential transaction; the error says so, and is not `retryable`.
 *
 * @param options - models, store and caller
 * @returns for `prisma.$extends`, which throws MedzenError `invalid_configuration` for a model, field or path that is not in the Prisma
 * schema. Queries of the extended client throw `unauthenticated` without a caller, `invalid_input` for a caller that no event can be made
 * of, `store_unavailable`, `invalid_configuration` for a row that does not say whose it is; and Prisma's own errors, unchanged.
 * @see 45 CFR 164.312(b)
 * @see https://www.prisma.io/docs/orm/prisma-client/client-extensions/query
 * @example
 * ```ts
 * import { AsyncLocalStorage } from 'node:async_hooks';
 * import { auditedModels, type AuditedModelsExtension, type PrismaLike, prismaStores } from '@medzen/adapters-prisma';
 * import type { CallContext } from '@medzen/core';
 * type Host = PrismaLike & { $extends(extension: AuditedModelsExtension): PrismaLike }; // your PrismaClient
 * const callers = new AsyncLocalStorage<CallContext>();
 * function audited(prisma: Host) {
 *   return prisma.$extends(auditedModels({
 *     models: {
 *       Patient: { patient: 'id', phi: ['name', 'birthDate'] },
 *       Note: { patient: 'appointment.patientId', phi: ['text'] },
 *     },
 *     audit: prismaStores(prisma).audit,
 *     context: () => callers.getStore(),
 *   }));
 * }
 * ```
 */
export function auditedModels(options: AuditedModelsOptions): AuditedModelsExtension {
  const { audit, context, models, clock = systemClock, random = systemRandom } = options;
  const sealing = { clock, random, ids: options.ids ?? createIds(clock, random) };

  const caller = async (): Promise<CallContext> => {
    const ctx = await context();
    if (ctx === undefined)
      throw new MedzenError(
        'unauthenticated',
        'auditedModels: context() returned no caller; await the query inside AsyncLocalStorage.run()',
      );
    sealEvent(draftEvent({ action: 'table.read', kind: 'read', outcome: 'success', patient: '?' }, ctx), sealing); // refuses a bad one
    return ctx;
  };

  const run = async (shape: ModelShape, call: Operation): Promise<unknown> => {
    const { operation, query, __internalParams: internal } = call;
    const args = isSelection(call.args) ? call.args : {};
    const rows = operation !== 'aggregate' && operation !== 'groupBy';
    const widened = rows ? widenSelection(shape, args) : { args, hidden: nothingHidden(), phi: false };
    const known = widened.phi ? await caller() : undefined;

    const answer = await query(widened.args);
    const reads: PatientReads = new Map();
    if (rows) {
      const path = internal?.dataPath ?? [];
      const [end, hidden] = follow(shape, widened.hidden, path);
      gatherReads(reads, end, answer, hidden, path.length > 0 || !creations.has(operation));
      hideAdded(answer, hidden);
    } else gatherAggregates(reads, shape, args, answer);
    if (reads.size === 0) return answer;
    const ctx = known ?? (await caller());
    const target = { model: shape.name, operation };
    try {
      await recordReads(audit, ctx, reads, target, sealing);
    } catch (error) {
      throw unrecorded(error, standing(operation, internal?.transaction?.kind));
    }
    return answer;
  };

  return (client) => {
    const shapes = modelShapes(client, models);
    const extension = {
      name: 'medzen',
      query: {
        $allModels: {
          $allOperations(call: Operation): PromiseLike<unknown> {
            const shape = shapes.get(call.model);
            if (shape?.reaches !== true || countings.has(call.operation)) return call.query(call.args);
            return run(shape, call);
          },
        },
      },
    };
    const { $extends } = client as { $extends(extension: object): ReturnType<AuditedModelsExtension> }; // modelShapes found a client
    return $extends.call(client, extension);
  };
}

/** Prisma's fluent calls (`patient.findUnique(…).notes()`) answer with what is at the end of a path. */
function follow(
  shape: ModelShape,
  hidden: ReturnType<typeof nothingHidden>,
  dataPath: readonly string[],
): [ModelShape, ReturnType<typeof nothingHidden>] {
  let [end, within] = [shape, hidden];
  for (const name of dataPath.filter((_, index) => index % 2 === 1)) {
    end = end.relations.get(name) ?? end;
    within = within.within.get(name) ?? nothingHidden();
  }
  return [end, within];
}

/** What stands although the event is missing; undefined where nothing does, or the host's transaction will say. */
function standing(operation: string, transaction: string | undefined): string | undefined {
  if (transaction === 'itx') return undefined;
  if (transaction === 'batch') return 'What the transaction changed stands';
  return changes.test(operation) ? 'The change was made' : undefined;
}

/** The event may be missing, so the rows are not handed over. */
function unrecorded(error: unknown, stands: string | undefined): MedzenError {
  const trouble = isMedzenError(error)
    ? error
    : new MedzenError('store_unavailable', 'The audit store did not answer', { cause: error });
  if (stands === undefined) return trouble;
  const message = `${stands}, but its answer is withheld: that it was read could not be recorded`;
  return new MedzenError(trouble.code, message, { cause: trouble, retryable: false });
}
