/**
 * Runs the S3 protocol cases against a real server (Ceph's radosgw): what the strict test server accepts and refuses is
 * only worth something if a real one agrees. Where radosgw is known to differ from AWS, the case needs a capability that
 * is not declared below, and the skip is counted with its reason.
 *
 *   S3_ENDPOINT=http://127.0.0.1:7480 S3_ACCESS=… S3_SECRET=… node scripts/radosgw-cases.ts
 */

import { s3StoreContext } from '../packages/recording/src/s3/object-store-context.fixture.ts';
import { presignCases } from '../packages/recording/src/storage/presign-cases.fixture.ts';
import { objectStoreCases } from '../packages/testing/src/object-store-cases.ts';
import { createS3CaseContext, type S3Target } from '../packages/testing/src/s3-server/cases/case-context.fixture.ts';
import { s3ServerCases } from '../packages/testing/src/s3-server/cases.fixture.ts';

/** What radosgw 16 lacks, and what it does instead. */
const lacking: Readonly<Record<string, string>> = {
  'region-checked': 'radosgw takes a signature for any region',
  'unsigned-headers-refused': 'radosgw ignores x-amz headers that were not signed instead of refusing them',
  'future-links-refused': 'radosgw does not look whether a link is dated ahead',
  'put-checksums': 'radosgw 16 knows no x-amz-checksum headers',
  'streaming-trailer': 'radosgw 16 knows no chunked trailers',
  'conditional-put': 'radosgw 16 does not apply conditions to writes in versioned buckets',
  'sse-s3': 'radosgw encrypts with AES256 only when started with a key of its own',
  'default-encryption': 'radosgw 16 has no default encryption',
  'delete-marker-headers': 'radosgw answers 404 without x-amz-delete-marker where AWS answers 405 or names the marker',
  'version-marker-checked': 'radosgw takes a version marker without a key marker',
  'strict-multi-delete': 'radosgw takes a multi-delete of no keys or without a digest, and refuses without a code',
  'aws-error-codes': 'radosgw says NoSuchKey where AWS says NoSuchVersion',
  'movable-clock': 'the clock of a real server cannot be moved; presign.expired shows the same with a link of the past',
  outage: 'the server is shared by all cases and stays up',
  'part-order-checked': 'radosgw 16 takes parts in any order',
};

const { S3_ENDPOINT: endpoint, S3_ACCESS: accessKeyId, S3_SECRET: secretAccessKey } = process.env;
if (endpoint === undefined || accessKeyId === undefined || secretAccessKey === undefined) {
  console.error('S3_ENDPOINT, S3_ACCESS and S3_SECRET must name a running S3 server.');
  process.exit(2);
}
/** The name of a key that the server can encrypt with. */
const kmsKey = process.env.S3_KMS_KEY ?? 'testkey-1';
const target: S3Target = {
  endpoint,
  region: process.env.S3_REGION ?? 'us-east-1',
  credentials: { accessKeyId, secretAccessKey },
};

/** Runs one suite, a line a case. */
interface Suite {
  readonly id: string;
  readonly title: string;
  readonly requires: readonly string[];
  run(bucket: string): Promise<void>;
}

const suites: readonly Suite[] = [
  ...[...s3ServerCases, ...presignCases].map((one) => ({
    ...one,
    run: async (bucket: string) => one.run(await createS3CaseContext(target, bucket)),
  })),
  ...objectStoreCases.map((one) => ({
    ...one,
    run: async (bucket: string) =>
      one.run(
        await s3StoreContext({
          config: { endpoint: target.endpoint, region: target.region, credentials: target.credentials },
          bucket,
          objectLock: one.requires.includes('object-lock'),
          encryption: { algorithm: 'aws:kms', keyId: kmsKey },
        }),
      ),
  })),
];

const prefix = `case-${Date.now().toString(36)}`;
let passed = 0;
let failed = 0;
let skipped = 0;
for (const [index, one] of suites.entries()) {
  const missing = one.requires.find((capability) => capability in lacking);
  if (missing !== undefined) {
    skipped += 1;
    console.log(`skip  ${one.id}: ${lacking[missing]}`);
    continue;
  }
  try {
    await one.run(`${prefix}-${index}`);
    passed += 1;
    console.log(`pass  ${one.id}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${one.id}: ${one.title}\n      ${error instanceof Error ? error.message : String(error)}`);
  }
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
