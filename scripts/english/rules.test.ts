import { describe, expect, test } from 'vitest';
import { compareFindings, countFindings } from './allowed.ts';
import { checkMessage, checkOpening, checkTerms, checkWords, type Finding } from './rules.ts';
import { isChecked, scanFile } from './scan.ts';

const vocabulary = {
  glossary: { terms: { host: 'your application' }, statuses: ['not_found', 'started'] },
  actions: new Set(['recording.start']),
};

function rulesOf(file: string, source: string): readonly string[] {
  return scanFile(file, source, vocabulary).findings.map(({ rule, line }) => `${rule}:${line}`);
}

describe('the rules of English', () => {
  test.each(['The request is authorised.', 'its behaviour', 'enrolment of a factor', 'a serialisation of events'])(
    'E1 finds British spelling: %s',
    (text) => {
      expect(checkWords(text, 'comment').map(({ rule }) => rule)).toEqual(['E1']);
    },
  );

  test.each(['The request is authorized.', 'otherwise', 'a wise promise to raise', 'enroll', 'an exercise'])(
    'E1 lets US spelling pass: %s',
    (text) => {
      expect(checkWords(text, 'comment')).toEqual([]);
    },
  );

  test.each([
    'an id that is none',
    'whoever calls it',
    'That key is no key',
    'The file is not absent',
    'two of ours',
    'keys cannot be had',
    'its hour is over',
    'which is to say, never',
  ])('E2 finds a riddle: %s', (text) => {
    expect(checkWords(text, 'prose').map(({ rule }) => rule)).toEqual(['E2']);
  });

  test.each([
    'when there is none',
    'The key is missing',
    'is another name of the file',
    'none of the keys',
    'sent over the wire',
  ])('E2 lets plain words pass: %s', (text) => {
    expect(checkWords(text, 'prose')).toEqual([]);
  });

  test('E3 finds a comment that begins with a bare clause', () => {
    for (const text of ['What a caller gets.', 'Whose event it is.', 'Whether it may run.', 'Of one tenant.'])
      expect(checkOpening(text)).toHaveLength(1);
    for (const text of ['Stops a recording.', "The tenant's id.", 'Whatsoever']) expect(checkOpening(text)).toEqual([]);
  });

  test('E4 finds a message that hides the field, the rule or the remedy', () => {
    for (const text of ['Not a UUID', 'Nothing to do', 'A page has 1 to 100 rows', 'Between 2 and 9', 'It is over'])
      expect(checkMessage(text)).toHaveLength(1);
    for (const text of ['limit must be 1 to 100', 'Use POST', 'The recording was not found', 'A page is not a list'])
      expect(checkMessage(text)).toEqual([]);
  });

  test('E5 splits identifiers at their capitals', () => {
    expect(checkWords('authoriseUser', 'name').map(({ rule }) => rule)).toEqual(['E5']);
    expect(checkWords('authorizeUser', 'name')).toEqual([]);
  });

  test('E7 names the preferred word', () => {
    expect(checkTerms('The host calls it.', vocabulary.glossary)).toMatchObject([
      { suggestion: 'use "your application"' },
    ]);
    expect(checkTerms('The hostname, and ghosts.', vocabulary.glossary)).toEqual([]);
  });
});

describe('the scan of a file', () => {
  test('reads comments, messages and names of TypeScript', () => {
    const source = [
      '/** What it is. */',
      'export const colour = 1;',
      "throw new MedzenError('invalid_input', 'Not a name at all');",
      '// whoever reads this',
      'fail(`Nothing about it`);',
    ].join('\n');
    expect(rulesOf('packages/core/src/x.ts', source)).toEqual(['E3:1', 'E5:2', 'E4:3', 'E2:4', 'E4:5']);
    expect(rulesOf('packages/core/src/x.test.ts', source)).toEqual(['E5:2']);
  });

  test('reads what operators are told, for spelling and riddles', () => {
    const source = [
      "logger.warn('nothing was sealed by whoever ran it');",
      "console.error('authorised, after all');",
      "io.out('Between two seals');",
      "other.warn('of whoever');",
    ].join('\n');
    expect(rulesOf('packages/audit/src/x.ts', source)).toEqual(['E2:1', 'E1:2']);
  });

  test('reads comments and messages of SQL', () => {
    const source = "-- Who may call.\n-- whoever it is\nPERFORM fail('x', 'Not a name');\nSELECT 1; -- plain";
    expect(rulesOf('packages/sql/migrations/1.sql', source)).toEqual(['E3:1', 'E2:2', 'E4:3']);
  });

  test('reads prose of Markdown, not its code, links and tables', () => {
    const long = 'word '.repeat(30);
    const source = `The host.\n\n\`host\` [x](https://host)\n\n\`\`\`\nhost\n\`\`\`\n${long}\n| ${long} |`;
    expect(rulesOf('README.md', source)).toEqual(['E7:1', 'E6:8']);
  });

  test('compares stored words with the lists of them', () => {
    const source = "const x = { action: 'recording.begin' };\nconst y = { action: 'recording.start' };";
    expect(rulesOf('packages/audit/src/x.ts', source)).toEqual(['E7:1']);
    const port = "interface A { readonly status: 'started' | 'begun' }";
    expect(rulesOf('packages/core/src/ports/x.ts', port)).toEqual(['E7:1']);
  });

  test('honors an exception with a reason, for its rule alone, and finds the unused ones', () => {
    const source = '// english-ignore E2: quotes the statute\n// whoever\n// english-ignore E1: none\nconst a = 1;';
    const result = scanFile('packages/core/src/x.ts', source, vocabulary);
    expect(result.findings).toEqual([]);
    expect(result.unused).toEqual([3]);
    expect(rulesOf('packages/core/src/x.ts', '// english-ignore E2\n// whoever')).toEqual(['E2:2']);
  });

  test('leaves generated files and decisions alone', () => {
    expect(isChecked('packages/sql/src/doctor/baseline.generated.ts')).toBe(false);
    expect(isChecked('docs/decisions/0001-x.md')).toBe(false);
    expect(isChecked('README.md')).toBe(true);
  });
});

describe('what is still allowed', () => {
  const at = (file: string, rule: Finding['rule'], line = 1): Finding => ({
    file,
    rule,
    line,
    text: '',
    suggestion: '',
  });

  test('may shrink and never grow', () => {
    const findings = [at('a', 'E1'), at('a', 'E1', 2), at('b', 'E2')];
    expect(compareFindings(findings, countFindings(findings))).toMatchObject({ excess: [], stale: [] });
    const more = [...findings, at('c', 'E3')];
    expect(compareFindings(more, countFindings(findings)).excess).toEqual([at('c', 'E3')]);
    const fewer = compareFindings(findings.slice(1), countFindings(findings));
    expect(fewer.stale).toEqual(['a E1: 2 allowed, 1 found']);
    expect(fewer.lowered).toEqual({ a: { E1: 1 }, b: { E2: 1 } });
    expect(compareFindings(more, countFindings(findings)).lowered).toEqual(countFindings(findings));
  });
});
