const start = ',"id":"';
const [comma, i, d] = [0x2c, 0x69, 0x64];
const quote = 0x22;
const mostPlaces = 8;

/** Tells whether a body is of the event whose id its row carries. */
export type IdCheck = (body: Uint8Array, eventId: string) => boolean;

/**
 * A look for the bytes of the member, not a parse, which would cost more than the hash: canonical JSON writes it in one way only, and after
 * a comma, since `action` always stands before it. Events of one kind have it at one place, so the last few places are tried before
 * the whole body is searched.
 *
 * @returns a check for one walk over bodies, or whatever is stored in their place
 */
export function createIdCheck(): IdCheck {
  const places: number[] = [];
  let oldest = 0;
  return (body, eventId) => {
    if (eventId.length !== 36) return false;
    const last = body.length - start.length - eventId.length - 1;
    for (const place of places) if (place <= last && isAt(body, place, eventId)) return true;
    for (let at = 0; at <= last; at++) {
      if (body[at] !== comma || body[at + 2] !== i || body[at + 3] !== d || !isAt(body, at, eventId)) continue;
      places[oldest] = at;
      oldest = (oldest + 1) % mostPlaces;
      return true;
    }
    return false;
  };
}

function isAt(body: Uint8Array, at: number, eventId: string): boolean {
  const idAt = at + start.length;
  return body[idAt + eventId.length] === quote && hasText(body, at, start) && hasText(body, idAt, eventId);
}

function hasText(body: Uint8Array, from: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (body[from + at] !== text.charCodeAt(at)) return false;
  return true;
}
