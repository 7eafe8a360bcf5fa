import type { Stores } from '@medzen/core';
import { sqlStores } from '@medzen/sql';
import { type PrismaLike, type PrismaWireOptions, prismaWire } from './prisma-wire.ts';

/**
 * Every store, over Prisma: `sqlStores` over {@link prismaWire}, with its options.
 *
 * @param prisma - the client; or the one inside an interactive transaction (with `root`), and then its changes and their events
 * commit with the host's
 * @throws MedzenError `invalid_configuration` when the schema's name is not a plain one
 * @example
 * ```ts
 * import { type PrismaLike, prismaStores } from '@medzen/adapters-prisma';
 * async function seen(prisma: PrismaLike, patient: string): Promise<number> {
 *   const { audit } = prismaStores(prisma); // your PrismaClient
 *   const { events } = await audit.search({ tenant: 'default' }, { patient });
 *   return events.length;
 * }
 * ```
 */
export function prismaStores(prisma: PrismaLike, options: PrismaWireOptions = {}): Stores {
  return sqlStores(prismaWire(prisma, options));
}
