import { createHmac } from 'node:crypto';

/** A status callback as Twilio would send it: to be delivered, repeated, held back or shuffled by the test. */
export interface TwilioCallback {
  readonly event: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The form, as sent. */
  readonly body: string;
}

/**
 * Signs a form as Twilio documents it: HMAC-SHA-1 over the URL and the names, sorted, each followed by its value. Written from the
 * documentation and with another hash than the library's, so that the two check each other.
 *
 * @see https://www.twilio.com/docs/usage/webhooks/webhooks-security
 */
export function signCallback(
  authToken: string,
  url: string,
  event: string,
  fields: Readonly<Record<string, string>>,
): TwilioCallback {
  const form = new URLSearchParams({ ...fields, StatusCallbackEvent: event });
  const text = [...form.keys()].sort().map((name) => name + (form.get(name) ?? ''));
  const signature = createHmac('sha1', authToken)
    .update(url + text.join(''), 'utf8')
    .digest('base64');
  return {
    event,
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature },
    body: form.toString(),
  };
}
