import { type Clock, MedzenError, type PresignedUrl, type PresignOptions } from '@medzen/core';
import { presignGetUrl } from '../storage/presign-get-url.ts';
import type { S3Bucket } from './bucket.ts';
import { asking } from './store-error.ts';

// A server whose clock is behind ours would find a link dated ahead of it: links are dated a minute back and last a
// minute more.
const skewSeconds = 60;
const maximumSeconds = 604_800;

/** Scheme, host and port of a client that was given an endpoint; undefined for AWS's own. */
async function endpointOf({ client }: S3Bucket): Promise<string | undefined> {
  const { config } = client;
  const [fips, dual] = [await config.useFipsEndpoint(), await config.useDualstackEndpoint()];
  if (fips || dual || config.useAccelerateEndpoint) {
    throw new MedzenError(
      'invalid_configuration',
      'Links need the endpoint by name for FIPS, dual-stack or acceleration',
    );
  }
  const endpoint = await config.endpoint?.();
  if (endpoint === undefined) return undefined;
  return `${endpoint.protocol}//${endpoint.hostname}${endpoint.port === undefined ? '' : `:${endpoint.port}`}`;
}

/** Signs a link with the client's own credentials, region and endpoint. It ends no later than temporary credentials do. */
export async function presignGet(
  s3: S3Bucket,
  clock: Clock,
  key: string,
  options: PresignOptions,
): Promise<PresignedUrl> {
  const { versionId, expiresInSeconds, contentDisposition, contentType } = options;
  if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > maximumSeconds) {
    throw new MedzenError('invalid_input', 'expiresInSeconds must be an integer from 1 to 604800 (7 days)');
  }
  if (versionId === '') throw new MedzenError('invalid_input', 'versionId must not be empty');
  for (const text of [contentDisposition, contentType]) {
    if (text !== undefined && !/^[\x20-\x7e]+$/.test(text))
      throw new MedzenError(
        'invalid_input',
        'contentDisposition and contentType must be printable ASCII without line breaks',
      );
  }
  const { config } = s3.client;
  const { credentials, region, endpoint } = await asking(async () => ({
    credentials: await config.credentials(),
    region: await config.region(),
    endpoint: await endpointOf(s3),
  }));
  const now = Math.floor(clock.now().getTime() / 1000);
  const end = credentials.expiration === undefined ? Number.POSITIVE_INFINITY : credentials.expiration.getTime() / 1000;
  const seconds = Math.min(expiresInSeconds, Math.floor(end - now));
  if (seconds < 1) throw new MedzenError('store_unavailable', 'The credentials of the object store are over');
  const back = Math.min(skewSeconds, maximumSeconds - seconds);
  const url = presignGetUrl({
    bucket: s3.bucket,
    key,
    region,
    credentials,
    expiresIn: seconds + back,
    now: new Date((now - back) * 1000),
    versionId,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(config.forcePathStyle ? { pathStyle: true } : {}),
    ...(contentDisposition === undefined ? {} : { responseContentDisposition: contentDisposition }),
    ...(contentType === undefined ? {} : { responseContentType: contentType }),
  });
  return { url, expiresAt: new Date((now + seconds) * 1000) };
}
