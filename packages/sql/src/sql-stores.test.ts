import { putStores } from '../../../test/put-stores.ts';
import { neonContexts, pgContexts, pgliteContexts, postgresJsContexts } from '../../../test/sql-contexts.ts';

putStores('pg', await pgContexts());
putStores('postgres.js', await postgresJsContexts());
putStores('Neon stand-in', await neonContexts());
putStores('PGlite', await pgliteContexts());
