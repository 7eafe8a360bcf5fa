/** One thing the command says of what it looked at. */
export interface Statement {
  /** `refused`: shown to be false. `open`: neither shown nor refuted by what was given. `lost`: gone, and the log says so. */
  readonly is: 'proved' | 'refused' | 'open' | 'lost';
  readonly text: string;
}

const words = { proved: 'proved    ', refused: 'REFUSED   ', open: 'not proved', lost: 'LOST      ' } as const;

/** The statements as lines. */
export function showStatements(statements: readonly Statement[]): string {
  return statements.map(({ is, text }) => `${words[is]}  ${text}`).join('\n');
}
