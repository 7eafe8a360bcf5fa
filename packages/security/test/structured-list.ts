const bareItem =
  /(?:-?\d{1,15}|"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|:[A-Za-z0-9+/]*={0,2}:|\?[01]|[A-Za-z*][A-Za-z0-9:/!#$%&'*+.^_`|~-]*)/;
const item = `${bareItem.source}(?:; *[a-z*][a-z0-9_.*-]*(?:=${bareItem.source})?)*`;

/** A list of Structured Fields (RFC 9651 §3.1), as far as draft-ietf-httpapi-ratelimit-headers-10 uses it. */
export const structuredList: RegExp = new RegExp(`^${item}(?:[ \\t]*,[ \\t]*${item})*$`);
