import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import type * as Generator from '@prisma/client-generator-ts';
import type * as Internals from '@prisma/internals';
import { PrismaPg as PrismaPg6 } from 'prisma-adapter-pg-6';
import type { PrismaLike } from './prisma-wire.ts';

/** The schema of a host, as small as can be. */
const hostModels = `
model Patient {
  id   String @id
  name String

  @@map("patient")
}
`;

/** What the host's own tables are, which Prisma does not create here. */
export const hostSql = 'CREATE TABLE patient (id text PRIMARY KEY, name text NOT NULL)';

/** The part of the generated client that the tests use; the whole is put to the compiler in `prisma-types.test.ts`. */
export interface HostTransactionClient extends PrismaLike {
  readonly patient: {
    create(args: { data: { id: string; name: string } }): PromiseLike<unknown>;
    findMany(): PromiseLike<{ id: string; name: string }[]>;
  };
}

/** The client itself. */
export interface HostClient extends HostTransactionClient {
  $transaction<T>(
    work: (tx: HostTransactionClient) => Promise<T>,
    options?: { timeout?: number; maxWait?: number },
  ): Promise<T>;
  $connect(): Promise<void>;
  $extends(extension: { name: string }): HostClient;
  $disconnect(): Promise<void>;
}

/** A client of the generated class on its own pool. */
export function hostClient(connectionString: string, max = 12, major: 6 | 7 = 7): Promise<HostClient> {
  return openClient<HostClient>(hostModels, connectionString, { max, major });
}

/**
 * A client of these models, on its own pool.
 *
 * @param options - connections, and what Prisma's constructor takes
 */
export async function openClient<Client>(
  models: string,
  connectionString: string,
  options: { readonly max?: number; readonly omit?: object; readonly major?: 6 | 7 } = {},
): Promise<Client> {
  const { max = 12, major = 7, ...others } = options;
  const Adapter = major === 6 ? PrismaPg6 : PrismaPg;
  const { PrismaClient } = (await import(join(await generatedClient(models, major), 'client.ts'))) as {
    PrismaClient: new (
      options: object,
    ) => Client; // generated: not there when this is compiled
  };
  return new PrismaClient({
    ...others,
    adapter: new Adapter({ connectionString, max }, { onPoolError: () => undefined }),
  });
}

const require = createRequire(import.meta.url); // their ESM builds do not resolve in Node

/** The packages of one major version. */
const packagesOf = {
  7: () => ({
    client: '@prisma/client',
    about: require('@prisma/client/package.json') as { version: string },
    generator: require('@prisma/client-generator-ts') as typeof Generator,
    internals: require('@prisma/internals') as typeof Internals,
  }),
  6: () => ({
    client: 'prisma-client-6',
    about: require('prisma-client-6/package.json') as { version: string },
    generator: require('prisma-client-generator-ts-6') as typeof Generator,
    internals: require('prisma-internals-6') as typeof Internals,
  }),
};

/**
 * The folder of the generated client, which is made when it is not there (by the parts of `prisma generate` that need neither an
 * engine nor the network), whichever worker comes first.
 *
 * @param models - of the Prisma schema, without generator and datasource
 */
export async function generatedClient(models: string = hostModels, major: 6 | 7 = 7): Promise<string> {
  const home = fileURLToPath(new URL('../.generated/', import.meta.url));
  const {
    client,
    about: { version },
    generator: { PrismaClientTsGenerator },
    internals: { getConfig, getDMMF },
  } = packagesOf[major]();
  const schema = `
generator client {
  provider               = "prisma-client"
  output                 = "./client"
  generatedFileExtension = "ts"
  importFileExtension    = "ts"
  ${major === 6 ? 'engineType = "client"' : ''}
}

datasource db {
  provider = "postgresql"
  ${major === 6 ? 'url = "postgresql://unused"' : ''}
  ${models.includes('@@schema') ? 'schemas = ["medzen", "public"]' : ''}
}
${models}`;
  const digest = createHash('sha256').update(`${version}\n${schema}`).digest('hex').slice(0, 16);
  const folder = join(home, digest, 'client');
  if (existsSync(folder)) return folder;

  const making = join(home, randomUUID());
  await mkdir(making, { recursive: true });
  const schemaPath = join(making, 'schema.prisma');
  const datamodel: [string, string][] = [[schemaPath, schema]];
  const { generators, datasources } = await getConfig({ datamodel });
  const [generator] = generators;
  if (generator === undefined) throw new Error('The schema names no generator');
  await new PrismaClientTsGenerator().generate({
    generator: { ...generator, output: { fromEnvVar: null, value: join(making, 'client') } },
    otherGenerators: [],
    schemaPath,
    datamodel: schema,
    dmmf: await getDMMF({ datamodel }),
    datasources,
    version,
    ...(major === 6 ? { binaryPaths: {} } : {}), // none is wanted, but 6 looks
  });
  if (major === 6) await importFrom(client, join(making, 'client'));
  await rename(making, join(home, digest)).catch(async (error: unknown) => {
    await rm(making, { recursive: true });
    if (!existsSync(folder)) throw error; // otherwise another worker was first
  });
  return folder;
}

/** What is generated imports the runtime by its own name, which here is another version's. */
async function importFrom(name: string, folder: string): Promise<void> {
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!file.name.endsWith('.ts')) continue;
    const path = join(file.parentPath, file.name);
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replaceAll('@prisma/client/', `${name}/`));
  }
}

/** Prisma hands a transaction to a callback; this holds the callback open until the host decides. */
export async function openTransaction(prisma: HostClient): Promise<{
  tx: HostTransactionClient;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}> {
  const opened = Promise.withResolvers<HostTransactionClient>();
  const decided = Promise.withResolvers<void>();
  const done = prisma.$transaction(
    async (tx) => {
      opened.resolve(tx);
      await decided.promise;
    },
    { timeout: 60_000, maxWait: 60_000 },
  );
  done.catch(opened.reject);
  return {
    tx: await opened.promise,
    async commit() {
      decided.resolve();
      await done;
    },
    async rollback() {
      decided.reject(new Error('rolled back by the host'));
      await done.catch(() => undefined);
    },
  };
}
