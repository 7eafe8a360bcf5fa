import { type SqlStores, type SqlStoresOptions, sqlStores } from '@medzen/sql';
import { type PrismaLike, type PrismaWireOptions, prismaWire } from './prisma-wire.ts';

/** Options of the stores: those of the wire, and a signal that ends the calls. */
export interface PrismaStoresOptions extends PrismaWireOptions, SqlStoresOptions {}

/**
 * Every store, over Prisma: `sqlStores` over {@link prismaWire}, with the options of both. `checkInstallation` takes them.
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
export function prismaStores(prisma: PrismaLike, options: PrismaStoresOptions = {}): SqlStores {
  const { signal, ...wire } = options;
  return sqlStores(prismaWire(prisma, wire), signal === undefined ? {} : { signal });
}
