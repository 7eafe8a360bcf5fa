import { fromHex } from '@medzen/core';

/**
 * What a column's text stands for, by the number of its type; every other type stays text. Our own, because a host may have
 * changed the driver's.
 */
export const columnParsers: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === 't', // bool
  17: (text) => fromHex(text.slice(2)), // bytea, in hex format
  23: Number, // int4
  25: (text) => text,
  3802: (text) => JSON.parse(text), // jsonb
};

/** The parser of a column, for drivers that ask by the type's number. */
export function columnParser(oid: number): (text: string) => unknown {
  return columnParsers[oid] ?? asText;
}

const asText = (text: string): string => text;
