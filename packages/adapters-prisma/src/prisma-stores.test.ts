import { sealEvent } from '@medzen/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { putStores } from '../../../test/put-stores.ts';
import { prismaStores, prismaWire } from './index.ts';
import { type HostClient, hostClient, hostSql } from './prisma-client.fixture.ts';
import { prismaContexts } from './prisma-contexts.fixture.ts';

putStores('Prisma', await prismaContexts());

describe("a host's interactive transaction", () => {
  let db: FreshDatabase;
  let prisma: HostClient;
  beforeAll(async () => {
    db = await freshDatabase();
    await db.pool.query(hostSql);
    prisma = await hostClient(db.url);
  });
  afterAll(async () => {
    await prisma.$disconnect();
    await db.drop();
  });

  const scope = { tenant: 'clinic-a' };
  const event = (patient: string, kind: 'create' | 'read') =>
    sealEvent({
      tenant: scope.tenant,
      action: `patient.${kind}`,
      kind,
      outcome: 'success',
      actor: { id: 'dr-1', type: 'user' },
      patient,
      source: {},
    });

  /** The host's own write, the event of it, and one of a read that holds whatever happens; then the end that the test wants. */
  function admit(id: string, end: () => Promise<void>): { done: Promise<void>; change: string; read: string } {
    const root = prismaWire(prisma);
    const [change, read] = [event(id, 'create'), event(id, 'read')];
    const done = prisma.$transaction(async (tx) => {
      const { audit } = prismaStores(tx, { root });
      await tx.patient.create({ data: { id, name: 'Someone' } });
      expect(await audit.append(scope, [change])).toEqual({ status: 'pending-commit' });
      await audit.append(scope, [read], { durability: 'independent' });
      await end();
    });
    return { done, change: change.id, read: read.id };
  }

  async function found(patient: string): Promise<{ rows: number; events: string[] }> {
    const { events } = await prismaStores(prisma).audit.search(scope, { patient });
    const rows = (await prisma.patient.findMany()).filter(({ id }) => id === patient).length;
    return { rows, events: events.map(({ id }) => id).sort() };
  }

  test('that commits leaves the business row and its event', async () => {
    const { done, change, read } = admit('p-commit', async () => undefined);
    await done;
    expect(await found('p-commit')).toEqual({ rows: 1, events: [change, read].sort() });
  });

  test('that rolls back leaves neither, and keeps the event of the read', async () => {
    const { done, read } = admit('p-rollback', () => Promise.reject(new Error('the host thinks better of it')));
    await expect(done).rejects.toThrow('thinks better');
    expect(await found('p-rollback')).toEqual({ rows: 0, events: [read] });
  });
});
