// One token a match: comments, strings, quoted names, dollar quotes, bodies of SQL, or any one character.
const token =
  /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$[a-z_]*\$)[\s\S]*?\1|\bBEGIN ATOMIC\b[\s\S]*?;\s*END\b(?=\s*;)|[\s\S]/gi;

/**
 * The statements of a script, as the migrations write SQL: no nested comments, no `E''` with a backslash before the quote.
 *
 * @returns each with the comments before it and without its semicolon
 */
export function splitStatements(sql: string): readonly string[] {
  const statements: string[] = [];
  let statement = '';
  for (const [text] of sql.matchAll(token)) {
    if (text === ';') {
      statements.push(statement.trim());
      statement = '';
    } else statement += text;
  }
  return statement.trim() === '' ? statements : [...statements, statement.trim()];
}

/** A statement without the comments before it. */
export function withoutComments(statement: string): string {
  return statement.replace(/^(?:\s*--[^\n]*\n)+/, '').trimStart();
}
