/** One thing the command says of what it looked at. */
export interface Statement {
  /** `refused`: shown to be false. `open`: neither shown nor refuted by what was given. */
  readonly is: 'proved' | 'refused' | 'open';
  readonly text: string;
}

const words = { proved: 'proved    ', refused: 'REFUSED   ', open: 'not proved' } as const;

/** The statements as lines. */
export function showStatements(statements: readonly Statement[]): string {
  return statements.map(({ is, text }) => `${words[is]}  ${text}`).join('\n');
}
