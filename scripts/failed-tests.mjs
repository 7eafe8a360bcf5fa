// Prints the tests that failed, from vitest's JSON results, with the first lines of each message. Plain JavaScript: any Node runs it.
import { readFileSync } from 'node:fs';

const results = JSON.parse(readFileSync(process.argv[2], 'utf8'));
for (const file of results.testResults) {
  const failed = file.assertionResults.filter((test) => test.status === 'failed');
  if (file.status !== 'failed' && failed.length === 0) continue;
  console.log(`${file.name}: ${file.status}${file.message ? `: ${file.message.slice(0, 2_000)}` : ''}`);
  for (const test of failed) {
    console.log(`  ${test.fullName} (${Math.round(test.duration ?? 0)} ms)`);
    for (const message of test.failureMessages) console.log(message.slice(0, 3_000).replaceAll(/^/gm, '    '));
  }
}
