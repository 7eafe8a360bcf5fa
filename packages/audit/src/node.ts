export * from './node/create-spool.ts';
export * from './node/directory-tiles.ts';
