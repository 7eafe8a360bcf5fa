import { MedzenError } from '@medzen/core';

/**
 * Checks a text that a caller gave: not empty, bounded, no control characters, no half of a surrogate pair. No bound is wider than the
 * stores': past them a database answers with an error that tells a caller nothing.
 *
 * @param pointer - JSON Pointer of the field, for the problem document
 * @param max - characters, 256 when absent
 * @throws MedzenError `invalid_input`, without the value
 */
export function checkText(value: string, pointer: string, max = 256): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  const plain = typeof value === 'string' && value.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(value);
  if (!plain || value === '' || value.length > max)
    throw new MedzenError('invalid_input', 'A field is empty, too long or not plain text', { pointers: [pointer] });
}

/**
 * Checks free text that a person wrote as a reason. Line breaks are allowed; NUL, which Postgres cannot store, is not.
 *
 * @throws MedzenError `invalid_input`
 */
export function checkReason(value: string): void {
  const storable = typeof value === 'string' && value.isWellFormed() && !value.includes('\0');
  if (!storable || value.trim() === '' || value.length > 2048)
    throw new MedzenError('invalid_input', 'A reason of 1 to 2048 characters is needed', { pointers: ['/reason'] });
}

/**
 * Checks a whole number.
 *
 * @throws MedzenError `invalid_input`
 */
export function checkWhole(value: number, min: number, max: number, pointer: string): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new MedzenError('invalid_input', `Must be an integer from ${min} to ${max}`, { pointers: [pointer] });
}
