export * from './verify-cli/bucket-tiles.ts';
export * from './verify-cli/io.ts';
export * from './verify-cli/run-verify.ts';
