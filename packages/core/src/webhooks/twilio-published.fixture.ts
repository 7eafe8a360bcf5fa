/** A request with the signature that Twilio's own library gives it. */
export interface PublishedRequest {
  readonly name: string;
  readonly signature: string;
  readonly url: string;
  /** Whether Twilio's library accepts it. */
  readonly valid: boolean;
  /** The fields of a form. */
  readonly params?: Readonly<Record<string, string | readonly string[]>>;
  /** The text of a JSON body. */
  readonly body?: string;
}

const call = {
  CallSid: 'CA1234567890ABCDE',
  Caller: '+14158675309',
  Digits: '1234',
  From: '+14158675309',
  To: '+18005551212',
};
const page = 'mycompany.com/myapp.php?foo=1&bar=2';
const json = '{"property": "value", "boolean": true}';
const jsonHash = '0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620';
const emptyHash = '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';

/** The token that signed all of them. */
export const publishedToken = '12345';

/**
 * The signed requests that Twilio publishes with its library, as facts.
 *
 * Source: https://github.com/twilio/twilio-node/blob/45d3d65/spec/validation.spec.js (MIT).
 */
export const publishedRequests: readonly PublishedRequest[] = [
  { name: 'base', signature: 'RSOYDt4T1cUTdK1PDd93/VVr8B8=', url: `https://${page}`, params: call, valid: true },
  { name: 'wrong', signature: 'WRONG_SIGNATURE', url: `https://${page}`, params: call, valid: false },
  {
    name: 'https custom port stripped',
    signature: 'RSOYDt4T1cUTdK1PDd93/VVr8B8=',
    url: 'https://mycompany.com:1234/myapp.php?foo=1&bar=2',
    params: call,
    valid: true,
  },
  {
    name: 'http with port',
    signature: 'Zmvh+3yNM1Phv2jhDCwEM3q5ebU=',
    url: 'http://mycompany.com:1234/myapp.php?foo=1&bar=2',
    params: call,
    valid: true,
  },
  {
    name: 'https, signed with :443',
    signature: 'kvajT1Ptam85bY51eRf/AJRuM3w=',
    url: `https://${page}`,
    params: call,
    valid: true,
  },
  {
    name: 'http, signed with :80',
    signature: '0ZXoZLH/DfblKGATFgpif+LLRf4=',
    url: `http://${page}`,
    params: call,
    valid: true,
  },
  {
    name: 'user:pass',
    signature: 'CukzLTc1tT5dXEDIHm/tKBanW10=',
    url: `https://user:pass@${page}`,
    params: call,
    valid: true,
  },
  {
    name: 'user only',
    signature: '2YRLlVAflCqxaNicjMpJcSTgzSs=',
    url: `https://user@${page}`,
    params: call,
    valid: true,
  },
  {
    name: 'user:pass signed :443',
    signature: 'ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=',
    url: `https://user:pass@${page}`,
    params: call,
    valid: true,
  },
  {
    name: 'special chars',
    signature: 'TfZzewPq8wqrGlMfyAud8+/IvJ0=',
    url: `https://${page}&Body=It's+amazing`,
    params: call,
    valid: true,
  },
  {
    name: 'array',
    signature: '83O6e2vORAoJHUNzJjDWN1jz+BA=',
    url: `https://${page}`,
    params: { 'MessagingBinding.Address': ['+1325xxxxxxx', '+1415xxxxxxx'] },
    valid: true,
  },
  {
    name: 'array reordered',
    signature: '83O6e2vORAoJHUNzJjDWN1jz+BA=',
    url: `https://${page}`,
    params: { 'MessagingBinding.Address': ['+1415xxxxxxx', '+1325xxxxxxx'] },
    valid: true,
  },
  {
    name: 'array dup values',
    signature: 'IK+Dwps556ElfBT0I3Rgjkr1wJU=',
    url: `https://${page}`,
    params: { Sid: 'CA123', SidAccount: 'AC123', Digits: ['5678', '1234', '1234'] },
    valid: true,
  },
  {
    name: 'json body',
    signature: 'a9nBmqA0ju/hNViExpshrM61xv4=',
    url: `https://${page}&bodySHA256=${jsonHash}`,
    body: json,
    valid: true,
  },
  {
    name: 'json {}',
    signature: 'Ldidvp12m26NI7eqEvxnEpkd9Hc=',
    url: `https://${page}&bodySHA256=${emptyHash}`,
    body: '{}',
    valid: true,
  },
  {
    name: 'only bodySHA256',
    signature: 'y77kIzt2vzLz71DgmJGsen2scGs=',
    url: `https://mycompany.com/myapp.php?bodySHA256=${jsonHash}`,
    body: json,
    valid: true,
  },
  {
    name: 'tampered body',
    signature: 'a9nBmqA0ju/hNViExpshrM61xv4=',
    url: `https://${page}&bodySHA256=${jsonHash}`,
    body: `${json} `,
    valid: false,
  },
];
