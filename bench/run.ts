import { readdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Bench, BenchRow } from './row.ts';
import { drawSvg } from './svg.ts';

// npm run bench [-- --only id,id]: every bench in this folder that exports `bench`, in one process and one run.

const here = fileURLToPath(new URL('.', import.meta.url));
const { values } = parseArgs({ options: { only: { type: 'string' } } });
const only = values.only?.split(',');

/** Ours ÷ theirs for "higher", theirs ÷ ours for "lower": more is always better. */
function ratio(row: BenchRow, theirs: number): number {
  return row.better === 'higher' ? row.ours / theirs : theirs / row.ours;
}

function measured(row: BenchRow): BenchRow & { readonly vsPeer?: number; readonly vsLimit?: number } {
  const peers = Object.values(row.peers);
  return {
    ...row,
    ...(peers.length === 0 ? {} : { vsPeer: Math.min(...peers.map((peer) => ratio(row, peer))) }),
    ...(row.limit === undefined ? {} : { vsLimit: ratio(row, row.limit) }),
  };
}

const figure = (value: number | undefined): string =>
  value === undefined ? '–' : value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);

const rows: ReturnType<typeof measured>[] = [];
for (const file of readdirSync(here).sort()) {
  if (!file.endsWith('.ts') || ['run.ts', 'row.ts', 'svg.ts'].includes(file)) continue;
  const { bench } = (await import(new URL(file, import.meta.url).href)) as { bench?: Bench }; // each bench file exports one, or is a part of one
  if (bench === undefined || (only !== undefined && !only.includes(bench.id))) continue;
  console.log(`running ${bench.id} …`);
  rows.push(measured(await bench.run()));
}
if (rows.length === 0) throw new Error(`No bench of that name: ${values.only}`);

console.table(
  Object.fromEntries(
    rows.map((row) => [
      row.id,
      {
        unit: row.unit,
        ours: figure(row.ours),
        peers: Object.entries(row.peers)
          .map(([name, value]) => `${name} ${figure(value)}`)
          .join(', '),
        limit: figure(row.limit),
        'ours ÷ best peer': figure(row.vsPeer),
        'ours ÷ limit': figure(row.vsLimit),
        spread: `${Math.round(row.spread * 100)} %`,
      },
    ]),
  ),
);
const machine = `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`;
writeFileSync(`${here}results.json`, `${JSON.stringify({ machine, node: process.version, rows }, null, 2)}\n`);
writeFileSync(`${here}results.svg`, drawSvg(rows));
