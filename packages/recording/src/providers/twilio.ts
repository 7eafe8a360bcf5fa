import type { Clock } from '@medzen/core';
import type { Provider } from '../provider.ts';

/** What the Twilio Video provider needs. */
export interface TwilioOptions {
  readonly accountSid: string;
  /** The auth token; during a rotation the current one first, then the other. Callbacks signed with any of them verify. */
  readonly authToken: string | readonly string[];
  /** An API key to authenticate requests with, instead of the account's SID and token. */
  readonly apiKey?: { readonly sid: string; readonly secret: string };
  /** Where Twilio sends the composition's callbacks. */
  readonly statusCallback?: string;
  /** `mp4` when absent. */
  readonly format?: 'mp4' | 'webm';
  readonly fetch?: typeof globalThis.fetch;
  /** `https://video.twilio.com` when absent. Plain http only to loopback, and only with `allowLoopback`. */
  readonly baseUrl?: string;
  /**
   * Hosts to which Twilio may redirect for the media; `*.` at the front stands for any subdomain. Twilio's own media hosts
   * and its S3 buckets when absent. Always https, and never with our credentials.
   */
  readonly mediaHosts?: readonly string[];
  /** For tests and demos: plain http to 127.0.0.1, [::1] and localhost. */
  readonly allowLoopback?: boolean;
  /** For one request to answer, milliseconds; 10 000 when absent. Streaming the media itself has no such bound. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

/**
 * Twilio Video: callbacks verified by `X-Twilio-Signature`, capture steered by recording rules, media made by a composition.
 *
 * @see https://www.twilio.com/docs/video/api/status-callbacks
 * @see https://www.twilio.com/docs/video/api/compositions-resource
 * @example
 * ```ts
 * import { twilio } from '@medzen/recording';
 * const provider = twilio({ accountSid: 'AC…', authToken: '…' });
 * provider.name; // 'twilio'
 * ```
 */
export function twilio(options: TwilioOptions): Provider {
  throw new Error(`to come ${options.accountSid}`);
}
