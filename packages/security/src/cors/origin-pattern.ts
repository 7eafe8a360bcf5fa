import { MedzenError } from '@medzen/core';
import { parseIp } from '../network/ip-address.ts';

/** One entry of an origin list: exact, or any subdomain of a host. */
export type OriginPattern =
  | { readonly kind: 'exact'; readonly origin: string; readonly scheme: string; readonly host: string }
  | { readonly kind: 'subdomains'; readonly scheme: string; readonly suffix: string; readonly port: string };

const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const shape = new RegExp(`^([a-z][a-z0-9+.-]*)://(\\*\\.)?(\\[[^\\]]*\\]|${label}(?:\\.${label})*\\.?)(?::(\\d*))?$`);
const defaultPorts: Readonly<Record<string, string>> = { http: '80', https: '443', ws: '80', wss: '443', ftp: '21' };
/** Schemes whose pages have the origin `null`. */
const opaque: ReadonlySet<string> = new Set(['file', 'data', 'blob', 'about', 'javascript']);

/**
 * Checks one pattern of an allow-list, by what browsers send: lower case, no path, no default port, canonical addresses.
 *
 * @param whyNot - why anyone could have a subdomain of this host, or undefined when only its owner can
 * @throws MedzenError `invalid_configuration`, naming the pattern and the rule
 */
export function parseOriginPattern(pattern: string, whyNot: (host: string) => string | undefined): OriginPattern {
  const refuse = (why: string): never => {
    throw new MedzenError('invalid_configuration', `Origin pattern ${JSON.stringify(pattern)}: ${why}`);
  };
  if (pattern === '*') return refuse('every origin is not a list');
  if (pattern === 'null') return refuse('null is the origin of any sandboxed page');
  const found = shape.exec(pattern);
  if (found === null) return refuse('not scheme://host[:port] in lower-case ASCII');
  const [, scheme = '', star, host = '', port] = found;
  if (opaque.has(scheme)) refuse('pages of this scheme have no origin');
  checkPort(scheme, port, refuse);
  const isAddress = checkHost(host, refuse);
  if (star === undefined) return { kind: 'exact', origin: pattern, scheme, host };
  if (isAddress) refuse('an address has no subdomains');
  if (scheme !== 'https' && scheme !== 'http') refuse('subdomains only of http and https');
  const objection = whyNot(host.replace(/\.$/, ''));
  if (objection !== undefined) refuse(objection);
  return { kind: 'subdomains', scheme, suffix: `.${host}`, port: port ?? '' };
}

function checkPort(scheme: string, port: string | undefined, refuse: (why: string) => never): void {
  if (port === undefined) return;
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) refuse('the port is no port');
  if (defaultPorts[scheme] === port) refuse('browsers leave the default port out');
}

/** Whether the host is an address. */
function checkHost(host: string, refuse: (why: string) => never): boolean {
  if (host.startsWith('[')) {
    const address = parseIp(host.slice(1, -1));
    // An IPv4-mapped address is folded by the parser, and browsers write it in hexadecimal: not worth a pattern.
    if (address === undefined || address.version !== 6 || address.text !== host.slice(1, -1))
      refuse('not an IPv6 address as browsers write it');
    return true;
  }
  if (host.length > 253) refuse('the host is too long');
  const last = host.replace(/\.$/, '').split('.').at(-1) ?? '';
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(last)) {
    // Browsers take a host whose last label is a number for an IPv4 address (WHATWG URL §3.5).
    if (parseIp(host)?.text !== host) refuse('not an IPv4 address as browsers write it');
    return true;
  }
  return false;
}
