import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { clinicModels } from './clinic.fixture.ts';
import { generatedClient } from './prisma-client.fixture.ts';

/** What a host writes, put to the compiler with its generated client: there is none when this file is compiled. */
const host = (client: string, adapter: string): string => `
import { type AuditedModelsOptions, auditedModels, prismaStores, prismaWire, withActor } from '@medzen/adapters-prisma';
import type { CallContext } from '@medzen/core';
import { PrismaPg } from '${adapter}';
import { Prisma, PrismaClient } from '${client}';

declare const ctx: CallContext;
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: 'postgres://' }) });
const root = prismaWire(prisma, { schema: 'medzen' });
export const whole = prismaStores(prisma);
const extended = prisma.$extends({ name: 'x', model: { patient: { async all() { return []; } } } });
export const byExtended = prismaStores(extended);
export const inside = async (): Promise<void> => {
  await prisma.$transaction(async (tx) => {
    await tx.patient.create({ data: { id: 'p1', name: 'Someone', mrn: 1 } });
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

// The audited client is, to the compiler, what the client was.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => undefined;
const options: AuditedModelsOptions = {
  models: { Patient: { patient: 'id', phi: ['name'] } },
  audit: whole.audit,
  context: () => ctx,
};
const audited = prisma.$extends(auditedModels(options));
const none = prisma.$extends({});
same<typeof audited, typeof none>(true);
export const auditedToo = extended.$extends(auditedModels(options)).patient.all();
export const rows = async (): Promise<void> => {
  const query = { where: { id: 'p1' }, select: { name: true, notes: { select: { text: true } } } } as const;
  const plain = await prisma.patient.findUniqueOrThrow(query);
  const row = await audited.patient.findUniqueOrThrow(query);
  same<typeof row, typeof plain>(true);
  same<typeof row, { name: string; notes: { text: string }[] }>(true);
  const all = await audited.patient.findMany();
  same<typeof all, Awaited<ReturnType<typeof prisma.patient.findMany>>>(true);
  // @ts-expect-error a model that is not there
  audited.person;
  // @ts-expect-error a field that is not there
  await audited.patient.findMany({ select: { surname: true } });
  await audited.$transaction(async (tx) => { await tx.patient.findMany(); prismaStores(tx, { root }); });
  const grouped = await audited.patient.groupBy({ by: ['name'], _count: true });
  const byName: { name: string; _count: number }[] = grouped;
  void byName;
};

export const written = async (): Promise<void> => {
  const made = await withActor(prisma, ctx, async (tx) => {
    const named: Prisma.TransactionClient = tx;
    prismaStores(tx, { root });
    return named.patient.update({ where: { id: 'p1' }, data: { name: 'x' } });
  }, { isolationLevel: 'Serializable', timeout: 10_000 });
  same<typeof made, Awaited<ReturnType<typeof prisma.patient.update>>>(true);
  const text = await withActor(audited, ctx, async (tx) => (await tx.patient.findFirstOrThrow()).name);
  same<typeof text, string>(true);
  await withActor(extended, ctx, async (tx) => tx.patient.all());
  // @ts-expect-error a transaction inside a transaction
  await prisma.$transaction(async (tx) => withActor(tx, ctx, async () => undefined));
  // @ts-expect-error nobody acts
  await withActor(prisma, undefined, async () => undefined);
};
`;

test.each<[major: 6 | 7, adapter: string]>([
  [7, '@prisma/adapter-pg'],
  [6, 'prisma-adapter-pg-6'],
])(
  'takes the clients that Prisma %i generates, extended ones and those inside a transaction',
  async (major, adapter) => {
    const client = await generatedClient(clinicModels, major);
    const dir = fileURLToPath(new URL(`../.generated/types-${major}/`, import.meta.url));
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'host.ts'), host(relative(dir, join(client, 'client.ts')), adapter));
    const require = createRequire(import.meta.url);
    const config = {
      extends: '../../../../tsconfig.json',
      compilerOptions: { isolatedDeclarations: false, declaration: false },
      include: ['*.ts'],
    };
    await writeFile(join(dir, 'tsconfig.json'), JSON.stringify(config));
    const { status, stdout } = spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', dir], {
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  },
  240_000, // generates a client and checks its types
);
