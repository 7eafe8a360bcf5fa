/** A webhook as it came in: nothing parsed, nothing normalised. */
export interface WebhookRequest {
  /** The public URL exactly as the provider called it, with its query. Behind a proxy the host must rebuild it. */
  readonly url: string;
  readonly headers: Headers;
  /** The raw bytes. */
  readonly body: Uint8Array;
}

/** Whether the signature holds. Never thrown. */
export type WebhookVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: 'signature_missing' | 'signature_invalid' | 'body_malformed' };
