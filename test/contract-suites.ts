import {
  auditStoreCases,
  brokenAuditStores,
  brokenConsentStores,
  brokenCursorStores,
  brokenIdentityStores,
  brokenLogStores,
  brokenRateLimitStores,
  brokenRecordingStores,
  brokenReviewStores,
  brokenWires,
  consentStoreCases,
  cursorStoreCases,
  identityStoreCases,
  logStoreCases,
  objectStoreCases,
  rateLimitStoreCases,
  recordingStoreCases,
  reviewStoreCases,
  wireCases,
} from '@medzen/testing';

/** A contract suite, by the ids of what it holds. */
export interface ContractSuite {
  readonly name: string;
  readonly cases: readonly { readonly id: string; readonly requires: readonly string[] }[];
  readonly broken: readonly { readonly id: string }[];
}

/** Where a suite is run: what it lacks, and so may leave out. */
export interface Carrier {
  readonly name: CarrierName;
  readonly carries: 'stores' | 'objects';
  /** Capabilities that cases of the store suites may ask for in vain. */
  readonly lacks: readonly string[];
  /** The same for the wire suite; absent where there is no wire. */
  readonly wireLacks?: readonly string[];
}

/** What a describe block names in its `meta`, so that the results tell where a case ran. */
export type CarrierName =
  | 'memory'
  | 'PGlite'
  | 'pg'
  | 'postgres.js'
  | 'Neon stand-in'
  | 'Prisma'
  | 'Supabase stand-in'
  | 'memory objects'
  | 'disk'
  | 'S3 stand-in'
  | 'Supabase Storage stand-in';

declare module 'vitest' {
  interface TaskMeta {
    carrier?: CarrierName;
  }
}

/** Every suite of `@medzen/testing`; `scripts/contract-table.ts` fails when one is missing here. */
export const storeSuites: readonly ContractSuite[] = [
  { name: 'audit', cases: auditStoreCases, broken: brokenAuditStores },
  { name: 'log', cases: logStoreCases, broken: brokenLogStores },
  { name: 'cursors', cases: cursorStoreCases, broken: brokenCursorStores },
  { name: 'reviews', cases: reviewStoreCases, broken: brokenReviewStores },
  { name: 'identities', cases: identityStoreCases, broken: brokenIdentityStores },
  { name: 'consents', cases: consentStoreCases, broken: brokenConsentStores },
  { name: 'recordings', cases: recordingStoreCases, broken: brokenRecordingStores },
  { name: 'limits', cases: rateLimitStoreCases, broken: brokenRateLimitStores },
];

/** The suite of the wires themselves. */
export const wireSuite: ContractSuite = { name: 'wire', cases: wireCases, broken: brokenWires };

/** The suite of object stores. Its broken stores are not put to every one of them. */
export const objectSuite: ContractSuite = { name: 'objects', cases: objectStoreCases, broken: [] };

/** Every carrier; each must run every suite that concerns it. */
export const carriers: readonly Carrier[] = [
  // One thread, no host transactions and nothing that could be down: what else a case may ask for, only a database has.
  { name: 'memory', carries: 'stores', lacks: ['concurrency', 'host-transaction', 'outage'] },
  {
    name: 'PGlite',
    carries: 'stores',
    lacks: ['concurrency', 'outage'],
    wireLacks: ['concurrency', 'deadline', 'cancel', 'reserve'],
  },
  { name: 'pg', carries: 'stores', lacks: [], wireLacks: [] },
  { name: 'postgres.js', carries: 'stores', lacks: [], wireLacks: ['one-connection'] },
  // Each call is a request and a transaction of its own.
  {
    name: 'Neon stand-in',
    carries: 'stores',
    lacks: ['host-transaction'],
    wireLacks: ['host-transaction', 'one-connection', 'cancel', 'reserve'],
  },
  { name: 'Prisma', carries: 'stores', lacks: [], wireLacks: ['one-connection', 'cancel'] },
  {
    // Its service_role does not own the tables.
    name: 'Supabase stand-in',
    carries: 'stores',
    lacks: ['host-transaction', 'owner'],
    wireLacks: ['host-transaction', 'concurrency', 'one-connection', 'cancel', 'reserve'],
  },
  { name: 'memory objects', carries: 'objects', lacks: ['unfinished-uploads'] },
  { name: 'disk', carries: 'objects', lacks: ['object-lock', 'lock-heads'] },
  { name: 'S3 stand-in', carries: 'objects', lacks: [] },
  {
    name: 'Supabase Storage stand-in',
    carries: 'objects',
    lacks: ['conditional-put', 'delete-markers', 'link-headers', 'lock-heads'],
  },
];

/** What the stores over a carrier offer: all that a case may ask for, but what the carrier lacks. */
export function capabilitiesOf(name: CarrierName): readonly string[] {
  const carrier = carriers.find((one) => one.name === name);
  const all = new Set(storeSuites.flatMap(({ cases }) => cases.flatMap(({ requires }) => requires)));
  return [...all].filter((one) => carrier?.lacks.includes(one) !== true);
}
