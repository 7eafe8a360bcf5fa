/**
 * Writes the law tables of the recording package as TypeScript modules and as pages of the docs, from the JSON in
 * packages/recording/data. `--check` writes nothing and fails when a file is stale or a row lacks what every row needs.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root: string = join(import.meta.dirname, '..');
const data: string = join(root, 'packages', 'recording', 'data');
const src: string = join(root, 'packages', 'recording', 'src');

interface Row {
  readonly jurisdiction: string;
  readonly citation: string;
  readonly source: string;
  readonly confidence: string;
  readonly note?: string;
}

interface RetentionRow extends Row {
  readonly id: string;
  readonly providerClass: string;
  readonly kind: string;
  readonly adultYears: number | null;
  readonly trigger: string | { readonly laterOf: readonly string[] };
  readonly minor: {
    readonly rule: string;
    readonly n: number;
    readonly combine: string;
    readonly nIfSeventeen?: number;
  } | null;
  readonly minorRuleNotSeen?: boolean;
  readonly deceased: { readonly years: number; readonly combine: string } | null;
  readonly maxYears?: number;
  readonly effective?: { readonly from?: string; readonly to?: string };
}

interface ConsentRow extends Row {
  readonly rule: string;
  readonly inPerson?: string;
  readonly electronic?: string;
  readonly official?: string;
}

interface Table<R extends Row> {
  readonly about: readonly string[];
  readonly rules: readonly R[];
}

function read<R extends Row>(name: string, key: (row: R) => string): Table<R> {
  const table = JSON.parse(readFileSync(join(data, name), 'utf8')) as Table<R>; // our own file; its rows are checked here
  const seen = new Set<string>();
  for (const row of table.rules) {
    const id = key(row);
    if (seen.has(id)) throw new Error(`${name}: ${id} is there twice`);
    seen.add(id);
    for (const member of ['jurisdiction', 'citation', 'source', 'confidence'] as const)
      if (!row[member]) throw new Error(`${name}: ${id} has no ${member}`);
    if (!['primary-seen', 'secondary-seen'].includes(row.confidence))
      throw new Error(`${name}: ${id} has another confidence than primary-seen or secondary-seen`);
  }
  return table;
}

const retention: Table<RetentionRow> = read('retention-rules.json', ({ id }) => id);
const consent: Table<ConsentRow> = read('consent-rules.json', ({ jurisdiction }) => jurisdiction);

function moduleOf(table: Table<Row>, name: string, type: string, from: string): string {
  const about = table.about.map((line) => ` * ${line}`).join('\n *\n');
  const rows = table.rules.map((row) => `  ${JSON.stringify(row)},`).join('\n');
  return [
    '// Written by scripts/law-tables.ts from packages/recording/data; do not edit.',
    `import type { ${type} } from '${from}';`,
    '',
    `/**\n${about}\n */`,
    `export const ${name}: readonly ${type}[] = [\n${rows}\n];\n`,
  ].join('\n');
}

function page(
  title: string,
  table: Table<Row>,
  head: readonly string[],
  cells: readonly (readonly string[])[],
): string {
  const line = (row: readonly string[]): string => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    `# ${title}`,
    '',
    '<!-- Written by scripts/law-tables.ts from packages/recording/data; do not edit. -->',
    '',
    ...table.about.map(item),
    '',
    line(head),
    line(head.map(() => '---')),
    ...cells.map(line),
    '',
  ].join('\n');
}

/** Writes a list item, broken at 120 columns. */
function item(text: string): string {
  const lines = ['-'];
  for (const word of text.split(' ')) {
    const last = lines.pop() ?? '';
    lines.push(...(`${last} ${word}`.length > 120 ? [last, `  ${word}`] : [`${last} ${word}`]));
  }
  return lines.join('\n');
}

function years(n: number): string {
  return n === 1 ? '1 year' : `${n} years`;
}

function periodText({ adultYears, deceased }: RetentionRow): string {
  if (adultYears !== null) return years(adultYears);
  return deceased === null ? 'no fixed period found' : 'after death only';
}

function triggerText({ trigger }: RetentionRow): string {
  return (typeof trigger === 'string' ? trigger : `later of ${trigger.laterOf.join(', ')}`).replaceAll('_', ' ');
}

function minorText({ minor, minorRuleNotSeen }: RetentionRow): string {
  if (minorRuleNotSeen === true) return 'not seen';
  if (minor === null) return '–';
  const seventeen = minor.nIfSeventeen === undefined ? '' : ` (${minor.nIfSeventeen} if 17)`;
  const text = {
    years_after_majority: `${years(minor.n)} after majority`,
    until_birthday: `until ${minor.n}${seventeen}`,
    years_from_trigger: years(minor.n),
  }[minor.rule];
  return `${text ?? minor.rule}, ${minor.combine.replaceAll('_', ' ')}`;
}

function deathText({ deceased }: RetentionRow): string {
  return deceased === null ? '–' : `${years(deceased.years)}, ${deceased.combine.replaceAll('_', ' ')}`;
}

const outputs: readonly (readonly [path: string, text: string])[] = [
  [join(src, 'retention', 'rules.generated.ts'), moduleOf(retention, 'retentionRules', 'RetentionRule', './rule.ts')],
  [join(src, 'consent', 'rules.generated.ts'), moduleOf(consent, 'recordingConsentRules', 'ConsentRule', './rule.ts')],
  [
    join(root, 'docs', 'reference', 'retention-rules.md'),
    page(
      'Retention rules',
      retention,
      ['Rule', 'Kind', 'Period', 'Counts from', 'Minors', 'After death', 'Citation', 'Confidence'],
      retention.rules.map((row) => [
        `\`${row.id}\``,
        row.kind.replaceAll('_', ' '),
        periodText(row),
        triggerText(row),
        minorText(row),
        deathText(row),
        row.citation,
        row.confidence,
      ]),
    ),
  ],
  [
    join(root, 'docs', 'reference', 'recording-consent.md'),
    page(
      'Consent to recording',
      consent,
      ['Place', 'Rule', 'In person', 'By wire', 'Citation', 'Confidence'],
      consent.rules.map((row) =>
        [row.jurisdiction, row.rule, row.inPerson ?? '', row.electronic ?? '', row.citation, row.confidence].map(
          (cell) => cell.replaceAll('_', ' '),
        ),
      ),
    ),
  ],
];

const check: boolean = process.argv.includes('--check');
for (const [path, text] of outputs) {
  if (!check) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (readFileSync(path, 'utf8') !== text) {
    console.error(`Stale; run node scripts/law-tables.ts:\n${path}`);
    process.exitCode = 1;
  }
}
