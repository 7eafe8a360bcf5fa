import type { Stores } from '@medzen/core';
import type { StoreContext } from '@medzen/testing';
import { freshDatabase } from '../../../test/postgres.ts';
import { severableProxy } from '../../../test/severable-proxy.ts';
import { type SqlContexts, sharedContext } from '../../../test/sql-contexts.ts';
import { prismaStores, prismaWire } from './index.ts';
import { hostClient, openTransaction } from './prisma-client.fixture.ts';

/** Over Prisma and the run's real Postgres, through a proxy that can be cut. Every capability. */
export async function prismaContexts(): Promise<SqlContexts> {
  const db = await freshDatabase({ test: true });
  const url = new URL(db.url);
  const proxy = await severableProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const owner = await db.connect();
  return {
    async create(): Promise<StoreContext<keyof Stores>> {
      const prisma = await hostClient(url.href);
      const root = prismaWire(prisma);
      return {
        ...(await sharedContext(owner)),
        stores: prismaStores(prisma),
        async transaction() {
          const { tx, commit, rollback } = await openTransaction(prisma);
          return { stores: prismaStores(tx, { root }), commit, rollback };
        },
        async outage() {
          proxy.sever();
          return async () => proxy.mend();
        },
        dispose: () => prisma.$disconnect(),
      };
    },
    async close() {
      await db.drop();
      await proxy.close();
    },
  };
}
