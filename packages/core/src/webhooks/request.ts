/** A webhook as it came in: nothing parsed, nothing normalised. */
export interface WebhookRequest {
  /**
   * The public URL exactly as the provider called it, with its query, its escapes as they came. Behind a proxy your application must rebuild
   * its origin.
   */
  readonly url: string;
  readonly headers: Headers;
  /** The raw bytes. */
  readonly body: Uint8Array;
}

/**
 * Result of a signature check. Never thrown.
 *
 * @typeParam E - the events that were read from the verified bytes; `never` where a scheme verifies only
 */
export type WebhookVerdict<E = never> =
  | {
      readonly ok: true;
      /** Events that the verified bytes contain. Absent where a scheme verifies only. */
      readonly events?: readonly E[];
    }
  | {
      readonly ok: false;
      /**
       * `signature_missing`, `signature_invalid`: unsigned as far as can be told; answered 401. `body_malformed`: the signature holds, but the
       * body is not one that the provider documents; answered 422. Never `body_malformed` before the signature held.
       */
      readonly reason: 'signature_missing' | 'signature_invalid' | 'body_malformed';
    };
