import { fromBase64, type SealedEvent, sha256, toBase64, toHex } from '@medzen/core';

/** An event that waits, and whose it is. */
export interface SpooledEvent extends SealedEvent {
  readonly tenant: string;
}

const digits = 16;

/** One line of a spool's file, behind the beginning of its digest: a line that was cut or altered is known by it. */
export function formatSpoolLine(tenant: string, { id, body }: SealedEvent): string {
  const json = JSON.stringify({ tenant, id, body: toBase64(body) });
  return `${digestOf(json)} ${json}\n`;
}

/** Reads one, without its newline; undefined when it is damaged. */
export function parseSpoolLine(line: string): SpooledEvent | undefined {
  const json = line.slice(digits + 1);
  if (line.slice(0, digits + 1) !== `${digestOf(json)} `) return undefined;
  const { tenant, id, body } = JSON.parse(json) as { tenant: string; id: string; body: string }; // its digest holds: we wrote it
  return { tenant, id, body: fromBase64(body) };
}

function digestOf(json: string): string {
  return toHex(sha256(new TextEncoder().encode(json))).slice(0, digits);
}
