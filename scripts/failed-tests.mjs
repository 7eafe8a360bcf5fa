// Reads vitest's JSON results: prints the tests that failed with the first lines of each message; with --files the files they stand in,
// with --counts how many passed and failed. Plain JavaScript: any Node runs it, before anything is installed.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [path, option] = process.argv.slice(2).toReversed();
const results = JSON.parse(readFileSync(path, 'utf8'));
const failedIn = (file) => file.assertionResults.filter((test) => test.status === 'failed');
const files = results.testResults.filter((file) => file.status === 'failed' || failedIn(file).length > 0);
const indent = (text, by) => text.slice(0, 3_000).replaceAll(/^/gm, by);

if (option === '--counts') {
  // A file that fails outside its tests (an import, a hook) counts as one.
  const broken = files.filter((file) => failedIn(file).length === 0).length;
  console.log(results.numPassedTests, results.numFailedTests + broken);
} else if (option === '--files') {
  for (const { name } of files) console.log(relative(process.cwd(), name));
} else {
  for (const file of files) {
    console.log(relative(process.cwd(), file.name));
    if (file.message) console.log(indent(file.message, '    '));
    for (const test of failedIn(file)) {
      console.log(`  ${test.fullName} (${Math.round(test.duration ?? 0)} ms)`);
      for (const message of test.failureMessages) console.log(indent(message, '    '));
    }
  }
}
