import { installSql, type SqlClient } from '@medzen/sql';
import pg from 'pg';
import { startPostgres } from '../../../../../test/start-postgres.ts';
import { type Connection, type DemoDatabase, hostTable } from '../demo-database.ts';

/** How a wire gets at a server that was started for it. */
export interface ServerSteps {
  /** Before the schema is installed. @param url - of the superuser */
  prepare?(url: string): Promise<void>;
  /** Afterwards. @param serviceUrl - of the login that a service would have */
  connect(serviceUrl: string, owner: SqlClient): Promise<Connection>;
}

/** A login that may call what the two groups may, and touch no table but the host's own. */
const serviceLogin = `
CREATE ROLE clinic_service LOGIN IN ROLE medzen_app, medzen_sequencer;
GRANT SELECT, INSERT ON patient TO clinic_service;`;

/**
 * Starts a real Postgres of the demo's own (from npm, nothing to install), migrates it, and connects. It ends with the demo, even
 * when that is killed.
 */
export async function openServer(steps: ServerSteps): Promise<DemoDatabase> {
  const server = await startPostgres().catch((cause: unknown) => {
    throw new Error('This wire needs a Postgres, and the one from npm did not start; without --wire none is needed', {
      cause,
    });
  });
  const owner = new pg.Client(server.url);
  owner.on('error', () => undefined); // cut off when the server stops
  try {
    await owner.connect();
    await steps.prepare?.(server.url);
    // The clock that can be moved is a migration of its own, which no database in service has.
    const applied = await installSql(owner, { test: true });
    await owner.query(`${hostTable};${serviceLogin}`);
    const service = new URL(server.url);
    service.username = 'clinic_service';
    const connection = await steps.connect(service.href, owner);
    return {
      ...connection,
      kind: 'a server of its own',
      owner,
      applied,
      close: async () => {
        await connection.close();
        await owner.end();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
