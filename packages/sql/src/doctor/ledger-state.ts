import type { LedgerReport } from '../ledger.ts';
import type { Finding } from './finding.ts';

/** What the ledger says, as findings. With one of the first two the definitions cannot be compared with this version's. */
export function ledgerFindings(report: LedgerReport): readonly Finding[] {
  return [
    ...report.missing.map(
      (id): Finding => ({
        id: 'ledger.missing',
        severity: 'critical',
        object: id,
        message: `The database lacks migration ${id}, and this library refuses to work with it`,
        remedy: 'npx medzen-sql add writes it into your tree; apply it as you apply your own',
      }),
    ),
    ...report.tooNew.map(
      (id): Finding => ({
        id: 'ledger.newer',
        severity: 'critical',
        object: id,
        message: `The database has migration ${id}, which older libraries than its own must not work with`,
        remedy: 'npm install @medzen/sql@latest',
      }),
    ),
    ...report.drifted.map(
      (id): Finding => ({
        id: 'ledger.drifted',
        severity: 'critical',
        object: id,
        message: `Migration ${id} was applied from another text than this version's`,
        remedy: `Find out who changed the file. What it should be: npx medzen-sql print --only ${id}`,
      }),
    ),
  ];
}
