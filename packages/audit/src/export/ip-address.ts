/** Tells an address from a name, by its looks: where an event comes from is what a proxy said. */
export function isIpAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$|^[\da-f.]*:[\da-f:.]*(%\w+)?$/i.test(text);
}
