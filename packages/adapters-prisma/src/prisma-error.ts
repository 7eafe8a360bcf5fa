import { MedzenError } from '@medzen/core';
import { fromSqlError, sqlstateOf } from '@medzen/sql';

/**
 * Turns what Prisma threw into a `MedzenError`, as `fromSqlError` does for what Postgres said. Prisma's own message and fields may
 * quote the call's values: none of them is handed on.
 *
 * @param error - anything that `$queryRawUnsafe` threw
 * @param name - the function that was called
 * @see https://www.prisma.io/docs/orm/reference/error-reference
 */
export function fromPrismaError(error: unknown, name: string): MedzenError {
  const answer = serverAnswer(error);
  if (answer !== undefined) return fromSqlError(answer, name);
  const code = field(error, 'code');
  const kind = field(adapterCause(error), 'kind');
  const cause = new Error([field(error, 'name'), code, kind].filter((part) => typeof part === 'string').join(' '));
  if (code === 'P2028') return new MedzenError('conflict', "The host's transaction is over already", { cause });
  if (field(error, 'name') === 'PrismaClientValidationError')
    return new MedzenError('internal', 'Prisma refused the call', { cause });
  return fromSqlError(cause, name);
}

/** What Postgres said, where Prisma keeps it: 7 in the driver adapter's error, 6 with its engine in `meta`. */
function serverAnswer(error: unknown): Error | undefined {
  const cause = adapterCause(error);
  const meta = field(error, 'meta');
  const told = [
    { code: field(cause, 'originalCode'), message: field(cause, 'originalMessage') },
    { code: field(meta, 'code'), message: field(meta, 'message') },
  ].find((one) => sqlstateOf(one) !== undefined);
  if (told === undefined) return undefined;
  const message = typeof told.message === 'string' ? told.message.replace(/^(db error: )?ERROR: /, '') : '';
  return Object.assign(new Error(message), { code: told.code, table: field(cause, 'table') });
}

/** The driver adapter's error comes wrapped in Prisma's, or as it is where the adapter was called outside a query. */
function adapterCause(error: unknown): unknown {
  return field(field(field(error, 'meta'), 'driverAdapterError') ?? error, 'cause');
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
