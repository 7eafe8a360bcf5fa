// Written by scripts/generate-sql.ts; do not edit.
import type { SqlFunction } from './migration.ts';

/** Every function that a wire may call: who defines it, and its arguments in order, without `p_`. */
export const manifest: Readonly<Record<string, SqlFunction>> = {
  current_subject: { migration: '000001_foundation', args: {} },
  read_migrations: { migration: '000001_foundation', args: {} },
  set_test_clock: { migration: 'medzen_test', args: { at: 'text', frozen: 'boolean' } },
};
