import { type CallContext, MedzenError } from '@medzen/core';
import { actorSettings } from '@medzen/sql';
import { fromPrismaError } from './prisma-error.ts';
import type { PrismaLike } from './prisma-wire.ts';

/** A client that opens interactive transactions: a `PrismaClient`, also one with extensions. */
export interface TransactionalLike<Tx extends PrismaLike> {
  /** The client inside an interactive transaction has none. */
  $connect(): Promise<void>;
  $transaction<R>(work: (tx: Tx) => Promise<R>, options?: object): Promise<R>;
}

/** How the transaction is opened. */
export interface WithActorOptions {
  /** Name of the schema; `medzen` when absent. */
  readonly schema?: string;
  /** Milliseconds to wait for a connection; Prisma's default is 2000. */
  readonly maxWait?: number;
  /** Milliseconds the transaction may take; Prisma's default is 5000. */
  readonly timeout?: number;
  /** As Prisma names them. */
  readonly isolationLevel?: 'ReadUncommitted' | 'ReadCommitted' | 'RepeatableRead' | 'Serializable';
}

/**
 * Opens an interactive transaction in which Postgres knows who acts: the triggers of `audit_table` record each change under this caller,
 * with source, purpose and reason, and the change and its event commit together or not at all. The settings end with the transaction;
 * the next user of the connection finds nothing of them.
 *
 * A change outside `withActor` is recorded all the same, under the database's login.
 *
 * @param prisma - the client, not one inside a transaction
 * @param ctx - who acts, from where and why
 * @param work - what is to be done, through `tx` only
 * @returns what `work` gave, once committed
 * @throws MedzenError `invalid_input` for a caller of whom no event can be made, before a transaction is opened; `invalid_configuration`
 * inside a transaction; `store_unavailable`; and what `work` or Prisma threw, after the roll-back
 * @see https://www.prisma.io/docs/orm/prisma-client/queries/transactions#interactive-transactions
 * @example
 * ```ts
 * import { type PrismaLike, type TransactionalLike, withActor } from '@medzen/adapters-prisma';
 * import { type CallContext, MedzenError } from '@medzen/core';
 * interface Tx extends PrismaLike {
 *   patient: { update(args: { where: { id: string }; data: { name: string } }): Promise<unknown> };
 * } // what your generated client gives
 * async function rename(prisma: TransactionalLike<Tx>, ctx: CallContext, id: string, name: string): Promise<void> {
 *   await withActor(prisma, ctx, (tx) => tx.patient.update({ where: { id }, data: { name } }));
 * }
 * ```
 */
export async function withActor<Tx extends PrismaLike, T>(
  prisma: TransactionalLike<Tx>,
  ctx: CallContext,
  work: (tx: Tx) => Promise<T>,
  options: WithActorOptions = {},
): Promise<T> {
  // Prisma 7 nests transactions, and what is set in an inner one stays set in the outer.
  if (prisma.$connect === undefined)
    throw new MedzenError('invalid_configuration', 'withActor opens the transaction: give it the client itself');
  const { schema, ...transaction } = options;
  const { text, values } = actorSettings(ctx, schema === undefined ? {} : { schema });
  return prisma.$transaction(async (tx) => {
    try {
      await tx.$queryRawUnsafe(text, ...values);
    } catch (error) {
      throw fromPrismaError(error, 'withActor');
    }
    return work(tx);
  }, transaction);
}
