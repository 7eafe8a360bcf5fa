import type { SqlClient } from '../sql-client.ts';

/** A connection that ends. */
export interface CliClient extends SqlClient {
  end(): Promise<void>;
}

/** What the command line works with; the bin gives the process's own. */
export interface CliIo {
  /** Absolute; `--dir` is relative to it. */
  readonly cwd: string;
  /** Only `DATABASE_URL` is read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of the package, which holds `prisma/`, `rollback/` and `package.json`. */
  readonly packageDir: string;
  now(): Date;
  /** To standard output, a line break added. */
  print(text: string): void;
  /** To standard error, a line break added. */
  complain(text: string): void;
  /** Opens one connection. */
  connect(url: string): Promise<CliClient>;
}
