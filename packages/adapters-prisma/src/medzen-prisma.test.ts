import { readFileSync } from 'node:fs';
import { draftEvent, openEvent, sealEvent } from '@medzen/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/postgres.ts';
import { migrations } from '../../sql/src/migrations.generated.ts';
import { prismaStores } from './index.ts';
import { generatedClient, openClient } from './prisma-client.fixture.ts';
import type { PrismaLike } from './prisma-wire.ts';
import { schemaEngine } from './schema-engine.fixture.ts';

/** The file as it is shipped, beside a model of the host's. */
const models = `${readFileSync(new URL('../../sql/prisma/medzen.prisma', import.meta.url), 'utf8')}
model Patient {
  id String @id

  @@map("patient")
  @@schema("public")
}
`;
const schema = `
generator client {
  provider = "prisma-client"
  output   = "./client"
}

datasource db {
  provider = "postgresql"
  schemas  = ["public", "medzen"]
}
${models}`;

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
  await db.pool.query('CREATE TABLE patient (id text PRIMARY KEY)');
});
afterAll(() => db.drop());

describe('medzen.prisma', () => {
  test('says what is in the database: `prisma migrate dev` would change nothing of it', async () => {
    const engine = await schemaEngine(db.url, schema);
    expect(await engine.drift(schema)).toMatch(/^(\s*--[^\n]*)?\s*$/);
  }, 60_000);

  test('is one that an unlisted table would be missed in', async () => {
    await db.pool.query('CREATE TABLE medzen.later (id int PRIMARY KEY)');
    const engine = await schemaEngine(db.url, schema);
    expect(await engine.drift(schema)).toContain('DROP TABLE "medzen"."later"');
    await db.pool.query('DROP TABLE medzen.later');
  }, 60_000);

  test('does not know our partial indexes, which Prisma then leaves alone, unless its preview feature sees them', async () => {
    const seeing = schema.replace('output ', 'previewFeatures = ["partialIndexes"]\n  output ');
    const engine = await schemaEngine(db.url, seeing);
    const drift = await engine.drift(seeing);
    expect(drift).toContain('DROP INDEX "medzen"."recording_live_session"');
    expect(drift).not.toMatch(/TABLE/);
  }, 60_000);

  test.each([7, 6] as const)(
    'is a schema that Prisma %i generates a client from, which reads the tables',
    async (major) => {
      interface Client extends PrismaLike {
        readonly medzenAuditEvent: {
          findMany(args: object): Promise<{ body: Uint8Array; action: string; targetType: string }[]>;
        };
        readonly medzenRecording: { findMany(args: object): Promise<unknown[]> };
        $disconnect(): Promise<void>;
      }
      const prisma = await openClient<Client>(models, db.url, { major });
      const scope = { tenant: `clinic-${major}` };
      const ctx = { scope, actor: { id: 'u', type: 'user', roles: [], tenant: scope.tenant }, source: {} } as const;
      const event = sealEvent(
        draftEvent(
          { action: 'a.b', kind: 'read', outcome: 'success', patient: 'p1', target: { type: 't', id: '1' } },
          ctx,
        ),
      );
      await prismaStores(prisma).audit.append(scope, [event]);
      const found = await prisma.medzenAuditEvent.findMany({ where: { tenant: scope.tenant, patient: 'p1' } });
      expect(found).toMatchObject([{ action: 'a.b', targetType: 't' }]);
      expect(openEvent(found[0]?.body ?? new Uint8Array())).toMatchObject({ id: event.id });
      const nested = { include: { recordingParticipant: true, retentionSubject: { include: { legalHold: true } } } };
      expect(await prisma.medzenRecording.findMany(nested)).toEqual([]);
      expect(Object.keys(prisma)).not.toContain('medzenAuditHead');
      await prisma.$disconnect();
      expect(await generatedClient(models, major)).toContain('.generated');
    },
  );
});

test('a folder of prisma/migrations takes our migrations as they are, each one script, and knows them again', async () => {
  const bare = await freshDatabase({ install: false });
  const folders = migrations.map(({ id, sql }) => ({ name: `20261122${id.slice(0, 6)}_medzen_${id.slice(7)}`, sql }));
  const engine = await schemaEngine(bare.url);
  expect(await engine.deploy(folders)).toEqual(folders.map(({ name }) => name));
  expect(await engine.deploy(folders)).toEqual([]);
  const { rows } = await bare.pool.query('SELECT id, checksum FROM medzen.migration ORDER BY id COLLATE "C"');
  expect(rows).toEqual(migrations.map(({ id, checksum }) => ({ id, checksum })));
  await bare.drop();
}, 60_000);
