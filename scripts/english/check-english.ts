import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../stage.ts';
import { type Allowed, compareFindings, countFindings } from './allowed.ts';
import type { Finding, Glossary } from './rules.ts';
import { isChecked, scanFile, type Vocabulary } from './scan.ts';

const allowedFile = join(root, 'scripts/english/allowed.json');

/** Reads the glossary, and the actions from the source that declares them. */
export function readVocabulary(): Vocabulary {
  const glossary = readJson<Glossary>(join(root, 'docs/glossary.json'));
  const events = readFileSync(join(root, 'packages/core/src/audit/audit-event.ts'), 'utf8');
  const union = /export type AuditAction =([^;]*);/.exec(events)?.[1] ?? '';
  const actions = new Set([...union.matchAll(/'([a-z_.]+)'/g)].map(([, action = '']) => action));
  if (actions.size === 0) throw new Error('AuditAction was not found in packages/core/src/audit/audit-event.ts');
  return { glossary, actions };
}

/** Scans every file under git. */
function scanRepository(): { readonly findings: readonly Finding[]; readonly unused: readonly string[] } {
  const vocabulary = readVocabulary();
  const files = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n').filter(isChecked);
  const findings: Finding[] = [];
  const unused: string[] = [];
  for (const file of files) {
    const result = scanFile(file, readFileSync(join(root, file), 'utf8'), vocabulary);
    findings.push(...result.findings);
    unused.push(...result.unused.map((line) => `${file}:${line}`));
  }
  return { findings, unused };
}

/**
 * Checks the English of the repository against the rules and the counts that are still allowed.
 *
 * @throws Error that lists every new finding, every count to lower and every `english-ignore` that excuses nothing
 */
export function checkEnglish(): void {
  const { findings, unused } = scanRepository();
  const { excess, stale } = compareFindings(findings, readJson<Allowed>(allowedFile));
  const complaints = [
    ...excess.map(({ file, line, rule, text, suggestion }) => `${file}:${line} ${rule} ${text} → ${suggestion}`),
    ...stale.map((one) => `${one}; run: node scripts/english/check-english.ts --tighten`),
    ...unused.map((one) => `${one}: english-ignore excuses nothing; remove it`),
  ];
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T; // files of the repository, each of one shape
}

if (import.meta.main) {
  const { findings } = scanRepository();
  if (process.argv.includes('--list')) {
    for (const { file, line, rule, text } of findings) console.log(`${file}:${line}\t${rule}\t${text}`);
    console.log(Object.values(countFindings(findings)).length, 'files,', findings.length, 'findings');
  } else if (process.argv.includes('--tighten')) {
    const { lowered } = compareFindings(findings, readJson<Allowed>(allowedFile));
    writeFileSync(allowedFile, `${JSON.stringify(lowered, null, 2)}\n`);
  } else checkEnglish();
}
