export * from './node/directory-tiles.ts';
