import { MedzenError, type WireRow } from '@medzen/core';

function wrong(column: string): never {
  throw new MedzenError('internal', `The database answered with another ${column} than expected`);
}

/** A column of text. */
export function textIn(row: WireRow | undefined, column: string): string {
  const cell = row?.[column];
  return typeof cell === 'string' ? cell : wrong(column);
}

/** A column of bytes. */
export function bytesIn(row: WireRow | undefined, column: string): Uint8Array {
  const cell = row?.[column];
  return cell instanceof Uint8Array ? cell : wrong(column);
}

/** A 64-bit integer, which travels as text; refused where a `number` could not hold it. */
export function integerIn(row: WireRow | undefined, column: string): number {
  const value = Number(textIn(row, column));
  return Number.isSafeInteger(value) ? value : wrong(column);
}

/** The one `jsonb` of a function that answers with a verdict. */
export function resultIn(rows: readonly WireRow[]): WireRow[string] {
  const [row] = rows;
  return row?.result ?? wrong('result');
}

/** The `status` of a verdict, which must be one of these. */
export function statusIn<S extends string>(rows: readonly WireRow[], known: readonly S[]): { readonly status: S } {
  const result = resultIn(rows);
  const said = typeof result === 'object' && result !== null && 'status' in result ? result.status : undefined;
  const status = known.find((one) => one === said);
  return status === undefined ? wrong('status') : { status };
}
