import type { SqlClient } from '@medzen/sql';

/** The one value that a query of the database's owner answers with, as text: `count(*)` is a number in one driver and a text in another. */
export async function ask(owner: SqlClient, text: string, values: unknown[] = []): Promise<string> {
  const { rows } = await owner.query(text, values);
  const [row] = rows;
  const [cell] = typeof row === 'object' && row !== null ? Object.values(row) : [];
  return String(cell);
}
