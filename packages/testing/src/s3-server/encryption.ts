import { S3ProtocolError } from './protocol-error.ts';
import type { Bucket, Encryption, World } from './world.ts';

/** The encryption that a write asks for, or the bucket's default. */
export function encryptionOf(
  world: World,
  bucket: Bucket,
  headers: Readonly<Record<string, string>>,
): Encryption | undefined {
  const algorithm = headers['x-amz-server-side-encryption'];
  const keyId = headers['x-amz-server-side-encryption-aws-kms-key-id'];
  if (algorithm === undefined) {
    if (keyId !== undefined) {
      throw new S3ProtocolError(
        'InvalidArgument',
        'Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms',
      );
    }
    return bucket.encryption;
  }
  if (algorithm === 'AES256') {
    if (keyId !== undefined) {
      throw new S3ProtocolError('InvalidArgument', 'A key id was given, but the encryption is not aws:kms');
    }
    return { algorithm };
  }
  if (algorithm !== 'aws:kms') {
    throw new S3ProtocolError('InvalidArgument', 'The encryption method specified is not supported');
  }
  return { algorithm, keyId: keyId ?? `arn:aws:kms:${world.region}:123456789012:alias/aws/s3` };
}

/** The headers in which S3 reads encryption back. */
export function encryptionHeaders(encryption: Encryption | undefined): Record<string, string> {
  if (encryption === undefined) return {};
  const headers: Record<string, string> = { 'x-amz-server-side-encryption': encryption.algorithm };
  if (encryption.keyId !== undefined) headers['x-amz-server-side-encryption-aws-kms-key-id'] = encryption.keyId;
  return headers;
}
