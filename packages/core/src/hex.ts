import { MedzenError } from './errors.ts';

const digits: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * Lower-case hexadecimal, the form in which bytes travel over a wire.
 *
 * @param bytes - any length
 */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += digits[byte];
  return text;
}

/**
 * Reads hexadecimal, either case, without a prefix.
 *
 * @param text - an even number of hexadecimal digits
 * @throws MedzenError `invalid_input`
 */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text))
    throw new MedzenError('invalid_input', 'Text must be hexadecimal with an even number of digits');
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = (nibble(text.charCodeAt(2 * i)) << 4) | nibble(text.charCodeAt(2 * i + 1));
  return bytes;
}

/** Of a hexadecimal digit. Letters of either case end in 1–6. A megabyte of bodies goes through here, so no text is cut up. */
function nibble(digit: number): number {
  return digit > 0x39 ? (digit & 0xf) + 9 : digit & 0xf;
}

/** Standard base64 (RFC 4648 §4) with padding. */
export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/**
 * Reads standard base64. Strict: padding is required and the unused bits must be zero, so that no two texts mean the
 * same bytes (RFC 4648 §3.5).
 *
 * @throws MedzenError `invalid_input`
 */
export function fromBase64(text: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch (cause) {
    throw new MedzenError('invalid_input', 'Text must be base64', { cause });
  }
  if (toBase64(bytes) !== text) throw new MedzenError('invalid_input', 'Text must be padded, canonical base64');
  return bytes;
}
