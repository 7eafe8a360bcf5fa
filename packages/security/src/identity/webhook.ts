import { MedzenError } from '@medzen/core';
import type { WebhookRequest, WebhookVerdict } from '@medzen/core/webhooks';
import { type ByteSize, byteSize } from '../duration.ts';
import type { WebhookAuth } from './auth.ts';

/**
 * Options of a webhook route: facts about its sender.
 *
 * @typeParam E - what `verify` reads from the bytes that it verified
 */
export interface WebhookOptions<E = never> {
  /** The sender: `a-z`, `0-9`, `-`; becomes the actor `webhook:<name>` of type `service`. */
  readonly name: string;
  /**
   * Checks the signature over the raw bytes and the public URL (see `publicOrigin` and `trustedProxies` of the guard), and reads the
   * events, if it can: `verify` of a recording provider fits as it is. The schemes alone are in `@medzen/core/webhooks`.
   */
  readonly verify: (request: WebhookRequest) => WebhookVerdict<E> | Promise<WebhookVerdict<E>>;
  /** Read at most so much before the signature is known to be good. Default 256 kb. */
  readonly maxBytes?: ByteSize;
}

/**
 * Identifies the sender of a route that a provider calls: `verify` runs once, over the raw body, before anything parses it. What it read
 * from the verified bytes is `ctx.events`; verify nothing a second time. Without a `body` in the policy, `ctx.body` is the raw bytes; with
 * one, they are parsed by it after the signature held. `ctx.rawBody` has them either way.
 *
 * An unsigned request is answered 401, a signed one that the provider does not document 422, and neither reaches the handler; both are
 * audited as `webhook.reject`. A signature that does not verify is also told in the log, with the origin that was checked: behind a proxy
 * it is usually `publicOrigin` that is missing.
 *
 * @throws MedzenError `invalid_configuration` for a bad name, or a `verify` that is not a function
 * @example
 * ```ts
 * import { verifyTwilio } from '@medzen/core/webhooks';
 * import { webhook } from '@medzen/security';
 * const authToken = 'from your own configuration';
 * webhook({ name: 'twilio', verify: (request) => verifyTwilio(request, authToken) });
 * ```
 */
export function webhook<E = never>(options: WebhookOptions<E>): WebhookAuth<E> {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(options.name))
    throw new MedzenError(
      'invalid_configuration',
      'webhook: name must be 1 to 64 of a-z, 0-9 and "-", and must not begin with "-"',
    );
  if (typeof options.verify !== 'function')
    throw new MedzenError('invalid_configuration', 'webhook: verify must be a function that checks the signature');
  return {
    kind: 'webhook',
    name: options.name,
    maxBytes: byteSize(options.maxBytes ?? '256kb'),
    // Called as a method: a provider may be an object that needs its `this`.
    verify: (request) => options.verify(request),
  };
}
