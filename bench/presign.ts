import { hash } from 'node:crypto';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { AwsV4Signer } from 'aws4fetch';
import { presignGetUrl } from '../packages/recording/src/storage/presign-get-url.ts';
import { type Bench, type BenchRow, interleave, median, spread } from './row.ts';

// Presigned GET URLs per CPU-second. The limit is one SHA-256 and one HMAC over bytes of the same length, each in the
// fastest form that Node has: an HMAC as two one-shot hashes over prepared blocks, since createHmac is ten times slower.

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const region = 'eu-west-1';
const bucket = 'recordings';
const key = (i: number) => `default/2026/11/0193504e-8a7c-7bd0-9c0e-${i}/video.webm`;

/** Calls a second of CPU, user and system. */
async function perCpuSecond(times: number, call: (i: number) => unknown): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) await call(i);
  return rate(times, before);
}

/** The same without a promise a call, for what is synchronous. */
function perCpuSecondSync(times: number, call: (i: number) => unknown): number {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) call(i);
  return rate(times, before);
}

function rate(times: number, before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return times / ((user + system) / 1e6);
}

function limit(): (i: number) => string {
  const sample = presignGetUrl({ bucket, key: key(0), region, credentials, expiresIn: 3600 });
  const request = `GET\n${sample.slice(sample.indexOf('.com') + 4)}\nhost:recordings.s3.eu-west-1.amazonaws.com\n\nhost\nUNSIGNED-PAYLOAD`;
  const inner = Buffer.alloc(
    64 + 'AWS4-HMAC-SHA256\n20261121T000000Z\n20261121/eu-west-1/s3/aws4_request\n'.length + 64,
    1,
  );
  const outer = Buffer.alloc(96, 1);
  return (i) => {
    inner.write(hash('sha256', request + i, 'hex'), inner.length - 64, 'latin1');
    outer.write(hash('sha256', inner, 'binary'), 64, 'latin1');
    return hash('sha256', outer, 'hex');
  };
}

async function run(): Promise<BenchRow> {
  const client = new S3Client({ region, credentials });
  const cache = new Map<string, ArrayBuffer>();
  const bare = limit();
  const figures = await interleave(
    {
      ours: () =>
        perCpuSecondSync(200_000, (i) => presignGetUrl({ bucket, key: key(i), region, credentials, expiresIn: 3600 })),
      getSignedUrl: () =>
        perCpuSecond(1_000, (i) => getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key: key(i) }))),
      aws4fetch: () =>
        perCpuSecond(5_000, (i) =>
          new AwsV4Signer({
            ...credentials,
            url: `https://${bucket}.s3.${region}.amazonaws.com/${key(i)}`,
            service: 's3',
            region,
            signQuery: true,
            cache,
          }).sign(),
        ),
      limit: () => perCpuSecondSync(200_000, bare),
    },
    5,
  );
  const { ours = [], limit: bound = [], getSignedUrl: sdk = [], aws4fetch = [] } = figures;
  return {
    id: 'presign',
    unit: 'URLs per CPU-second',
    better: 'higher',
    ours: median(ours),
    peers: { getSignedUrl: median(sdk), aws4fetch: median(aws4fetch) },
    limit: median(bound),
    spread: spread(ours),
  };
}

/** Presigned GET URLs per CPU-second. */
export const bench: Bench = { id: 'presign', run };
