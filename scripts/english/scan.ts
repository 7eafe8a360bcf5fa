import ts from 'typescript';
import {
  checkMessage,
  checkOpening,
  checkTerms,
  checkWords,
  type Finding,
  type Glossary,
  maxColumns,
} from './rules.ts';

type Found = Pick<Finding, 'rule' | 'text' | 'suggestion'>;
type Add = (line: number, found: readonly Found[]) => void;

/** What the scan of a file needs to know. */
export interface Vocabulary {
  readonly glossary: Glossary;
  /** Members of `AuditAction`. */
  readonly actions: ReadonlySet<string>;
}

const ignore = /english-ignore (E\d): \S/;
/** Where only spelling counts: readers of the packages do not come here. */
const inner = /\.test\.ts$|\.fixture\.ts$|\/test\/|^(?:scripts|bench|test)\/|^packages\/testing\/|^examples\/.*demo/;
const throwers = /^(?:fail|refuse|wrong|inconsistent|refused|bad|malformed|reject)$/;
const errors = /^(?:MedzenError|Error|TypeError|RangeError)$/;
/** Calls whose text an operator reads: logs, and the output of commands. */
const tellers = /(?:^|\.)(?:logger|console|io|stdout|stderr)\.(?:debug|info|log|warn|error|out|err|write)$/;

/** Whether a file is read by people and written by hand. Decisions are never rewritten. */
export function isChecked(file: string): boolean {
  const written = /\.(?:ts|sql|md)$/.test(file) && !/generated|schema\.sql$|^LICENSE/.test(file);
  return written && !/^\.changeset\/|^docs\/decisions\/|^scripts\/english\//.test(file);
}

/**
 * Finds every place of a file that breaks a rule.
 *
 * @returns the findings, and the lines of `english-ignore` comments that excused nothing
 */
export function scanFile(
  file: string,
  source: string,
  vocabulary: Vocabulary,
): { readonly findings: readonly Finding[]; readonly unused: readonly number[] } {
  const lines = source.split('\n');
  const excuses = new Map<number, { readonly rule: string; used: boolean }>();
  for (const [at, line] of lines.entries()) {
    const rule = ignore.exec(line)?.[1];
    if (rule !== undefined) excuses.set(at + 1, { rule, used: false });
  }
  const findings: Finding[] = [];
  const add: Add = (line, found) => {
    for (const one of found) {
      const excuse = [excuses.get(line - 1), excuses.get(line)].find((candidate) => candidate?.rule === one.rule);
      if (excuse === undefined) findings.push({ ...one, file, line });
      else excuse.used = true;
    }
  };
  if (file.endsWith('.md')) scanMarkdown(lines, vocabulary, add);
  else if (file.endsWith('.sql')) scanSql(lines, add);
  else scanTypeScript(file, source, vocabulary, add);
  return { findings, unused: [...excuses].filter(([, { used }]) => !used).map(([line]) => line) };
}

function scanMarkdown(lines: readonly string[], { glossary }: Vocabulary, add: Add): void {
  let isCode = false;
  for (const [at, line] of lines.entries()) {
    if (/^\s*```/.test(line)) isCode = !isCode;
    if (isCode) continue;
    const prose = line.replace(/`[^`]*`/g, '').replace(/\]\([^)]*\)/g, ']');
    add(at + 1, checkWords(prose, 'prose'));
    add(at + 1, checkTerms(prose, glossary));
    const isLong = line.length > maxColumns && !/^\s*\||^\[.*\]: |https?:\/\/\S{60}/.test(line);
    if (isLong)
      add(at + 1, [{ rule: 'E6', text: `${line.length} columns`, suggestion: `break prose at ${maxColumns} columns` }]);
  }
}

function scanSql(lines: readonly string[], add: Add): void {
  for (const [at, line] of lines.entries()) {
    const comment = /--\s(.*)$/.exec(line)?.[1];
    if (comment !== undefined) {
      add(at + 1, checkWords(comment, 'comment'));
      if (!/^\s*--/.test(lines[at - 1] ?? '')) add(at + 1, checkOpening(comment));
    }
    const message = /(?:fail\('[a-z_]+',\s*(?:format\()?|RAISE EXCEPTION )'((?:[^']|'')*)'/.exec(line)?.[1];
    if (message === undefined) continue;
    add(at + 1, checkMessage(message));
    add(at + 1, checkWords(message, 'message'));
  }
}

function scanTypeScript(file: string, source: string, { actions, glossary }: Vocabulary, add: Add): void {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const isInner = inner.test(file);
  const lineOf = (position: number): number => tree.getLineAndCharacterOfPosition(position).line + 1;
  const seen = new Set<number>();
  const visit = (node: ts.Node): void => {
    for (const range of ts.getLeadingCommentRanges(source, node.getFullStart()) ?? []) {
      if (seen.has(range.pos)) continue;
      seen.add(range.pos);
      const raw = source.slice(range.pos, range.end);
      const comment = commentText(raw);
      const words = checkWords(comment, 'comment');
      add(lineOf(range.pos), isInner ? words.filter(({ rule }) => rule === 'E1') : words);
      if (raw.startsWith('/**') && !isInner) add(lineOf(range.pos), checkOpening(comment));
    }
    if (ts.isIdentifier(node) && isDeclared(node)) add(lineOf(node.getStart(tree)), checkWords(node.text, 'name'));
    for (const message of messagesOf(node, tree)) {
      const line = lineOf(message.getStart(tree));
      const text = message.getText(tree).slice(1, -1);
      add(
        line,
        checkWords(text, 'message').filter(({ rule }) => !isInner || rule === 'E1'),
      );
      if (!isInner) add(line, checkMessage(text));
    }
    if (!isInner && ts.isCallExpression(node) && tellers.test(node.expression.getText(tree)))
      for (const told of textsOf(node, tree))
        add(lineOf(told.getStart(tree)), checkWords(told.getText(tree).slice(1, -1), 'message'));
    if (!isInner && /^packages\/[^/]+\/src\//.test(file))
      add(lineOf(node.getStart(tree)), checkStored(node, file, actions, glossary));
    ts.forEachChild(node, visit);
  };
  visit(tree);
}

function commentText(raw: string): string {
  return raw
    .replace(/^\/\*\*?|\*\/$/g, '')
    .replace(/^\s*\*\s?/gm, '')
    .replace(/^\/\/\s?/, '')
    .replace(/```[\s\S]*?```/g, '')
    .replace(/`[^`]*`/g, '')
    .trim()
    .replace(/\s+/g, ' ');
}

function isDeclared({ parent }: ts.Identifier): boolean {
  return (
    ts.isFunctionDeclaration(parent) ||
    ts.isVariableDeclaration(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isInterfaceDeclaration(parent) ||
    ts.isTypeAliasDeclaration(parent)
  );
}

/** Texts that become an error's message. */
function messagesOf(node: ts.Node, tree: ts.SourceFile): readonly ts.Expression[] {
  const isError = ts.isNewExpression(node) && errors.test(node.expression.getText(tree));
  const isHelper = ts.isCallExpression(node) && throwers.test(node.expression.getText(tree));
  if (!isError && !isHelper) return [];
  return textsOf(node, tree);
}

/** Arguments that are texts of more than one word. */
function textsOf(node: ts.CallExpression | ts.NewExpression, tree: ts.SourceFile): readonly ts.Expression[] {
  return (node.arguments ?? []).filter(
    (one) =>
      (ts.isStringLiteral(one) || ts.isNoSubstitutionTemplateLiteral(one) || ts.isTemplateExpression(one)) &&
      one.getText(tree).includes(' '),
  );
}

/** Stored words: an audit action must be in `AuditAction`, a status of a port in the glossary (E7). */
function checkStored(node: ts.Node, file: string, actions: ReadonlySet<string>, glossary: Glossary): readonly Found[] {
  if (ts.isPropertyAssignment(node) && ts.isStringLiteral(node.initializer) && node.name.getText() === 'action') {
    const { text } = node.initializer;
    return /^[a-z_]+\.[a-z_]+$/.test(text) && !actions.has(text)
      ? [{ rule: 'E7', text, suggestion: 'add the action to AuditAction in core/src/audit/audit-event.ts' }]
      : [];
  }
  if (!file.startsWith('packages/core/src/ports/') || !ts.isPropertySignature(node) || node.name.getText() !== 'status')
    return [];
  return [...(node.type?.getText().matchAll(/'([a-z_]+)'/g) ?? [])]
    .map(([, status = '']) => status)
    .filter((status) => !glossary.statuses.includes(status))
    .map((text) => ({ rule: 'E7', text, suggestion: 'use a status that docs/glossary.json lists, or add it there' }));
}
