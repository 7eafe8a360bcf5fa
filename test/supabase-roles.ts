import pg from 'pg';

/**
 * Makes the roles that every Supabase project has, as Supabase makes them, unless they are there. Roles belong to the cluster, and come
 * before anything is installed.
 *
 * @param url - of any database of the cluster, as its superuser
 */
export async function createSupabaseRoles(url: string): Promise<void> {
  const cluster = new URL(url);
  cluster.pathname = '/postgres';
  const admin = new pg.Client(cluster.href);
  await admin.connect();
  try {
    await admin.query("SELECT pg_advisory_lock(hashtext('supabase roles'))");
    const { rowCount } = await admin.query("SELECT FROM pg_roles WHERE rolname = 'authenticator'");
    if (rowCount !== 0) return;
    await admin.query(`
      CREATE ROLE anon NOLOGIN NOINHERIT;
      CREATE ROLE authenticated NOLOGIN NOINHERIT;
      CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
      CREATE ROLE authenticator LOGIN NOINHERIT;
      GRANT anon, authenticated, service_role TO authenticator;`);
  } finally {
    await admin.end();
  }
}
