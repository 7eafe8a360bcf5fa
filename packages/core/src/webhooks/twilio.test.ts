import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hmacSha1 } from '../hash.ts';
import { toBase64 } from '../hex.ts';
import type { WebhookRequest } from './request.ts';
import { verifyTwilio } from './twilio.ts';
import { type PublishedRequest, publishedRequests, publishedToken } from './twilio-published.fixture.ts';

const text = new TextEncoder();

function formBody(params: NonNullable<PublishedRequest['params']>): Uint8Array {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) for (const one of [value].flat()) form.append(name, one);
  return text.encode(form.toString());
}

function request(url: string, body: Uint8Array, signature?: string): WebhookRequest {
  return { url, body, headers: new Headers(signature === undefined ? {} : { 'X-Twilio-Signature': signature }) };
}

/** As Twilio's documentation says it, written down once more: URL, then each name and value, sorted. */
function sign(url: string, params: readonly (readonly [string, string])[], token: string): string {
  const sorted = [...new Map(params.map((pair) => [JSON.stringify(pair), pair])).values()].sort(([a, x], [b, y]) =>
    a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1,
  );
  return toBase64(
    hmacSha1(text.encode(token), text.encode(url + sorted.map(([name, value]) => name + value).join(''))),
  );
}

describe('verifyTwilio', () => {
  test.each(publishedRequests.map((request) => [request.name, request] as const))(
    'answers as Twilio’s library does: %s',
    (_, { params, body, url, signature, valid }) => {
      const bytes = params === undefined ? text.encode(body ?? '') : formBody(params);
      expect(verifyTwilio(request(url, bytes, signature), publishedToken).ok).toBe(valid);
    },
  );

  test('accepts what was signed, and nothing with a bit changed', () => {
    const pairs = fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string()), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(pairs, fc.string({ minLength: 1 }), fc.nat(), fc.nat({ max: 7 }), (params, token, at, bit) => {
        const url = 'https://app.example.com/webhooks/twilio';
        const body = text.encode(new URLSearchParams(params.map(([name, value]) => [name, value])).toString());
        const signature = sign(url, params, token);
        expect(verifyTwilio(request(url, body, signature), token)).toEqual({ ok: true });
        expect(verifyTwilio(request(url, body, signature), `${token}x`).ok).toBe(false);
        expect(verifyTwilio(request(`${url}x`, body, signature), token).ok).toBe(false);
        const forged = signature.charCodeAt(at % 27) ^ (1 << bit);
        const other =
          signature.slice(0, at % 27) + String.fromCharCode((forged % 94) + 33) + signature.slice((at % 27) + 1);
        if (other !== signature) expect(verifyTwilio(request(url, body, other), token).ok).toBe(false);
        const extra = text.encode(`${new TextDecoder().decode(body)}&extra=1`);
        expect(verifyTwilio(request(url, extra, signature), token).ok).toBe(false);
      }),
    );
  });

  test('says what is missing, and calls nothing malformed before the signature held', () => {
    const url = 'https://app.example.com/webhooks/twilio';
    const empty = new Uint8Array();
    expect(verifyTwilio(request(url, empty), 't')).toEqual({ ok: false, reason: 'signature_missing' });
    expect(verifyTwilio(request(url, empty, ''), 't')).toEqual({ ok: false, reason: 'signature_missing' });
    expect(verifyTwilio(request('no url', empty, 'x'), 't')).toEqual({ ok: false, reason: 'signature_invalid' });
    expect(verifyTwilio(request(url, Uint8Array.of(0xff), 'x'), 't')).toEqual({
      ok: false,
      reason: 'signature_invalid',
    });
    expect(verifyTwilio(request(url, empty, 'x'), 't')).toEqual({ ok: false, reason: 'signature_invalid' });
  });

  test('never throws on hostile input', () => {
    const urls = fc.oneof(fc.webUrl({ withQueryParameters: true }), fc.string());
    fc.assert(
      fc.property(urls, fc.uint8Array(), fc.string(), fc.string({ minLength: 1 }), (url, body, signature, token) => {
        const headers = { get: () => signature } as unknown as Headers; // any text, also what Headers would refuse
        expect(verifyTwilio({ url, body, headers }, token).ok).toBe(false);
      }),
    );
  });

  test('covers a body of JSON by its hash in the signed URL, and only by it', () => {
    const url = 'https://app.example.com/hook?bodySHA256=';
    const body = text.encode('{"a":1}');
    const signed = `${url}015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862`;
    const signature = sign(signed, [], 'token');
    expect(verifyTwilio(request(signed, body, signature), 'token')).toEqual({ ok: true });
    expect(verifyTwilio(request(signed, text.encode('{"a":2}'), signature), 'token').ok).toBe(false);
    expect(verifyTwilio(request(url, body, sign(url, [], 'token')), 'token').ok).toBe(false);
  });
});
