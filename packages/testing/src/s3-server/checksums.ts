import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { S3ProtocolError } from './protocol-error.ts';

const castagnoli: readonly number[] = Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

function crc32c(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (castagnoli[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function fourBytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The checksum of some bytes, base64, as S3 writes it in `x-amz-checksum-<algorithm>`. */
export function checksumOf(algorithm: string, bytes: Uint8Array): string {
  switch (algorithm) {
    case 'sha256':
    case 'sha1':
      return createHash(algorithm).update(bytes).digest('base64');
    case 'crc32':
      return fourBytes(crc32(bytes)).toString('base64');
    case 'crc32c':
      return fourBytes(crc32c(bytes)).toString('base64');
    default:
      throw new S3ProtocolError('NotImplemented', `The checksum algorithm ${algorithm} is not known to this server.`);
  }
}

const lengths: Readonly<Record<string, number>> = { sha256: 32, sha1: 20, crc32: 4, crc32c: 4 };

/** The checksums that a request states in its headers (or trailers), by algorithm. */
export function statedChecksums(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('x-amz-checksum-')) continue;
    const algorithm = name.slice('x-amz-checksum-'.length);
    if (algorithm === 'mode' || algorithm === 'type' || algorithm === 'algorithm') continue;
    found[algorithm] = value;
  }
  return found;
}

/**
 * Checks `Content-MD5` and every stated checksum against the bytes.
 *
 * @throws S3ProtocolError `InvalidDigest`, `InvalidRequest` (not a checksum at all), `BadDigest` (not of these bytes)
 */
export function checkBody(headers: Readonly<Record<string, string>>, body: Uint8Array): void {
  const md5 = headers['content-md5'];
  if (md5 !== undefined) {
    const stated = Buffer.from(md5, 'base64');
    if (stated.length !== 16 || stated.toString('base64') !== md5) {
      throw new S3ProtocolError('InvalidDigest', 'The Content-MD5 you specified is not valid.');
    }
    if (!createHash('md5').update(body).digest().equals(stated)) {
      throw new S3ProtocolError('BadDigest', 'The Content-MD5 you specified did not match what we received.');
    }
  }
  for (const [algorithm, stated] of Object.entries(statedChecksums(headers))) {
    const bytes = Buffer.from(stated, 'base64');
    if (
      lengths[algorithm] !== undefined &&
      (bytes.length !== lengths[algorithm] || bytes.toString('base64') !== stated)
    ) {
      throw new S3ProtocolError('InvalidRequest', `Value for x-amz-checksum-${algorithm} header is invalid.`);
    }
    if (checksumOf(algorithm, body) !== stated) {
      throw new S3ProtocolError(
        'BadDigest',
        `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
      );
    }
  }
}
