import { MedzenError } from '../errors.ts';
import { equalBytes, hmacSha1, sha256 } from '../hash.ts';
import { toBase64, toHex } from '../hex.ts';
import { decodeForm } from './form.ts';
import type { WebhookRequest, WebhookVerdict } from './request.ts';
import { signedUrls } from './signed-urls.ts';

const encoder = new TextEncoder();

/**
 * Verifies `X-Twilio-Signature`: base64 of HMAC-SHA-1 over the URL and, for forms, the sorted names each followed by its
 * sorted, deduplicated values. For any other body the URL carries `bodySHA256` (hex) and the signature covers the URL alone.
 * The URL is tried as received and in the other forms in which it may have been signed (see `signedUrls`), as Twilio's own validator does.
 * Nothing is said of the body before the signature holds: a body that cannot be decoded is `signature_invalid`.
 *
 * @param request - raw, unparsed
 * @param authToken - of the account, not empty; during a rotation call it again with the other one
 * @returns a verdict; never throws on hostile input
 * @throws MedzenError `invalid_configuration` for an empty token, with which anybody could sign
 * @see https://www.twilio.com/docs/usage/webhooks/webhooks-security
 * @example
 * ```ts
 * import { verifyTwilio } from '@medzen/core/webhooks';
 * const verdict = verifyTwilio(
 *   { url: 'https://app.example.com/webhooks/twilio', headers: new Headers(), body: new Uint8Array() },
 *   'auth-token',
 * );
 * verdict.ok; // false
 * ```
 */
export function verifyTwilio(request: WebhookRequest, authToken: string): WebhookVerdict {
  if (typeof authToken !== 'string' || authToken === '')
    throw new MedzenError(
      'invalid_configuration',
      'authToken must be the auth token of the Twilio account; it is empty',
    );
  const given = request.headers.get('x-twilio-signature');
  if (given === null || given === '') return { ok: false, reason: 'signature_missing' };
  const url = URL.canParse(request.url) ? new URL(request.url) : undefined;
  const suffix = url === undefined ? undefined : signedSuffix(url, request.body);
  if (url === undefined || suffix === undefined) return { ok: false, reason: 'signature_invalid' };
  const signature = encoder.encode(given);
  const key = encoder.encode(authToken);
  let ok = false;
  for (const candidate of signedUrls(request.url, url)) {
    const expected = encoder.encode(toBase64(hmacSha1(key, encoder.encode(candidate + suffix))));
    // No early exit: the time must not tell which form matched.
    ok = equalBytes(expected, signature) || ok;
  }
  return ok ? { ok } : { ok, reason: 'signature_invalid' };
}

/** Returns what is signed after the URL; undefined when the body cannot be what was signed. */
function signedSuffix(url: URL, body: Uint8Array): string | undefined {
  const bodyHash = url.searchParams.get('bodySHA256');
  if (bodyHash === null) return formText(body);
  const matches = equalBytes(encoder.encode(bodyHash.toLowerCase()), encoder.encode(toHex(sha256(body))));
  return matches ? '' : undefined;
}

/** Names sorted, each followed by its distinct values, sorted. Undefined when the bytes are not a UTF-8 form. */
function formText(body: Uint8Array): string | undefined {
  const pairs = decodeForm(body);
  if (pairs === undefined) return undefined;
  const values = new Map<string, Set<string>>();
  for (const [name, value] of pairs) {
    const known = values.get(name);
    if (known === undefined) values.set(name, new Set([value]));
    else known.add(value);
  }
  let joined = '';
  for (const name of [...values.keys()].sort()) {
    for (const value of [...(values.get(name) ?? [])].sort()) joined += name + value;
  }
  return joined;
}
