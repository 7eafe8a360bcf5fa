// How a key becomes a path that no file system misreads. Each segment of the key is a folder: `s…` when it is made of
// characters that are safe everywhere, else `x…` with its bytes in hexadecimal, so that dots, slashes, case and Unicode
// forms mean nothing. Names longer than a file system takes go on in folders within, each piece but the last called `c…`.
// Versions (`v…`) and unfinished uploads (`u…`) lie beside the folders of longer keys and cannot meet them.

const safe = /^[a-z0-9_-]*$/;
const piece = 200;

function hexOf(text: string): string {
  let hex = '';
  for (const byte of new TextEncoder().encode(text)) hex += byte.toString(16).padStart(2, '0');
  return hex;
}

function textOf(hex: string): string | undefined {
  if (hex.length % 2 !== 0 || !/^[0-9a-f]*$/.test(hex)) return undefined;
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function foldersOf(segment: string): string[] {
  const [mark, text] = safe.test(segment) ? ['s', segment] : ['x', hexOf(segment)];
  const folders: string[] = [];
  let rest = text;
  while (rest.length > piece) {
    folders.push(`c${mark}${rest.slice(0, piece)}`);
    rest = rest.slice(piece);
  }
  return [...folders, mark + rest];
}

/** The folders, outermost first, in which the versions of a key lie. */
export function foldersOfKey(key: string): readonly string[] {
  return key.split('/').flatMap(foldersOf);
}

/** The folders that every key with this prefix begins with: those of its whole segments. */
export function foldersOfPrefix(prefix: string): readonly string[] {
  return prefix.split('/').slice(0, -1).flatMap(foldersOf);
}

/** The key of a list of folders, or undefined when they are not the folders of a key. */
export function keyOfFolders(folders: readonly string[]): string | undefined {
  const segments: string[] = [];
  let open = '';
  let mark = '';
  for (const folder of folders) {
    const goesOn = folder.startsWith('c');
    const kind = goesOn ? folder.charAt(1) : folder.charAt(0);
    if ((kind !== 's' && kind !== 'x') || (mark !== '' && kind !== mark)) return undefined;
    open += folder.slice(goesOn ? 2 : 1);
    mark = kind;
    if (goesOn) continue;
    const segment = kind === 's' ? open : textOf(open);
    if (segment === undefined) return undefined;
    segments.push(segment);
    open = '';
    mark = '';
  }
  return mark === '' && segments.length > 0 ? segments.join('/') : undefined;
}
