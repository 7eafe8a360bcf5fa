import type { S3ServerCase } from './cases/case-context.fixture.ts';
import { chunkedCases } from './cases/chunked-cases.fixture.ts';
import { listingCases } from './cases/listing-cases.fixture.ts';
import { lockCases } from './cases/lock-cases.fixture.ts';
import { multipartCases } from './cases/multipart-cases.fixture.ts';
import { objectCases } from './cases/object-cases.fixture.ts';
import { signatureCases } from './cases/signature-cases.fixture.ts';
import { taggingCases } from './cases/tagging-cases.fixture.ts';

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
