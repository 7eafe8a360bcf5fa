import { MedzenError } from '@medzen/core';
import type { WebhookRequest, WebhookVerdict } from '@medzen/core/webhooks';
import { type ByteSize, byteSize } from '../duration.ts';
import type { WebhookAuth } from './auth.ts';

/** What a webhook route needs to know about its sender. */
export interface WebhookOptions {
  /** The sender: `a-z`, `0-9`, `-`; becomes the actor `webhook:<name>` of type `service`. */
  readonly name: string;
  /**
   * Checks the signature over the raw bytes and the public URL (see `publicOrigin` and `trustedProxies` of the guard).
   * The schemes are in `@medzen/core/webhooks`.
   */
  readonly verify: (request: WebhookRequest) => WebhookVerdict | Promise<WebhookVerdict>;
  /** Read at most so much before the signature is known to be good. Default 256 kb. */
  readonly maxBytes?: ByteSize;
}

/**
 * Identity of a route that a provider calls: the signature over the raw body is verified before anything parses it. What
 * fails is answered 401 and audited as `webhook.reject`. Without a `body` in the policy, `ctx.body` is the raw bytes;
 * with one, they are parsed by it after the signature held. `ctx.rawBody` has them either way.
 *
 * @throws MedzenError `invalid_configuration` for a bad name
 * @example
 * ```ts
 * import { verifyTwilio } from '@medzen/core/webhooks';
 * import { webhook } from '@medzen/security';
 * const authToken = 'from the host’s own configuration';
 * webhook({ name: 'twilio', verify: (request) => verifyTwilio(request, authToken) });
 * ```
 */
export function webhook(options: WebhookOptions): WebhookAuth {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(options.name))
    throw new MedzenError('invalid_configuration', 'Not a name of a webhook sender');
  return {
    kind: 'webhook',
    name: options.name,
    maxBytes: byteSize(options.maxBytes ?? '256kb'),
    verify: options.verify,
  };
}
