import { MedzenError } from '@medzen/core';

/**
 * Where Twilio redirects for media: its own hosts, and buckets of its own in S3. A `*` stands for any part of a name.
 * To be confirmed against a live account; a host with its own bucket names it in `mediaHosts`.
 */
export const twilioMediaHosts: readonly string[] = ['*.twilio.com', 'com-twilio-*.amazonaws.com'];

/**
 * Checks where a redirect leads before anything is fetched from there: https, no credentials, a host of the list.
 *
 * @param allowLoopback - plain http to this machine too, for tests and demos
 * @throws MedzenError `provider_unavailable`, not retryable, without the address: it is a secret
 */
export function mediaLocation(location: string | undefined, hosts: readonly string[], allowLoopback: boolean): URL {
  const refuse = (): never => {
    throw new MedzenError('provider_unavailable', 'The media redirect leads to a host that is not allowed', {
      retryable: false,
    });
  };
  let url: URL;
  try {
    url = new URL(location ?? '');
  } catch {
    return refuse();
  }
  if (url.username !== '' || url.password !== '') return refuse();
  if (allowLoopback && isLoopback(url)) return url;
  if (url.protocol !== 'https:' || url.port !== '' || !hosts.some((pattern) => matches(url.hostname, pattern)))
    return refuse();
  return url;
}

/** Checks whether an address is loopback. */
export function isLoopback({ protocol, hostname }: URL): boolean {
  return (protocol === 'http:' || protocol === 'https:') && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
}

function matches(host: string, pattern: string): boolean {
  const parts = pattern.toLowerCase().split('*');
  const escaped = parts.map((part) => part.replaceAll(/[^a-z0-9-]/g, '\\$&'));
  return new RegExp(`^${escaped.join('[a-z0-9.-]+')}$`).test(host);
}
