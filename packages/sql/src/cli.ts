export { connectWithPg } from './cli/connect.ts';
export type { CliClient, CliIo } from './cli/io.ts';
export { runCli } from './cli/run-cli.ts';
