import type { TestProject } from 'vitest/node';
import { startPostgres } from './start-postgres.ts';
import { createSupabaseRoles } from './supabase-roles.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser's URL of the run's Postgres; see `freshDatabase`. */
    postgresUrl: string;
  }
}

/**
 * Vitest calls this once a run. It starts the one Postgres that every test with a database shares (each takes a database of its
 * own with `freshDatabase`), with the roles of Supabase in it, and fails the run when it cannot: a missing server is never a skipped test.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres();
  await createSupabaseRoles(server.url);
  project.provide('postgresUrl', server.url);
  return () => server.stop();
}
