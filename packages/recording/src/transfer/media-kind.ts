import { latin } from './unit-walk.ts';

/** Bytes of the head that are looked at. */
export const headBytes = 512;

/** First bytes of each container. */
const signatures: Readonly<Record<string, (head: Uint8Array) => boolean>> = {
  mp4: (head) => ['ftyp', 'styp', 'moov', 'moof', 'free', 'skip', 'wide', 'mdat', 'pnot'].includes(latin(head, 4, 8)),
  matroska: (head) => head[0] === 0x1a && head[1] === 0x45 && head[2] === 0xdf && head[3] === 0xa3,
  wav: (head) => ['RIFF', 'RF64'].includes(latin(head, 0, 4)) && latin(head, 8, 12) === 'WAVE',
  ogg: (head) => latin(head, 0, 4) === 'OggS',
  flac: (head) => latin(head, 0, 4) === 'fLaC',
  mpegAudio: (head) => latin(head, 0, 3) === 'ID3' || (head[0] === 0xff && ((head[1] ?? 0) & 0xe0) === 0xe0),
  mpegTs: (head) => head[0] === 0x47 && (head.length <= 188 || head[188] === 0x47),
};

const containers: Readonly<Record<string, keyof typeof signatures>> = {
  'video/mp4': 'mp4',
  'audio/mp4': 'mp4',
  'audio/x-m4a': 'mp4',
  'audio/m4a': 'mp4',
  'video/quicktime': 'mp4',
  'video/webm': 'matroska',
  'audio/webm': 'matroska',
  'video/x-matroska': 'matroska',
  'audio/x-matroska': 'matroska',
  'video/matroska': 'matroska',
  'audio/matroska': 'matroska',
  'audio/wav': 'wav',
  'audio/wave': 'wav',
  'audio/x-wav': 'wav',
  'audio/vnd.wave': 'wav',
  'audio/ogg': 'ogg',
  'video/ogg': 'ogg',
  'application/ogg': 'ogg',
  'audio/opus': 'ogg',
  'audio/flac': 'flac',
  'audio/x-flac': 'flac',
  'audio/mpeg': 'mpegAudio',
  'audio/mp3': 'mpegAudio',
  'audio/aac': 'mpegAudio',
  'video/mp2t': 'mpegTs',
};

/** The container that a content type names; undefined where it names none that is known here. */
export function containerOf(contentType: string): string | undefined {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  return Object.hasOwn(containers, type) ? containers[type] : undefined;
}

/**
 * Checks that bytes may begin media of a content type, by the signature of its container. For a type whose container is
 * not known here, checks only that the bytes are not text, as an error page is.
 *
 * @param head - the first 512 bytes, or all there are
 */
export function mayBegin(contentType: string, head: Uint8Array): boolean {
  const container = containerOf(contentType);
  const fits = container === undefined ? undefined : signatures[container];
  if (fits !== undefined) return fits(head);
  return /^(audio|video|application)\//i.test(contentType) && !isText(head);
}

/** Markup or JSON; no container begins with either. */
function isText(head: Uint8Array): boolean {
  return /^(\u00ef\u00bb\u00bf)?\s*[<{[]/.test(latin(head, 0, head.length)) && !head.includes(0);
}
