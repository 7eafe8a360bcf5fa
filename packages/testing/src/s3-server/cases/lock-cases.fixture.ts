import assert from 'node:assert/strict';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectLegalHoldCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { rejects, type S3ServerCase } from './case-context.fixture.ts';

const tomorrow = () => new Date(Math.floor(Date.now() / 1000) * 1000 + 86_400_000);

async function locked(client: S3Client, Bucket: string, Mode: 'GOVERNANCE' | 'COMPLIANCE') {
  const { VersionId } = await client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
  const Retention = { Mode, RetainUntilDate: tomorrow() };
  await client.send(new PutObjectRetentionCommand({ Bucket, Key: 'a', VersionId, Retention }));
  return { Bucket, Key: 'a', VersionId };
}

/** Object Lock: retention and legal hold. */
export const lockCases: readonly S3ServerCase[] = [
  {
    id: 's3.lock.hold',
    title: 'a legal hold stops the deletion of a version, and not the making of a marker',
    requires: [],
    run: async ({ client, makeBucket }) => {
      const Bucket = await makeBucket({ objectLock: true });
      const { VersionId } = await client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
      const at = { Bucket, Key: 'a', VersionId };
      await client.send(new PutObjectLegalHoldCommand({ ...at, LegalHold: { Status: 'ON' } }));
      const hold = await client.send(new GetObjectLegalHoldCommand(at));
      assert.equal(hold.LegalHold?.Status, 'ON');
      const head = await client.send(new HeadObjectCommand(at));
      assert.equal(head.ObjectLockLegalHoldStatus, 'ON');
      await rejects(client.send(new DeleteObjectCommand(at)), 403, 'AccessDenied');
      await client.send(new DeleteObjectCommand({ Bucket, Key: 'a' }));
      await client.send(new PutObjectLegalHoldCommand({ ...at, LegalHold: { Status: 'OFF' } }));
      await client.send(new DeleteObjectCommand(at));
    },
  },
  {
    id: 's3.lock.many',
    title: 'in a multi-delete the held version is an error of its own, and the others go',
    requires: [],
    run: async ({ client, makeBucket }) => {
      const Bucket = await makeBucket({ objectLock: true });
      const held = await client.send(new PutObjectCommand({ Bucket, Key: 'held', Body: 'x' }));
      const free = await client.send(new PutObjectCommand({ Bucket, Key: 'free', Body: 'x' }));
      const at = { Bucket, Key: 'held', VersionId: held.VersionId };
      await client.send(new PutObjectLegalHoldCommand({ ...at, LegalHold: { Status: 'ON' } }));
      const Objects = [
        { Key: 'held', VersionId: held.VersionId },
        { Key: 'free', VersionId: free.VersionId },
      ];
      const result = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
      assert.equal(result.$metadata.httpStatusCode, 200);
      assert.deepEqual(
        result.Errors?.map((row) => [row.Key, row.Code]),
        [['held', 'AccessDenied']],
      );
      assert.deepEqual(
        result.Deleted?.map((row) => row.Key),
        ['free'],
      );
      const left = await client.send(new ListObjectVersionsCommand({ Bucket }));
      assert.deepEqual(
        left.Versions?.map((row) => row.Key),
        ['held'],
      );
      await client.send(new PutObjectLegalHoldCommand({ ...at, LegalHold: { Status: 'OFF' } }));
    },
  },
  {
    id: 's3.lock.governance',
    title: 'governance retention yields to the bypass header and to nothing else',
    requires: [],
    run: async ({ client, makeBucket }) => {
      const at = await locked(client, await makeBucket({ objectLock: true }), 'GOVERNANCE');
      const retention = await client.send(new GetObjectRetentionCommand(at));
      assert.equal(retention.Retention?.Mode, 'GOVERNANCE');
      await rejects(client.send(new DeleteObjectCommand(at)), 403, 'AccessDenied');
      await client.send(new DeleteObjectCommand({ ...at, BypassGovernanceRetention: true }));
    },
  },
  {
    id: 's3.lock.compliance',
    title: 'compliance retention cannot be bypassed or shortened',
    requires: [],
    run: async ({ client, makeBucket }) => {
      const at = await locked(client, await makeBucket({ objectLock: true }), 'COMPLIANCE');
      const bypass = client.send(new DeleteObjectCommand({ ...at, BypassGovernanceRetention: true }));
      await rejects(bypass, 403, 'AccessDenied');
      const Retention = { Mode: 'COMPLIANCE' as const, RetainUntilDate: new Date(Date.now() + 60_000) };
      const shorter = client.send(new PutObjectRetentionCommand({ ...at, Retention }));
      await rejects(shorter, 403, 'AccessDenied');
    },
  },
  {
    id: 's3.lock.default',
    title: 'the default retention of a bucket locks every new version',
    requires: [],
    run: async ({ client, makeBucket }) => {
      const Bucket = await makeBucket({ objectLock: true });
      await client.send(
        new PutObjectLockConfigurationCommand({
          Bucket,
          ObjectLockConfiguration: {
            ObjectLockEnabled: 'Enabled',
            Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } },
          },
        }),
      );
      const { VersionId } = await client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'a' }));
      assert.equal(head.ObjectLockMode, 'GOVERNANCE');
      await rejects(client.send(new DeleteObjectCommand({ Bucket, Key: 'a', VersionId })), 403, 'AccessDenied');
    },
  },
  {
    id: 's3.lock.versioning',
    title: 'versioning cannot be suspended on a bucket with Object Lock',
    requires: [],
    run: async ({ client, makeBucket }) => {
      const Bucket = await makeBucket({ objectLock: true });
      const VersioningConfiguration = { Status: 'Suspended' as const };
      const call = client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
      await rejects(call, 409, 'InvalidBucketState');
    },
  },
  {
    id: 's3.lock.missing',
    title: 'a bucket without Object Lock takes no holds',
    requires: [],
    run: async ({ client, bucket }) => {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: 'x' }));
      const LegalHold = { Status: 'ON' as const };
      const call = client.send(new PutObjectLegalHoldCommand({ Bucket: bucket, Key: 'a', LegalHold }));
      await rejects(call, 400, 'InvalidRequest');
    },
  },
];
