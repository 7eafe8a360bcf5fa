import { checkInstallation } from '@medzen/sql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { putStores } from '../../../test/put-stores.ts';
import { prismaStores } from './index.ts';
import { type HostClient, hostClient } from './prisma-client.fixture.ts';
import { prismaContexts } from './prisma-contexts.fixture.ts';

putStores('Prisma', await prismaContexts());

describe('prismaStores', () => {
  const scope = { tenant: 'clinic-a' };
  let db: FreshDatabase;
  let prisma: HostClient;
  beforeAll(async () => {
    db = await freshDatabase();
    prisma = await hostClient(db.url);
  }, 120_000);
  afterAll(async () => {
    await prisma.$disconnect();
    await db.drop();
  });

  test('are checked by checkInstallation, which finds what is missing through them', async () => {
    const ids = async (): Promise<readonly string[]> =>
      (await checkInstallation(prismaStores(prisma))).findings.map(({ id }) => id);
    expect(await ids()).toEqual(expect.arrayContaining(['role.owner', 'pool.shared']));
    expect(await ids()).not.toContain('ledger.missing');
    await db.pool.query("DELETE FROM medzen.migration WHERE id LIKE '000018%'");
    expect(await ids()).toContain('ledger.missing');
    expect((await checkInstallation(prismaStores(prisma))).ok).toBe(false);
    expect((await checkInstallation(prismaStores(prisma, { schema: 'nowhere' }))).ok).toBe(false);
  });

  test('end their calls with the signal that they were given', async () => {
    const stop = new AbortController();
    const { audit } = prismaStores(prisma, { signal: stop.signal });
    stop.abort(new Error('the client went away'));
    await expect(audit.search(scope, {})).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
