import type { AccountedDisclosure, DisclosureAccounting } from './accounting-of-disclosures.ts';

/**
 * The accounting as plain text, to print or to send to the person.
 *
 * @param report - of `accountingOfDisclosures`
 * @returns lines that end in line feeds; control characters of what was recorded are shown as spaces
 * @example
 * ```ts
 * import { accountingText } from '@medzen/audit';
 * accountingText({
 *   patient: 'p1', requestedOn: '2026-11-22', from: '2020-11-22', to: '2026-11-22',
 *   clamped: { from: false, to: false }, generatedAt: '2026-11-22T15:00:00.000Z', disclosures: [],
 * });
 * ```
 */
export function accountingText(report: DisclosureAccounting): string {
  const lines = [
    'Accounting of disclosures of protected health information (45 CFR 164.528)',
    `Of: ${plain(report.patient)}`,
    `Requested on: ${report.requestedOn}`,
    `Period: ${report.from} to ${report.to}${report.clamped.from ? ' (an accounting reaches back six years)' : ''}`,
    `Disclosures listed: ${report.disclosures.length}`,
    ...report.disclosures.flatMap((one) => ['', ...linesOf(one)]),
  ];
  return `${lines.join('\n')}\n`;
}

function linesOf({ date, recipient, description, basis, series }: AccountedDisclosure): readonly string[] {
  return [
    series === undefined ? date : `${date}, ${series.count} times, the last on ${series.last}`,
    `  To: ${plain(recipient.name)}${recipient.address === undefined ? '' : `, ${plain(recipient.address)}`}`,
    `  What: ${plain(description)}`,
    `  Purpose: ${plain(basis)}`,
  ];
}

/** On one line, so that no recorded text can pass for a line of the report. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ');
}
