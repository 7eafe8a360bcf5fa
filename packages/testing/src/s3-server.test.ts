import { afterAll, beforeAll, describe, test } from 'vitest';
import { createS3CaseContext } from './s3-server/cases/case-context.fixture.ts';
import { s3ServerCases } from './s3-server/cases.fixture.ts';
import { createS3Server, type S3Server } from './s3-server.ts';

describe('the strict S3 server', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await createS3Server();
  });
  afterAll(() => server.close());

  for (const [index, one] of s3ServerCases.entries()) {
    test(`${one.id}: ${one.title}`, async () => {
      await one.run(await createS3CaseContext(server, `case-${index}`));
    });
  }
});
