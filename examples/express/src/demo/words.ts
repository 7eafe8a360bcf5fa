/** The beginning of a long id or hash, as people say it. A UUIDv7 begins with its time, so its end is what tells it apart. */
export function short(text: string): string {
  return text.length === 36 ? `…${text.slice(-12)}` : `${text.slice(0, 12)}…`;
}

/** `2034-03-16` of an instant. */
export function day(instant: string): string {
  return instant.slice(0, 10);
}

/** `2034-03-16 04:00 UTC` of an instant. */
export function minute(instant: string): string {
  return `${instant.slice(0, 10)} ${instant.slice(11, 16)} UTC`;
}
