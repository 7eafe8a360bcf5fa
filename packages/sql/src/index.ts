export * from './check-sql.ts';
export * from './install-sql.ts';
export * from './ledger.ts';
export * from './migration.ts';
export * from './pg-wire.ts';
export * from './pglite-wire.ts';
export * from './sql-client.ts';
export * from './sql-stores.ts';
