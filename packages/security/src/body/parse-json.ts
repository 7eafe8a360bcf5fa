import { MedzenError } from '@medzen/core';

/** Bounds on the shape of a JSON text. */
export interface JsonBounds {
  /** Nesting of arrays and objects. */
  readonly maxDepth: number;
  /** Keys of all objects together. */
  readonly maxKeys: number;
}

const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function refuse(why: string, cause?: unknown): never {
  throw new MedzenError('invalid_input', why, cause === undefined ? {} : { cause });
}

/**
 * Reads JSON from a stranger. The scan goes over the text once, before the parser builds anything; the parser then
 * decides on the grammar. Both see the same strings whenever the text is JSON at all, so that nothing can hide from the scan.
 *
 * @throws MedzenError `invalid_input`; the message names the rule, never the text
 */
export function parseJson(bytes: Uint8Array, bounds: JsonBounds): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return refuse('The body is not UTF-8');
  }
  scan(text, bounds);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // V8's message quotes the text.
    return refuse('The body is not JSON');
  }
}

function scan(text: string, bounds: JsonBounds): void {
  /** One entry a level: the keys seen in an object, or undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let keys = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      const end = endOfString(text, i);
      const inObject = open.at(-1);
      const isKey = inObject !== undefined && colonFollows(text, end);
      const quoted = text.slice(i, end);
      if (isKey || quoted.includes('\\')) {
        const value = unquote(quoted);
        if (!value.isWellFormed() || value.includes('\0')) refuse('A string of the body holds a forbidden character');
        if (isKey) {
          if (forbiddenKeys.has(value)) refuse('A key of the body is forbidden');
          if (inObject.has(value)) refuse('A key of the body stands twice');
          inObject.add(value);
          if (++keys > bounds.maxKeys) refuse('The body has too many keys');
        }
      }
      i = end - 1;
    } else if (c === 0x7b || c === 0x5b) {
      open.push(c === 0x7b ? new Set() : undefined);
      if (open.length > bounds.maxDepth) refuse('The body is nested too deeply');
    } else if (c === 0x7d || c === 0x5d) {
      open.pop();
    }
  }
}

/** The index past the closing quote. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x5c) i++;
    else if (c === 0x22) return i + 1;
  }
  return refuse('The body is not JSON');
}

function colonFollows(text: string, from: number): boolean {
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x20 || c === 0x09 || c === 0x0a || c === 0x0d) continue;
    return c === 0x3a;
  }
  return false;
}

function unquote(quoted: string): string {
  try {
    return JSON.parse(quoted) as string; // begins and ends with a quote, so it is a string or not JSON
  } catch {
    return refuse('The body is not JSON');
  }
}
