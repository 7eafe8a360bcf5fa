import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'examples/*/src/**/*.test.ts',
      'docs/guides/*/src/**/*.test.ts',
      'scripts/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    // A real Postgres for the whole run, started once.
    globalSetup: ['test/postgres-server.ts'],
    // TEST_RESULTS: for a second run beside the first, whose results are still wanted.
    reporters: ['default', ['json', { outputFile: process.env.TEST_RESULTS ?? '.tmp/test-results.json' }]],
    // Ends what hangs; a busy machine that is ten times slower fails nothing.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});

export default config;
