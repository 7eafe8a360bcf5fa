import { type Json, MedzenError, type SealedEvent, type Wire, type WireValue } from '@medzen/core';
import type { Reader } from './read-json.ts';

/** Calls a function that returns one `jsonb`, and reads it. */
export async function callJson<T>(
  wire: Wire,
  name: string,
  args: Readonly<Record<string, WireValue>>,
  read: Reader<T>,
): Promise<T> {
  const [row] = await wire.call(name, args);
  if (row === undefined) throw new MedzenError('internal', `${name} gave no row`);
  return read(row.result ?? null, name);
}

/** The two arguments by which a function takes the event that commits with it. */
export function eventArgs(event: SealedEvent): { readonly event_id: string; readonly event_body: Uint8Array } {
  return { event_id: event.id, event_body: event.body };
}

/** Plain data as the argument of a `jsonb` parameter; null stays SQL's null. */
export function jsonArg(value: object | undefined): WireValue {
  if (value === undefined) return null;
  return { json: JSON.parse(JSON.stringify(value)) as Json }; // what JSON.parse gives is JSON
}

/** An instant as the argument of a `timestamptz` parameter. @throws MedzenError `invalid_input` for an invalid Date */
export function instantArg(at: Date): string {
  if (Number.isNaN(at.getTime())) throw new MedzenError('invalid_input', 'Dates must be valid');
  return at.toISOString();
}
