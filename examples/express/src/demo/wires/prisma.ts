import { prismaStores, prismaWire } from '@medzen/adapters-prisma';
import { hostClient } from '../../../../../packages/adapters-prisma/src/prisma-client.fixture.ts';
import type { DemoDatabase } from '../demo-database.ts';
import { openServer } from './server.ts';

/**
 * The host's Prisma client. A host has run `prisma generate`; here the same generator runs in this process, so that neither the
 * command nor an engine has to be downloaded.
 */
export function openPrisma(): Promise<DemoDatabase> {
  return openServer({
    connect: async (service) => {
      const prisma = await hostClient(service);
      const root = prismaWire(prisma);
      return {
        parts: [{ what: 'the stores go through Prisma 7', value: 'a generated client, @prisma/adapter-pg' }],
        stores: prismaStores(prisma),
        transaction: (work) =>
          prisma.$transaction(async (tx) => {
            await work({
              stores: prismaStores(tx, { root }),
              addPatient: async (id, name) => {
                await tx.patient.create({ data: { id, name } });
              },
            });
          }),
        close: () => prisma.$disconnect(),
      };
    },
  });
}
