import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { S3ProtocolError } from './protocol-error.ts';

/** The namespace of every S3 document. */
const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** An element's content: text, nested elements, a list of siblings of the same name, or nothing at all. */
export type XmlValue =
  | string
  | number
  | boolean
  | undefined
  | readonly XmlValue[]
  | { readonly [name: string]: XmlValue };

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;');
}

function element(name: string, value: XmlValue): string {
  if (value === undefined) return '';
  if (typeof value !== 'object') return `<${name}>${escapeText(String(value))}</${name}>`;
  // Array.isArray does not narrow a readonly array
  if (Array.isArray(value)) return (value as readonly XmlValue[]).map((item) => element(name, item)).join('');
  return `<${name}>${children(value as { readonly [name: string]: XmlValue })}</${name}>`; // the one case left
}

function children(value: { readonly [name: string]: XmlValue }): string {
  return Object.entries(value)
    .map(([name, child]) => element(name, child))
    .join('');
}

/** Writes an S3 document. Members that are `undefined` are left out; an array repeats its element. */
export function writeXml(root: string, value: { readonly [name: string]: XmlValue }, plain = false): string {
  const open = plain ? `<${root}>` : `<${root} xmlns="${namespace}">`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${open}${children(value)}</${root}>`;
}

const lists: ReadonlySet<string> = new Set(['Object', 'Part', 'Rule', 'Tag']);
const parser: XMLParser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
  isArray: (name: unknown) => lists.has(String(name)),
});

/** A parsed element: its children by name. */
export interface XmlNode {
  readonly [name: string]: unknown;
}

/** The element as a node; an empty element has no children. */
export function nodeOf(value: unknown): XmlNode {
  return typeof value === 'object' && value !== null ? (value as XmlNode) : {}; // the parser makes plain objects only
}

/** The children of one repeated name (`Object`, `Part`, `Rule`, `Tag`). */
export function nodesOf(value: unknown): readonly XmlNode[] {
  return Array.isArray(value) ? value.map(nodeOf) : [];
}

/** The text of an element, or undefined when it is absent. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/**
 * Reads a request document.
 *
 * @throws S3ProtocolError `MalformedXML` when it is not well-formed or has another root
 */
export function readXml(body: Uint8Array, root: string): XmlNode {
  const text = new TextDecoder().decode(body);
  const malformed = () =>
    new S3ProtocolError(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our published schema',
    );
  if (XMLValidator.validate(text) !== true) throw malformed();
  const document = nodeOf(parser.parse(text));
  if (!(root in document)) throw malformed();
  return nodeOf(document[root]);
}
