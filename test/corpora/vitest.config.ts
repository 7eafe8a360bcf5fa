import { defineConfig, type ViteUserConfig } from 'vitest/config';
import tests from '../../vitest.config.ts';

/** The suites that read corpora from outside the repository: `npm test` never collects them. */
const config: ViteUserConfig = defineConfig({
  test: {
    ...tests.test,
    include: ['test/corpora/**/*.corpora.ts'],
    reporters: ['default', ['json', { outputFile: process.env.TEST_RESULTS ?? '.tmp/corpora-results.json' }]],
  },
});

export default config;
