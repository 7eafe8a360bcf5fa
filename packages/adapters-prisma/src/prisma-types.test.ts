import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { generatedClient } from './prisma-client.fixture.ts';

/** What a host writes, put to the compiler with its generated client: there is none when this file is compiled. */
const host = (client: string): string => `
import { prismaStores, prismaWire } from '@medzen/adapters-prisma';
import { PrismaPg } from '@prisma/adapter-pg';
import { Prisma, PrismaClient } from '${client}';

const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: 'postgres://' }) });
const root = prismaWire(prisma, { schema: 'medzen' });
export const whole = prismaStores(prisma);
const extended = prisma.$extends({ name: 'x', model: { patient: { async all() { return []; } } } });
export const byExtended = prismaStores(extended);
export const inside = async (): Promise<void> => {
  await prisma.$transaction(async (tx) => {
    await tx.patient.create({ data: { id: 'p1', name: 'Someone' } });
    await prismaStores(tx, { root }).audit.append({ tenant: 'default' }, []);
    const named: Prisma.TransactionClient = tx;
    await prismaWire(named, { root }).call('read_clock', {});
  }, { timeout: 10_000 });
  await extended.$transaction(async (tx) => { prismaWire(tx, { root }); });
};
// @ts-expect-error a model is no client
prismaWire(prisma.patient);
// @ts-expect-error the root is a wire
prismaWire(prisma, { root: prisma });
`;

test('takes the clients that Prisma 7 generates, extended ones and those inside a transaction', async () => {
  const client = await generatedClient();
  const dir = fileURLToPath(new URL('../.generated/types/', import.meta.url));
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'host.ts'), host(relative(dir, join(client, 'client.ts'))));
  const config = {
    extends: '../../../../tsconfig.json',
    compilerOptions: { isolatedDeclarations: false },
    include: ['*.ts'],
  };
  await writeFile(join(dir, 'tsconfig.json'), JSON.stringify(config));
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', dir], { encoding: 'utf8' });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});
