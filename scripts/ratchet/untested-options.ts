import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../stage.ts';

const optionType = /(?:Options|Deps|Input)$/;
// Relative to the root: a clone may lie in a folder named test.
const isSource = (file: string): boolean => /^packages\/[^/]+\/src\//.test(file) && !isTest(file);
const isTest = (file: string): boolean =>
  /\.test\.ts$|\.fixture\.ts$|^packages\/testing\/|^packages\/[^/]+\/test\/|^(?:test|examples|docs)\//.test(file);

/**
 * Finds options that no test sets: members of exported interfaces named `…Options`, `…Deps` or `…Input` in the packages, for which no
 * object literal in a test, an example or a contract suite gives a value. Told by the type checker; by name alone only where a literal has no
 * type of its own to tell (a default that is spread, a row of a table).
 *
 * @returns `packages/core/src/x.ts XOptions.member`, sorted
 */
export function untestedOptions(): readonly string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram(fileNames, { ...options, noEmit: true });
  const checker = program.getTypeChecker();
  const declared = new Map<ts.Node, string>();
  const set: Given = { members: new Set(), names: new Set() };
  for (const file of program.getSourceFiles()) {
    if (file.fileName.includes('/node_modules/')) continue;
    const path = file.fileName.slice(root.length);
    if (isSource(path)) for (const [member, name] of optionsOf(file, path)) declared.set(member, name);
    if (isTest(path)) collectSet(file, checker, set);
  }
  return [...declared]
    .filter(([member, name]) => !set.members.has(member) && !set.names.has(name.slice(name.lastIndexOf('.') + 1)))
    .map(([, name]) => name)
    .sort();
}

/** What literals of tests give a value to: members told by the type checker, and names of literals without a type. */
interface Given {
  readonly members: Set<ts.Node>;
  readonly names: Set<string>;
}

function optionsOf(file: ts.SourceFile, path: string): readonly (readonly [ts.Node, string])[] {
  return file.statements.filter(ts.isInterfaceDeclaration).flatMap((declaration) => {
    const isExported = declaration.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
    if (!isExported || !optionType.test(declaration.name.text)) return [];
    return declaration.members
      .filter((member) => ts.isPropertySignature(member) || ts.isMethodSignature(member))
      .map((member) => [member, `${path} ${declaration.name.text}.${member.name.getText()}`] as const);
  });
}

function collectSet(file: ts.SourceFile, checker: ts.TypeChecker, set: Given): void {
  const visit = (node: ts.Node): void => {
    if (ts.isObjectLiteralExpression(node)) {
      const type = checker.getContextualType(node);
      const types = type === undefined ? [] : type.isUnion() ? type.types : [type];
      for (const property of node.properties) {
        const name = property.name;
        if (name === undefined || !(ts.isIdentifier(name) || ts.isStringLiteral(name))) continue;
        const members = types.flatMap((one) => checker.getPropertyOfType(one, name.text)?.declarations ?? []);
        for (const member of members) set.members.add(member);
        if (members.length === 0) set.names.add(name.text);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
}
