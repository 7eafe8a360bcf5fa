/**
 * Reads the results of a whole test run and prints which contract suite passed on which wire, and what was left out for which
 * missing capability. Fails when a suite did not run where it should, when a case is missing, failed, or was skipped for any other
 * reason than a capability that the wire is declared to lack (test/contract-suites.ts).
 *
 *   node scripts/contract-table.ts [.tmp/test-results.json]
 */
import { readFileSync } from 'node:fs';
import * as testing from '@medzen/testing';
import {
  type Carrier,
  type ContractSuite,
  carriers,
  objectSuite,
  storeSuites,
  wireSuite,
} from '../test/contract-suites.ts';

/** What vitest's JSON reporter writes, as far as it is read here. */
interface Results {
  readonly testResults: readonly { readonly assertionResults: readonly Result[] }[];
}

interface Result {
  readonly title: string;
  readonly status: string;
  readonly meta?: { readonly carrier?: string };
}

/** What became of one case, or of one broken store, on one carrier: the best of its settings, unless one of them failed. */
type Outcome = 'passed' | 'failed' | readonly string[];

/** One suite on one carrier. */
interface Cell {
  readonly text: string;
  readonly faults: readonly string[];
}

const { testResults } = JSON.parse(readFileSync(process.argv[2] ?? '.tmp/test-results.json', 'utf8')) as Results; // of our own run
const results = testResults.flatMap(({ assertionResults }) => assertionResults);

function outcomes(carrier: string): Map<string, Outcome> {
  const found = new Map<string, Outcome>();
  for (const { title, status } of results.filter(({ meta }) => meta?.carrier === carrier)) {
    const [id = title] = title.split(': ', 1);
    const before = found.get(id);
    if (before === 'failed') continue;
    if (status === 'passed') found.set(id, 'passed');
    else if (status === 'failed') found.set(id, 'failed');
    else if (before !== 'passed') found.set(id, / \(needs ([^)]+)\)$/.exec(title)?.[1]?.split(', ') ?? []);
  }
  return found;
}

function cellOf(
  suite: string,
  ids: readonly string[],
  found: ReadonlyMap<string, Outcome>,
  lacks: readonly string[],
  where: string,
): Cell {
  if (!ids.some((id) => found.has(id))) return { text: 'none', faults: [`no case of ${suite} ran on ${where}`] };
  const faults: string[] = [];
  let passed = 0;
  let skipped = 0;
  for (const id of ids) {
    const outcome = found.get(id);
    if (outcome === 'passed') passed++;
    else if (outcome === 'failed') faults.push(`${id} failed on ${where}`);
    else if (outcome === undefined) faults.push(`${id} did not run on ${where}`);
    else if (outcome.length === 0 || outcome.some((one) => !lacks.includes(one)))
      faults.push(`${id} was skipped on ${where} for no declared reason (${outcome.join(', ') || 'none given'})`);
    else skipped++;
  }
  return { text: skipped === 0 ? String(passed) : `${passed} (${skipped})`, faults };
}

function print(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): void {
  const all = [['', ...columns], ...rows];
  const widths = all[0]?.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0))) ?? [];
  console.log(`\n${title}`);
  for (const row of all)
    console.log(
      `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')}`,
    );
}

const faults: string[] = [];
let cells = 0;

function table(
  title: string,
  columns: readonly Carrier[],
  suites: readonly ContractSuite[],
  part: 'cases' | 'broken',
): void {
  const rows = suites.map((suite) => [
    suite.name,
    ...columns.map((carrier) => {
      const lacks = suite === wireSuite ? carrier.wireLacks : carrier.lacks;
      if (lacks === undefined) return '–';
      const ids = suite[part].map(({ id }) => id);
      const cell = cellOf(suite.name, ids, outcomes(carrier.name), lacks, carrier.name);
      cells++;
      faults.push(...cell.faults);
      return cell.text;
    }),
  ]);
  print(
    title,
    columns.map(({ name }) => name),
    rows,
  );
}

const ofStores = carriers.filter(({ carries }) => carries === 'stores');
table('cases passed, by suite and wire (left out)', ofStores, [...storeSuites, wireSuite], 'cases');
table('broken stores and wires noticed (left out)', ofStores, [...storeSuites, wireSuite], 'broken');
table(
  'cases passed, by object store (left out)',
  carriers.filter(({ carries }) => carries === 'objects'),
  [objectSuite],
  'cases',
);

console.log('\nleft out, because it has no');
for (const { name, lacks, wireLacks = [] } of carriers) {
  const missing = [...new Set([...lacks, ...wireLacks])];
  if (missing.length > 0) console.log(`  ${name}: ${missing.join(', ')}`);
}

const known = [...storeSuites, wireSuite, objectSuite].map(({ cases }) => cases as unknown); // compared by identity only
for (const [name, value] of Object.entries(testing))
  if (name.endsWith('Cases') && Array.isArray(value) && !known.includes(value))
    faults.push(`${name} is a suite that the table does not know`);
for (const { meta } of results)
  if (meta?.carrier !== undefined && !carriers.some(({ name }) => name === meta.carrier))
    faults.push(`${meta.carrier} is a wire that the table does not know`);

console.log('');
for (const fault of new Set(faults)) console.log(`  FAIL  ${fault}`);
console.log(
  `contract table: ${cells} suites on wires; ${faults.length === 0 ? '1 passed, 0 failed' : '0 passed, 1 failed'}`,
);
process.exitCode = faults.length === 0 ? 0 : 1;
