import { MedzenError } from '@medzen/core';

/** A span of time as a whole number and a unit: `'30s'`, `'1m'`, `'8h'`, `'1d'`. */
export type Duration = `${number}s` | `${number}m` | `${number}h` | `${number}d`;

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * @returns milliseconds, ≥ 1000
 * @throws MedzenError `invalid_configuration` for anything but a whole, positive number and a unit, or past 365 days
 */
export function durationMs(duration: Duration): number {
  const [, digits = '', unit = ''] = /^([1-9]\d{0,8})([smhd])$/.exec(duration) ?? [];
  const ms = Number(digits) * (unitMs[unit] ?? 0);
  if (!(ms > 0 && ms <= 365 * 86_400_000))
    throw new MedzenError(
      'invalid_configuration',
      `Duration must be a whole number with s, m, h or d (such as 30s), at most 365d: ${duration}`,
    );
  return ms;
}

/** A size in bytes, or with a unit of 1024: `'32kb'`, `'1mb'`. */
export type ByteSize = number | `${number}b` | `${number}kb` | `${number}mb`;

const unitBytes: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 * 1024 };

/**
 * @returns bytes, 1 to 1 GiB
 * @throws MedzenError `invalid_configuration`
 */
export function byteSize(size: ByteSize): number {
  const [, digits = '', unit = 'b'] = /^([1-9]\d{0,9})(b|kb|mb)?$/.exec(String(size)) ?? [];
  const bytes = Number(digits) * (unitBytes[unit] ?? 0);
  if (!(bytes > 0 && bytes <= 1024 ** 3))
    throw new MedzenError(
      'invalid_configuration',
      `Size must be bytes or a whole number with b, kb or mb (such as 512kb), at most 1 GiB: ${size}`,
    );
  return bytes;
}
