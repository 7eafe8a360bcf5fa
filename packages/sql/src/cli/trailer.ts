/** What the last line of a migration says of it. */
export interface Trailer {
  readonly schema: string;
  readonly id: string;
}

const line =
  /^INSERT INTO ([a-z][a-z0-9_]*)\.migration \(id, checksum, breaking\) VALUES \('([a-z0-9_]+)', '[0-9a-f]{64}', (?:true|false)\);\s*$/gm;

/** The migrations of ours that a file applies, by what they write to the ledger; a team may have put several into one file. */
export function readTrailers(text: string): readonly Trailer[] {
  return [...text.matchAll(line)].map(([, schema = '', id = '']) => ({ schema, id }));
}
