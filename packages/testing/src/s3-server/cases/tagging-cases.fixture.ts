import assert from 'node:assert/strict';
import { GetObjectTaggingCommand, PutObjectCommand, PutObjectTaggingCommand } from '@aws-sdk/client-s3';
import type { S3ServerCase } from './case-context.fixture.ts';

/** Tags of versions. */
export const taggingCases: readonly S3ServerCase[] = [
  {
    id: 's3.tagging.version',
    title: 'tags belong to one version',
    requires: [],
    run: async ({ client, bucket }) => {
      const one = await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: '1' }));
      const two = await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: '2' }));
      const at = { Bucket: bucket, Key: 'a', VersionId: one.VersionId };
      const TagSet = [{ Key: 'sha256', Value: 'ab12' }];
      await client.send(new PutObjectTaggingCommand({ ...at, Tagging: { TagSet } }));
      assert.deepEqual((await client.send(new GetObjectTaggingCommand(at))).TagSet, TagSet);
      const other = await client.send(new GetObjectTaggingCommand({ ...at, VersionId: two.VersionId }));
      assert.deepEqual(other.TagSet ?? [], []);
    },
  },
];
