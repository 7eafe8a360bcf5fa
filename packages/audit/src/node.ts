export * from './node/create-spool.ts';
export * from './node/directory-tiles.ts';
export * from './node/file-checkpoints.ts';
export * from './node/file-witness-store.ts';
