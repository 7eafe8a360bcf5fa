export * from './rebase-cli/configuration.ts';
export * from './rebase-cli/run-rebase.ts';
