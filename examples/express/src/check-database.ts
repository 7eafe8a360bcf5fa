import { type Logger, MedzenError, type Stores } from '@medzen/core';
import { checkInstallation } from '@medzen/sql';

/**
 * Tells the log everything that is wrong with the database, and refuses to go on with what is critical: a migration that is missing
 * (`npm run migrate` applies it), a right that the login lacks, a clock that is off.
 */
export async function checkDatabase(stores: Stores, logger: Logger): Promise<void> {
  const { findings } = await checkInstallation(stores);
  for (const { id, severity, message, remedy = '' } of findings)
    logger[severity === 'critical' ? 'error' : 'warn'](message, { id, remedy });
  const [worst] = findings;
  if (worst?.severity !== 'critical') return;
  throw new MedzenError(worst.id === 'ledger.missing' ? 'migration_missing' : 'invalid_configuration', worst.message);
}
