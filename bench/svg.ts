import type { BenchRow } from './row.ts';

/** A row with its ratios. */
type Measured = BenchRow & { readonly vsPeer?: number; readonly vsLimit?: number };

/** A bar per ratio: against the best peer, and against the limit; the line stands at 1. */
export function drawSvg(rows: readonly Measured[]): string {
  const bars = rows.flatMap((row) => [
    ...(row.vsPeer === undefined ? [] : [{ label: `${row.id} ÷ best peer`, value: row.vsPeer, fill: '#2b6cb0' }]),
    ...(row.vsLimit === undefined ? [] : [{ label: `${row.id} ÷ limit`, value: row.vsLimit, fill: '#718096' }]),
  ]);
  // A logarithmic axis from 0.1 to 1000: ratios of 0.6 and of 60 are read off the same picture.
  const x = (value: number): number => 260 + ((Math.log10(Math.min(Math.max(value, 0.1), 1000)) + 1) / 4) * 480;
  const height = 30 + bars.length * 24;
  const body = bars.map(({ label, value, fill }, index) => {
    const y = 20 + index * 24;
    const [from, to] = value < 1 ? [x(value), x(1)] : [x(1), x(value)];
    return `<text x="250" y="${y + 13}" text-anchor="end">${label}</text><rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(to - from, 1).toFixed(1)}" height="18" fill="${fill}"/><text x="${(to + 6).toFixed(1)}" y="${y + 13}">${value.toPrecision(3)}×</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="820" height="${height}" font-family="sans-serif" font-size="12">${body.join('')}<line x1="${x(1)}" y1="10" x2="${x(1)}" y2="${height - 5}" stroke="#c53030"/></svg>\n`;
}
