import { type PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createS3Server, type S3Server } from '@medzen/testing/s3-server';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { presignCases } from './presign-cases.fixture.ts';

describe('our links against the strict server', () => {
  let server: S3Server;
  let client: S3Client;
  beforeAll(async () => {
    server = await createS3Server({ buckets: presignCases.map((_, index) => `case-${index}`) });
    client = new S3Client({ ...server, forcePathStyle: true });
  });
  afterAll(() => server.close());

  for (const [index, one] of presignCases.entries()) {
    test(`${one.id}: ${one.title}`, () =>
      one.run({
        endpoint: server.endpoint,
        region: server.region,
        credentials: server.credentials,
        bucket: `case-${index}`,
        client: { send: (command: PutObjectCommand) => client.send(command) },
      }));
  }
});
