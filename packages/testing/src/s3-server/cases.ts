import type { S3ServerCase } from './cases/case-context.ts';
import { chunkedCases } from './cases/chunked-cases.ts';
import { listingCases } from './cases/listing-cases.ts';
import { lockCases } from './cases/lock-cases.ts';
import { multipartCases } from './cases/multipart-cases.ts';
import { objectCases } from './cases/object-cases.ts';
import { signatureCases } from './cases/signature-cases.ts';
import { taggingCases } from './cases/tagging-cases.ts';

/** The S3 protocol as data: the same cases run against the strict server and against a real one. */
export const s3ServerCases: readonly S3ServerCase[] = [
  ...signatureCases,
  ...chunkedCases,
  ...objectCases,
  ...listingCases,
  ...multipartCases,
  ...lockCases,
  ...taggingCases,
];
