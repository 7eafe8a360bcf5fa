import { formPairs } from './form.ts';

/**
 * Lists the forms under which Twilio may have signed a URL: as received and as `URL` writes it, without a port and with it, and each with
 * its escapes written in the other usual ways. Every form names the same host, path and query pairs, so that accepting one of them
 * accepts no other request.
 *
 * @param received - an absolute URL, as it came
 * @param url - the same, parsed
 */
export function signedUrls(received: string, url: URL): ReadonlySet<string> {
  const forms = new Set([received]);
  for (const text of [received, url.href]) {
    const match = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)([^?#]*)(?:\?([^#]*))?/i.exec(text);
    if (match === null) continue;
    const [, scheme = '', authority = '', path = '', query] = match;
    const bare = authority.replace(/:\d*$/, '');
    const port = url.port !== '' ? url.port : url.protocol === 'https:' ? '443' : '80';
    for (const host of [bare, `${bare}:${port}`])
      for (const target of targets(path, query)) forms.add(`${scheme}${host}${target}`);
  }
  return forms;
}

function targets(path: string, query: string | undefined): readonly string[] {
  const paths = [path, unescaped(path, pathDelimiters)];
  if (query === undefined) return paths;
  const pairs = [...formPairs(query)];
  const queries = [
    query,
    unescaped(query, queryDelimiters),
    componentQuery(pairs),
    new URLSearchParams(pairs).toString(),
  ];
  return paths.flatMap((one) => queries.map((other) => `${one}?${other}`));
}

/** Twilio's libraries fall back to this form: names grouped, and everything escaped but letters, digits and `-_.!~*'()`. */
function componentQuery(pairs: readonly (readonly [string, string])[]): string {
  return [...Map.groupBy(pairs, ([name]) => name).values()]
    .flat()
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
}

const pathDelimiters = '/?#%';
const queryDelimiters = '&=+#%';

/** Writes escaped printable ASCII as it is, unless it would then delimit something. */
function unescaped(text: string, delimiters: string): string {
  return text.replace(/%([2-7][0-9a-f])/gi, (triplet: string, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return character <= ' ' || character > '~' || delimiters.includes(character) ? triplet : character;
  });
}
