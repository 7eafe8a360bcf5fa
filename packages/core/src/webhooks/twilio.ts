import { equalBytes, hmacSha1, sha256 } from '../hash.ts';
import { toBase64, toHex } from '../hex.ts';
import type { WebhookRequest, WebhookVerdict } from './request.ts';

const encoder = new TextEncoder();

/**
 * Verifies `X-Twilio-Signature`: base64 of HMAC-SHA-1 over the URL and, for forms, the sorted names each followed by its
 * sorted, deduplicated values. For any other body the URL carries `bodySHA256` (hex) and the signature covers the URL alone.
 * Proxies add and drop the default port, so the URL is tried without and with it, as Twilio's own validator does.
 *
 * @param request - raw, unparsed
 * @param authToken - of the account; during a rotation call it again with the other one
 * @returns a verdict; never throws on hostile input
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
  const given = request.headers.get('x-twilio-signature');
  if (given === null || given === '') return { ok: false, reason: 'signature_missing' };
  let url: URL;
  try {
    url = new URL(request.url);
  } catch {
    return { ok: false, reason: 'body_malformed' };
  }
  const bodyHash = url.searchParams.get('bodySHA256');
  let suffix = '';
  if (bodyHash !== null) {
    if (!equalBytes(encoder.encode(bodyHash.toLowerCase()), encoder.encode(toHex(sha256(request.body)))))
      return { ok: false, reason: 'signature_invalid' };
  } else {
    const text = formText(request.body);
    if (text === undefined) return { ok: false, reason: 'body_malformed' };
    suffix = text;
  }
  const signature = encoder.encode(given);
  const key = encoder.encode(authToken);
  let ok = false;
  for (const candidate of candidates(request.url, url)) {
    const expected = encoder.encode(toBase64(hmacSha1(key, encoder.encode(candidate + suffix))));
    // No early exit: which of the forms matched is nobody's business.
    ok = equalBytes(expected, signature) || ok;
  }
  return ok ? { ok } : { ok, reason: 'signature_invalid' };
}

/** Names sorted, each followed by its distinct values, sorted. Undefined when the bytes are no UTF-8 form. */
function formText(body: Uint8Array): string | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
  const values = new Map<string, Set<string>>();
  for (const [name, value] of new URLSearchParams(text)) {
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

/**
 * The URL as given, without a port, with the default port; each also with its query re-encoded. Done on the text, because `URL`
 * would normalise what was signed.
 */
function candidates(raw: string, url: URL): Set<string> {
  const match = /^([a-z]+:\/\/)([^/?#]*)(.*)$/i.exec(raw);
  const forms = new Set([raw]);
  if (match === null) return forms;
  const [, scheme = '', authority = '', rest = ''] = match;
  const bare = authority.replace(/:\d+$/, '');
  const port = url.port !== '' ? url.port : url.protocol === 'https:' ? '443' : '80';
  for (const form of [bare, `${bare}:${port}`]) {
    forms.add(scheme + form + rest);
    const [path = '', query] = splitOnce(rest, '?');
    if (query !== undefined) forms.add(`${scheme}${form}${path}?${new URLSearchParams(query).toString()}`);
  }
  return forms;
}

function splitOnce(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
